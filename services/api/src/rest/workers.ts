/**
 * GET /v1/workers and /v1/workers/{id}: the agent workers that are connected now. Reads only.
 */

import { createRoute } from "@hono/zod-openapi";
import { sessionRecord } from "@muster/ledger/records";
import { requireReadAll } from "../auth.js";
import { namespaceOf, newRoutes, type RestDeps, readOne, readPage } from "./context.js";
import { problems } from "./problem.js";
import { IdParams, NamespaceQuery, Worker, WorkerPage, WorkersQuery } from "./schemas.js";
import { workerView } from "./views.js";

const listRoute = createRoute({
  method: "get",
  path: "/v1/workers",
  operationId: "listWorkers",
  summary: "Workers that are connected, longest first.",
  request: { query: WorkersQuery },
  responses: {
    200: { description: "A page.", content: { "application/json": { schema: WorkerPage } } },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: "/v1/workers/{id}",
  operationId: "readWorker",
  summary: "One worker.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "The worker.", content: { "application/json": { schema: Worker } } },
    ...problems("invalid_argument", "not_found"),
  },
});

export function workerRoutes(deps: RestDeps) {
  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const { limit, cursor, ...query } = c.req.valid("query");
      const namespace = namespaceOf(caller, query);
      const request = { namespace, list: "sessions", kind: "session", limit, cursor } as const;
      const { items, ...page } = await readPage(deps, request, (field, hash) =>
        workerView(field, sessionRecord(hash)),
      );
      return c.json({ workers: items, ...page }, 200);
    })
    .openapi(readRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const query = c.req.valid("query");
      const hash = await readOne(deps, namespaceOf(caller, query), "session", c.req.valid("param").id);
      return c.json(workerView(query.namespace, sessionRecord(hash)), 200);
    });
}
