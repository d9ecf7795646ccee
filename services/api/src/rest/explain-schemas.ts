/**
 * The shape of what is told of a job's attempts. Times are Unix ms by the ledger's clock; what ends in `_ms` without `_at` is how
 * long something took, so far where it goes on.
 */

import { z } from "@hono/zod-openapi";
import { JOB_OUTCOMES, JOB_STATES } from "@muster/domain/job";
import { ATTEMPT_OUTCOMES } from "@muster/ledger/attempts";
import { VERDICTS } from "@muster/ledger/shapes";

const at = (description: string) => z.int().nullable().openapi({ description });
const took = at;

const Considered = z
  .object({
    worker_id: z.string(),
    load: z
      .number()
      .openapi({ description: "0-1, projected: as last reported, and what was given to it since." }),
    load_below_count: z.literal(true).optional().openapi({
      description:
        "Of a job that waits now: the worker says far less than its jobs cost others of its pool, and load is what they would have.",
    }),
    verdict: z.enum(VERDICTS).openapi({
      description:
        "chosen; room; behind: it has room, and somebody before this job in line can have it; excluded: it refused this job, or " +
        "failed it, and is not asked for a while; gateway_gone: its gateway does not answer; gone: it was not there any more; " +
        "another: a simulated job is for its own worker alone; left_out, not_favourite, labels: the order does not want it, or " +
        "not yet; full: it says so; cap: as many jobs as are allowed; load: its projected load is at the maximum; reserved: what " +
        "it has left is for jobs of higher priority; draining; drained: by an operator; cooling: it was ejected, as its health " +
        "says; probation: it was, and is tried with another job; suspect_job: it was, and is not tried with a job that others failed; entering: it just came, and may have jobs of a lost one; " +
        "unknown_load: it has a job and has not said its load yet.",
    }),
  })
  .openapi("Considered");

const Attempt = z
  .object({
    number: z.int().openapi({ description: "1 for the first." }),
    how: z.enum(["offered", "parked", "returned"]).openapi({
      description:
        "offered to a worker; parked, as nobody was found; returned: a worker came back with the job.",
    }),
    outcome: z.enum(ATTEMPT_OUTCOMES).openapi({
      description:
        "Over: parked (it waited for the next attempt), fell_back, held, rejected, slow (no answer in time), silent (none at all), undelivered, unanswered, never_started, " +
        "never_joined, failed, agent_left, worker_lost, migrated. The latest also: parked, offered, starting, running, lost, ended with the job.",
    }),
    agent_name: z.string().openapi({ description: "Who was asked." }),
    deployment: z.string(),
    worker_id: z.string().openapi({ description: "Empty when nobody was found." }),
    epoch: z.int(),
    began_at_ms: z.int(),
    ended_at_ms: at("null while it goes on."),
    waited_ms: took(
      "Until it began: since the job was made, or since the attempt before it ended; null when that one is left out.",
    ),
    parked_ms: took("How long it stood in line for want of a worker; null when somebody was found at once."),
    answered_ms: took("From the offer to acceptance, refusal, or giving up; null when nobody was asked."),
    started_ms: took(
      "From acceptance until it was seen to run, or was given up; null when it was not accepted.",
    ),
    ran_ms: took(
      "From when it was seen to run, or came back, to its end or its worker's loss; null when it did not run.",
    ),
    lost_ms: took("How long its lost worker was waited for; null when it was not lost."),
    considered: z.array(Considered).openapi({
      description:
        "Who was looked at, in that order, the chosen one last; not everybody: see `now`. At most 8.",
    }),
    considered_left_out: z.int(),
  })
  .openapi("Attempt");

const Now = z
  .object({
    waits_for: z.enum(["room", "turn", "back_off", "release"]).openapi({
      description:
        "room: for a worker with room; turn: about to be tried; back_off: after a failure, or when all refused, it is not tried " +
        "for a while; release: its order is on hold.",
    }),
    due_at_ms: z.int().openapi({
      description: "When its next timer is due: end of a back-off, fallback step, end of its waiting time.",
    }),
    position: z.int().nullable().openapi({ description: "As in the job." }),
    is_suspect: z.boolean().openapi({
      description:
        "Several workers declined the job, did not answer, or failed it: it stands behind all others.",
    }),
    worker_count: z
      .int()
      .openapi({ description: "Workers of its agent, type and deployment that are connected." }),
    counts: z
      .partialRecord(z.enum(VERDICTS), z.int())
      .openapi({ description: "How many of those that were looked at have which verdict." }),
    workers: z.array(Considered).openapi({ description: "The longest connected, at most 64." }),
    not_looked_at: z.int().openapi({ description: "Workers beyond the 2048 that are looked at." }),
    warnings: z.array(z.string()).openapi({
      description:
        "No worker of the type that the job needs was ever seen for its agent; which types were. Empty: nothing.",
    }),
  })
  .openapi("Waiting");

export const Explanation = z
  .object({
    id: z.string(),
    namespace: z.string(),
    state: z.enum(JOB_STATES),
    outcome: z.enum(JOB_OUTCOMES).nullable(),
    cause: z.string().openapi({ description: "Why it ended, one word; empty while it has not." }),
    asked_at_ms: z.int().openapi({ description: "When this was read." }),
    created_at_ms: z.int(),
    first_tried_ms: took("From when it was made until it was first tried; null while it was not."),
    attempts: z.array(Attempt).openapi({ description: "At most 20: the first 5 and the latest 15." }),
    attempts_left_out: z.int().openapi({ description: "Between the fifth and the sixth that are told." }),
    now: Now.nullable().openapi({ description: "While it waits: why nobody has it at this moment." }),
  })
  .openapi("Explanation");
