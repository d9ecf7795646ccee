/**
 * GET /v1/workers and /v1/workers/{id}: the agent workers that are connected now; PUT /v1/workers/{id}/labels, by which orders can
 * ask for some of them; POST /v1/workers/{id}/reinstate: somebody has looked at one that was taken for sick, and says that it is
 * well.
 */

import { createRoute } from "@hono/zod-openapi";
import { encodeLabels } from "@muster/domain/preferences";
import { sessionRecord } from "@muster/ledger/records";
import { requireChangeAll, requireReadAll } from "../auth.js";
import { namespaceOf, newRoutes, type RestDeps, readOne, readPage } from "./context.js";
import { problems } from "./problem.js";
import { IdParams, LabelsBody, NamespaceQuery, Worker, WorkerPage, WorkersQuery } from "./schemas.js";
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

const labelRoute = createRoute({
  method: "put",
  path: "/v1/workers/{id}/labels",
  operationId: "putWorkerLabels",
  summary: "Gives a worker labels, in place of those that it had. May be repeated.",
  description: "They end with its connection. Jobs that wait for one of them are offered to it at once.",
  request: {
    params: IdParams,
    query: NamespaceQuery,
    body: { required: true, content: { "application/json": { schema: LabelsBody } } },
  },
  responses: {
    200: { description: "The worker.", content: { "application/json": { schema: Worker } } },
    ...problems("invalid_argument", "not_found", "too_large"),
  },
});

const reinstateRoute = createRoute({
  method: "post",
  path: "/v1/workers/{id}/reinstate",
  operationId: "reinstateWorker",
  summary: "Says that a worker is well: it is offered work again at once. May be repeated.",
  description:
    "Nothing is held against it any more, whatever it did before. What it does from now on is judged as that of any other.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "The worker as it is now.", content: { "application/json": { schema: Worker } } },
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
    })
    .openapi(labelRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const query = c.req.valid("query");
      const [namespace, { id }] = [namespaceOf(caller, query), c.req.valid("param")];
      const labels = encodeLabels(c.req.valid("json").labels);
      const reply = await deps.ledger.setLabels({ namespace, session: id, labels });
      if (reply.status === "labelled" && reply.serve !== "")
        deps.hints.wake(namespace, { kind: "serve", pool: reply.serve });
      const hash = await readOne(deps, namespace, "session", id);
      return c.json(workerView(query.namespace, sessionRecord(hash)), 200);
    })
    .openapi(reinstateRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const query = c.req.valid("query");
      const namespace = namespaceOf(caller, query);
      const session = c.req.valid("param").id;
      const reply = await deps.ledger.reinstateSession({ namespace, session });
      if (reply.status === "reinstated" && reply.serve !== "") {
        deps.hints.wake(namespace, { kind: "serve", pool: reply.serve });
      }
      const hash = await readOne(deps, namespace, "session", session);
      return c.json(workerView(query.namespace, sessionRecord(hash)), 200);
    });
}
