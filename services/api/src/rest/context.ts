/**
 * What every REST route is given: the caller behind the request, and the ledger's reads, bounded to one namespace of
 * that caller's project. No route names a namespace in any other way, so none can read another project's.
 */

import { OpenAPIHono } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import { fieldOf, namespaceName } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import type { AcceptOrder } from "../accept-order.js";
import type { Caller } from "../auth.js";
import type { ChangeOrder } from "../change-order.js";
import type { Drains } from "../drains.js";
import type { Hints } from "../hints.js";
import type { HoldOrder } from "../hold-order.js";
import type { KnownNamespaces } from "../known-namespaces.js";
import type { ApiMetrics } from "../metrics.js";
import type { OrderPolicy } from "../policy.js";
import type { RoomOrders } from "../room-orders.js";
import type { WakeHeldDeps } from "../wake-held.js";
import type { WithdrawOrder } from "../withdraw-order.js";
import { type List, nextCursor, rankOf } from "./page.js";

export interface RestDeps extends WakeHeldDeps {
  ledger: Pick<
    Ledger,
    | "listRecords"
    | "listRoomOrders"
    | "readRecord"
    | "findPosition"
    | "explainJob"
    | "explainWait"
    | "terminateJob"
    | "reinstateSession"
    | "wakeNamespace"
    | "setLabels"
    | "measurePool"
    | "knownPools"
    | "describePools"
    | "forgetPool"
    | "forgetAgent"
    | "countUse"
    | "dropNamespace"
    | "listAgent"
  >;
  /** Told when an agent is forgotten, so that the next order reads who knows it. */
  known: Pick<KnownNamespaces, "forget">;
  hints: Hints;
  policy: Pick<OrderPolicy, "stopMs" | "removeMs">;
  acceptOrder: AcceptOrder;
  withdrawOrder: WithdrawOrder;
  changeOrder: ChangeOrder;
  holdOrder: HoldOrder;
  drains: Drains;
  orders: RoomOrders;
  /** Whether a LiveKit is known of, whose rooms the orders are for. */
  hasLivekit: boolean;
  metrics: Pick<ApiMetrics, "orderAccepted" | "orderMerged" | "orderRefused" | "refused" | "jobsEnded">;
}

export type RestEnv = { Variables: { caller: Caller } };

export type Kind = "session" | "job" | "order";
type Hash = Record<string, string>;

/** A group of routes whose invalid parameters are refused with the field, like all else that is wrong with a request. */
export function newRoutes(): OpenAPIHono<RestEnv> {
  return new OpenAPIHono<RestEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const [issue] = result.error.issues;
      // Its path is that of the object that should not have the field.
      const unknown = issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
      const field = [...(issue?.path ?? []), ...unknown].map(String).join(".");
      const problem = unknown.length > 0 ? "is not a field of it" : (issue?.message ?? "is invalid");
      throw new DispatchError("invalid_argument", problem, field || undefined);
    },
  });
}

/** The full name, from the caller's project and the query. */
export function namespaceOf(caller: Caller, query: { namespace: string }): string {
  return namespaceName(caller.project, query.namespace);
}

export async function readPage<T>(
  { ledger }: RestDeps,
  request: { namespace: string; list: List; kind: Kind; limit: number; cursor: string | undefined },
  view: (field: string, record: Hash) => T,
): Promise<{ items: T[]; next_cursor: string | null; total: number }> {
  const { namespace, list, kind, limit, cursor } = request;
  const offset = rankOf(cursor, list);
  const { records, total } = await ledger.listRecords({ namespace, list, kind, offset, limit });
  const field = fieldOf(namespace);
  return {
    items: Object.values(records).map((record) => view(field, record)),
    next_cursor: nextCursor(list, offset + limit, total),
    total,
  };
}

/** @throws DispatchError `not_found` */
export async function readOne(
  { ledger }: RestDeps,
  namespace: string,
  kind: Kind,
  id: string,
): Promise<Hash> {
  const reply = await ledger.readRecord({ namespace, kind, id });
  if (reply.status === "found") return reply.record;
  throw noSuch(kind, id, namespace);
}

export function noSuch(kind: Kind, id: string, namespace: string): DispatchError {
  const where = fieldOf(namespace) === "" ? "the default namespace" : `namespace ${fieldOf(namespace)}`;
  return new DispatchError(
    "not_found",
    `there is no ${kind === "session" ? "worker" : kind} ${id} in ${where}`,
  );
}
