/**
 * GET /v1/jobs/{id}/explain: each attempt to place a job, and while it waits, why nobody has it now. Reads only. What is true of
 * its pool now is looked up when asked for, some workers a script, and of a pool that is larger than that not all of it.
 */

import { createRoute, type z } from "@hono/zod-openapi";
import { isNameOfJob, jobOfWireId } from "@muster/domain/ids";
import { poolOf } from "@muster/domain/pool";
import { readAttempts } from "@muster/ledger/attempts";
import { type JobRecord, jobRecord, orderRecord } from "@muster/ledger/records";
import type { Standing, Verdict } from "@muster/ledger/shapes";
import { requireReadRoom, requireReadSome } from "../auth.js";
import { namespaceOf, newRoutes, noSuch, type RestDeps } from "./context.js";
import { Explanation } from "./explain-schemas.js";
import { attemptView, consideredView } from "./explain-view.js";
import { jobWarnings } from "./order-warnings.js";
import { problems } from "./problem.js";
import { IdParams, NamespaceQuery } from "./schemas.js";

type View = z.infer<typeof Explanation>;

/** Workers looked at in one script, which takes 1 to 2 ms; in one call; and named in an answer. */
const WORKERS_A_SCRIPT = 64;
const WORKERS_A_CALL = 2_048;
const WORKERS_NAMED = 64;

const explainRoute = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/explain",
  operationId: "explainJob",
  summary:
    "Why a job is where it is: each attempt to place it and, while it waits, how its workers stand now.",
  description:
    "Kept as long as the job; found as `readJob` finds it. What a worker is asked is what was true at that moment; `now` is true when it is read.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "What happened.", content: { "application/json": { schema: Explanation } } },
    ...problems("invalid_argument", "not_found"),
  },
});

export function explainRoutes({ ledger }: RestDeps) {
  return newRoutes().openapi(explainRoute, async (c) => {
    const caller = c.get("caller");
    requireReadSome(caller);
    const query = c.req.valid("query");
    const { id: name } = c.req.valid("param");
    const namespace = namespaceOf(caller, query);
    const reply = await ledger.explainJob({ namespace, job: jobOfWireId(name) });
    if (reply.status === "unknown") throw noSuch("job", name, namespace);
    const job = jobRecord(reply.job);
    requireReadRoom(caller, job.room);
    if (!isNameOfJob(name, job)) throw noSuch("job", name, namespace);
    const { attempts, leftOut } = readAttempts(reply.job, reply.attempts);
    const servers = await serversOf(namespace, job);
    const first = attempts[0];
    return c.json(
      {
        ...{ id: job.id, namespace: query.namespace, state: job.state },
        outcome: job.outcome === "" ? null : job.outcome,
        cause: job.cause,
        asked_at_ms: reply.now,
        created_at_ms: job.createdAtMs,
        first_tried_ms: first === undefined ? null : Math.max(0, first.beganAtMs - job.createdAtMs),
        attempts: attempts.map((attempt, index) => {
          const before = attempts[index - 1];
          const isNext = before === undefined || before.number === attempt.number - 1;
          const freeSinceMs = isNext ? (before?.endedAtMs ?? job.createdAtMs) : null;
          return attemptView(attempt, { freeSinceMs, nowMs: reply.now, pool: servers(attempt.step) });
        }),
        attempts_left_out: leftOut,
        now: await waitOf(namespace, job),
      },
      200,
    );
  });

  /** Who was asked at which step of the job's fallback; of one whose order is forgotten, who has it now. */
  async function serversOf(namespace: string, job: JobRecord) {
    const own = poolOf(job.pool);
    if (job.order === "") return () => own;
    const reply = await ledger.readRecord({ namespace, kind: "order", id: job.order });
    if (reply.status !== "found") return () => own;
    const { agent, deployment, fallback } = orderRecord(reply.record);
    return (step: number) =>
      step === 0 ? { ...own, agentName: agent, deployment } : { ...own, ...fallback[step - 1] };
  }

  async function waitOf(namespace: string, { id, pool, suspectAtMs }: JobRecord): Promise<View["now"]> {
    const first = await ledger.explainWait({ namespace, job: id, first: 0, limit: WORKERS_A_SCRIPT });
    if (first.status !== "waits") return null;
    const standings = Object.values(first.sessions);
    let seen = WORKERS_A_SCRIPT;
    for (; seen < Math.min(first.total, WORKERS_A_CALL); seen += WORKERS_A_SCRIPT) {
      const more = await ledger.explainWait({ namespace, job: id, first: seen, limit: WORKERS_A_SCRIPT });
      if (more.status !== "waits") return null;
      standings.push(...Object.values(more.sessions));
    }
    const position = await ledger.findPosition({ namespace, job: id });
    return {
      waits_for: first.why as NonNullable<View["now"]>["waits_for"],
      due_at_ms: first.due,
      position: position.status === "stands" ? position.position : null,
      is_suspect: suspectAtMs > 0,
      worker_count: first.total,
      counts: countVerdicts(standings),
      workers: standings.slice(0, WORKERS_NAMED).map(consideredView),
      not_looked_at: Math.max(0, first.total - seen),
      warnings: first.total > 0 ? [] : await jobWarnings(ledger, namespace, pool),
    };
  }
}

function countVerdicts(standings: readonly Standing[]): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of standings) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}
