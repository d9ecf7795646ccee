/**
 * /v1/drains: workers that are to take no more jobs and finish what they have. Begun, listed, looked at and undone here;
 * the steps are drains.ts's, one level up.
 */

import { createRoute } from "@hono/zod-openapi";
import { MAX_DRAINS } from "@muster/domain/drain";
import { DispatchError } from "@muster/domain/errors";
import { fieldOf } from "@muster/domain/namespace";
import { requireChangeAll, requireReadAll } from "../auth.js";
import type { Drains } from "../drains.js";
import { namespaceOf, newRoutes, type RestDeps } from "./context.js";
import {
  DrainDetail,
  DrainList,
  drainTargetOf,
  drainView,
  NewDrainBody,
  progressView,
  Undone,
} from "./drain-schemas.js";
import { problems } from "./problem.js";
import { IdParams, NamespaceQuery } from "./schemas.js";

const PATH = "/v1/drains";
const ONE_PATH = "/v1/drains/{id}";
const detail = { "application/json": { schema: DrainDetail } };

const beginRoute = createRoute({
  method: "post",
  path: PATH,
  operationId: "beginDrain",
  summary: "Has workers take no more jobs. May be repeated.",
  description:
    "They keep what they run and what they were offered. It holds the workers that are connected and, until it is undone, " +
    `those that connect; their own way to drain is another matter. A namespace has at most ${MAX_DRAINS}.`,
  request: { body: { required: true, content: { "application/json": { schema: NewDrainBody } } } },
  responses: {
    201: { description: "The drain, which is new.", content: detail },
    200: { description: "The drain as it stood before, with its own reason.", content: detail },
    ...problems("invalid_argument", "not_found", "failed_precondition", "too_large"),
  },
});

const listRoute = createRoute({
  method: "get",
  path: PATH,
  operationId: "listDrains",
  summary: "All drains of a namespace.",
  request: { query: NamespaceQuery },
  responses: {
    200: { description: "Without how far they are.", content: { "application/json": { schema: DrainList } } },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: ONE_PATH,
  operationId: "readDrain",
  summary: "One drain, and how far it is.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "The drain.", content: detail },
    ...problems("invalid_argument", "not_found"),
  },
});

const undoRoute = createRoute({
  method: "delete",
  path: ONE_PATH,
  operationId: "undoDrain",
  summary: "Undoes a drain: its workers are offered jobs again at once. May be repeated.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "It is not there any more.", content: { "application/json": { schema: Undone } } },
    ...problems("invalid_argument"),
  },
});

export function drainRoutes({ drains }: Pick<RestDeps, "drains">) {
  return newRoutes()
    .openapi(beginRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const { target, reason, ...query } = c.req.valid("json");
      const namespace = namespaceOf(caller, query);
      const { drain, isNew } = await drains.begin(namespace, drainTargetOf(target), reason);
      const answer = await detailOf(drains, namespace, drain.id);
      return isNew ? c.json(answer, 201) : c.json(answer, 200);
    })
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const namespace = namespaceOf(caller, c.req.valid("query"));
      const found = await drains.list(namespace);
      return c.json({ drains: found.map((drain) => drainView(namespace, drain)) }, 200);
    })
    .openapi(readRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const namespace = namespaceOf(caller, c.req.valid("query"));
      return c.json(await detailOf(drains, namespace, c.req.valid("param").id), 200);
    })
    .openapi(undoRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const { id } = c.req.valid("param");
      const wasThere = await drains.undo(namespaceOf(caller, c.req.valid("query")), id);
      return c.json({ id, was_there: wasThere }, 200);
    });
}

/** @throws DispatchError `not_found` */
async function detailOf(drains: Drains, namespace: string, id: string) {
  const found = await drains.measure(namespace, id);
  if (found !== undefined) return { ...drainView(namespace, found.drain), ...progressView(found.progress) };
  const where = fieldOf(namespace) === "" ? "the default namespace" : `namespace ${fieldOf(namespace)}`;
  throw new DispatchError("not_found", `there is no drain ${id} in ${where}`);
}
