/**
 * Which grant each route needs at least, by the operation's id. Checked before a body is read, so that nobody without it has
 * one read; the routes themselves then check the room of what they found. A test holds the table against the routes.
 */

import { DispatchError } from "@muster/domain/errors";
import { createMiddleware } from "hono/factory";
import {
  type Caller,
  requireChangeAll,
  requireChangeSome,
  requireCreateSome,
  requireReadAll,
  requireReadSome,
} from "../auth.js";
import type { RestEnv } from "./context.js";
import type { RouteTable } from "./known-parameters.js";

/**
 * `read_all`: roomList, or roomAdmin without a room. `read_some`: roomList or roomAdmin; of one room, where it names one and has
 * no roomList. `change_all`: roomAdmin without a room. `change_some`: roomAdmin; of one room, where it names one.
 * `create_room`: roomCreate and roomAdmin; of one room, where it names one.
 */
export const ROUTE_GRANTS: Readonly<Record<string, RouteGrant>> = {
  readOpenApi: "none",
  ...all(
    "read_all",
    "listWorkers readWorker listPools listDrains readDrain listJobs readScaling readUnnamedScaling",
  ),
  ...all("read_all", "listPlacementPolicies listDeploymentSplits listDeadEvents dryRunRules"),
  ...all("read_all", "listPools"),
  ...all("change_all", "forgetPool"),
  ...all("read_all", "listRules readRule listRoomConfigurations readRoomConfiguration"),
  ...all("read_some", "listOrders readOrder readJob explainJob streamEvents"),
  ...all("change_all", "putWorkerLabels reinstateWorker forgetPool beginDrain undoDrain replayDeadEvents"),
  ...all("change_all", "putPlacementPolicy deletePlacementPolicy putDeploymentSplit deleteDeploymentSplit"),
  ...all("change_all", "putRule deleteRule putRoomConfiguration deleteRoomConfiguration"),
  ...all("change_some", "createOrder changeOrder deleteOrder holdOrder releaseOrder terminateJob"),
  ...all("change_some", "replayDeadEvent"),
  createRoom: "create_room",
};

export type RouteGrant = "none" | keyof typeof CHECKS;

const CHECKS = {
  read_all: requireReadAll,
  read_some: requireReadSome,
  change_all: requireChangeAll,
  change_some: requireChangeSome,
  create_room: requireCreateSome,
} as const satisfies Record<string, (caller: Caller) => void>;

/** @throws DispatchError `permission_denied` */
export function routeGrants(routes: Pick<RouteTable, "of">) {
  return createMiddleware<RestEnv>(async (c, next) => {
    const route = routes.of(c);
    if (route !== undefined) requireGrant(route.operation, c.get("caller"));
    await next();
  });
}

function requireGrant(operation: string, caller: Caller): void {
  const grant = ROUTE_GRANTS[operation];
  if (grant === undefined) throw new DispatchError("internal", `${operation} has no row in ROUTE_GRANTS`);
  if (grant !== "none") CHECKS[grant](caller);
}

function all(grant: RouteGrant, operations: string): Record<string, RouteGrant> {
  return Object.fromEntries(operations.split(" ").map((operation) => [operation, grant]));
}
