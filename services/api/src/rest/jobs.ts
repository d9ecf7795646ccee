/**
 * GET /v1/jobs and /v1/jobs/{id}, POST /v1/jobs/{id}/terminate: the executions of orders, live or kept after their end.
 * Terminating is one script; who must be told is in the ledger, the messages sent from here are hints of it.
 */

import { createRoute } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import { isNameOfJob, jobOfWireId } from "@muster/domain/ids";
import type { JobOutcome } from "@muster/domain/job";
import { type JobRecord, jobRecord, orderRecord } from "@muster/ledger/records";
import {
  requireChangeRoom,
  requireChangeSome,
  requireReadAll,
  requireReadRoom,
  requireReadSome,
} from "../auth.js";
import { wakeHeld } from "../wake-held.js";
import { namespaceOf, newRoutes, noSuch, type RestDeps, readOne, readPage } from "./context.js";
import type { List } from "./page.js";
import { problems } from "./problem.js";
import {
  IdParams,
  JobDetail,
  JobPage,
  NamespaceQuery,
  StateQuery,
  TerminateBody,
  Terminated,
} from "./schemas.js";
import { jobView, participantView } from "./views.js";

const listRoute = createRoute({
  method: "get",
  path: "/v1/jobs",
  operationId: "listJobs",
  summary: "Jobs, oldest first: those that are live, or those that ended and are still kept.",
  request: { query: StateQuery },
  responses: {
    200: { description: "A page, without metadata.", content: { "application/json": { schema: JobPage } } },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: "/v1/jobs/{id}",
  operationId: "readJob",
  summary: "One job, with the metadata of its order and, while it waits, its place in line.",
  description:
    "Found by its id, and by the one that any of its offers carried (`AJ_x.2`), as a worker's log has it.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "The job.", content: { "application/json": { schema: JobDetail } } },
    ...problems("invalid_argument", "not_found"),
  },
});

const terminateRoute = createRoute({
  method: "post",
  path: "/v1/jobs/{id}/terminate",
  operationId: "terminateJob",
  summary: "Ends a job, and has its worker told. May be repeated.",
  request: {
    params: IdParams,
    query: NamespaceQuery,
    body: { required: false, content: { "application/json": { schema: TerminateBody } } },
  },
  responses: {
    200: { description: "The job is over.", content: { "application/json": { schema: Terminated } } },
    ...problems("invalid_argument", "not_found", "too_large"),
  },
});

export function jobRoutes(deps: RestDeps) {
  const { ledger, hints, policy, metrics } = deps;

  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const { state, limit, cursor, ...query } = c.req.valid("query");
      const list: List = state === "live" ? "jobs" : "ended-jobs";
      const request = { namespace: namespaceOf(caller, query), list, kind: "job", limit, cursor } as const;
      const { items, ...page } = await readPage(deps, request, (field, hash) =>
        jobView(field, jobRecord(hash)),
      );
      return c.json({ jobs: items, ...page }, 200);
    })
    .openapi(readRoute, async (c) => {
      const caller = c.get("caller");
      requireReadSome(caller);
      const query = c.req.valid("query");
      const namespace = namespaceOf(caller, query);
      const { id } = c.req.valid("param");
      const job = jobRecord(await readOne(deps, namespace, "job", jobOfWireId(id)));
      requireReadRoom(caller, job.room);
      if (!isNameOfJob(id, job)) throw noSuch("job", id, namespace);
      const { metadata, attributes } = await ofOrder(namespace, job.order);
      const position = await positionOf(namespace, job);
      const participant = participantView(job);
      return c.json(
        { ...jobView(query.namespace, job), participant, ...position, metadata, attributes },
        200,
      );
    })
    .openapi(terminateRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeSome(caller);
      const { id } = c.req.valid("param");
      const namespace = namespaceOf(caller, c.req.valid("query"));
      const job = jobRecord(await readOne(deps, namespace, "job", id));
      requireChangeRoom(caller, job.room);
      // Without a JSON body there is nothing to validate, and the default did not apply.
      const { reason } = TerminateBody.parse(c.req.valid("json") ?? {});
      await wakeHeld(deps, namespace, [job]);
      return c.json(await end(namespace, id, reason), 200);
    });

  /** What the order says; a simulated job has none, and an order may be swept before its job. */
  async function ofOrder(namespace: string, id: string) {
    if (id === "") return { metadata: "", attributes: {} };
    const reply = await ledger.readRecord({ namespace, kind: "order", id });
    return reply.status === "found" ? orderRecord(reply.record) : { metadata: "", attributes: {} };
  }

  async function positionOf(namespace: string, { id, state }: JobRecord) {
    const isWaiting = state === "queued" || state === "parked";
    const reply = isWaiting ? await ledger.findPosition({ namespace, job: id }) : undefined;
    if (reply?.status !== "stands")
      return { position: null, estimated_wait_ms: null, workers_ejected_until_ms: null };
    return {
      position: reply.position,
      estimated_wait_ms: reply.estimate || null,
      workers_ejected_until_ms: reply.ejectedUntil || null,
    };
  }

  async function end(namespace: string, id: string, reason: string) {
    const reply = await ledger.terminateJob({
      namespace,
      job: id,
      cause: "terminated",
      reason,
      stopMs: policy.stopMs,
      removeMs: policy.removeMs,
    });
    switch (reply.status) {
      case "terminated":
        metrics.jobsEnded("canceled");
        if (reply.stop !== null) hints.stop(namespace, reply.stop);
        if (reply.serve !== "") hints.wake(namespace, { kind: "serve", pool: reply.serve });
        return { id, outcome: "canceled" as const, already_ended: false };
      case "final":
        return { id, outcome: reply.outcome as JobOutcome, already_ended: true };
      case "unknown":
        throw new DispatchError("not_found", `job ${id} was forgotten meanwhile`);
    }
  }
}
