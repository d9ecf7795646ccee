/**
 * The shapes of the REST API: what is validated, what is answered, and what the OpenAPI document says are these same
 * objects. Lists leave out what may be private (metadata, attributes); single reads have it.
 */

import { z } from "@hono/zod-openapi";
import { EJECTION_REASONS, HEALTH_STATES } from "@muster/domain/ejection";
import { isId } from "@muster/domain/ids";
import { JOB_OUTCOMES, JOB_STATES } from "@muster/domain/job";
import { MAX_ERROR_BYTES, MAX_ROOM_NAME_BYTES } from "@muster/domain/limits";
import { isNamespacePart } from "@muster/domain/namespace";
import { JOB_TYPES } from "@muster/domain/pool";
import { ORDER_CAUSES } from "@muster/ledger/records";
import { FallbackStep } from "./fallback.js";
import { PageLimit } from "./page.js";
import { Labels, PreferencesBody } from "./preferences.js";
import { Target } from "./target.js";

const timeMs = z
  .int()
  .nullable()
  .openapi({ description: "Unix time in ms, by the ledger's clock; null = not yet." });

export const namespaceText = z
  .string()
  .refine((text) => text === "" || isNamespacePart(text), "must be 1-64 of A-Z a-z 0-9 . _ -");

const namespace = namespaceText.default("").openapi({
  description:
    "The namespace as its workers give it at registration; empty for the project's default one, which logs call by the project's name (`default`); `default:eu` there is `eu` here.",
});

export const IdParams = z.object({
  id: z
    .string()
    .refine(isId, "must be an id: 1-64 of A-Z a-z 0-9 _ . -")
    .openapi({ param: { name: "id", in: "path" }, example: "AJ_x" }),
});

export const NamespaceQuery = z.object({ namespace });

const paging = {
  namespace,
  limit: PageLimit,
  cursor: z.string().max(64).optional().openapi({ description: "`next_cursor` of the page before." }),
};

export const WorkersQuery = z.object(paging);
export const StateQuery = z.object({ ...paging, state: z.enum(["live", "ended"]).default("live") });

export const OrdersQuery = StateQuery.extend({
  room: z
    .string()
    .refine((text) => text !== "" && Buffer.byteLength(text) <= MAX_ROOM_NAME_BYTES, {
      error: `must be 1-${MAX_ROOM_NAME_BYTES} bytes`,
    })
    .optional()
    .openapi({
      description:
        "Only those of this room, of its newest 1,000. A token for one room must ask for that room.",
    }),
});

export const TerminateBody = z
  .object({
    reason: z
      .string()
      .refine(
        (text) => Buffer.byteLength(text) <= MAX_ERROR_BYTES,
        `at most ${MAX_ERROR_BYTES} bytes are taken`,
      )
      .default("terminated through the API")
      .openapi({ description: "For people; kept as the job's error." }),
  })
  .openapi("TerminateRequest");

export const LabelsBody = z.strictObject({ labels: Labels }).openapi("WorkerLabels");

export const Worker = z
  .object({
    id: z.string(),
    namespace: z.string(),
    agent_name: z.string(),
    type: z.enum(JOB_TYPES),
    deployment: z.string(),
    version: z.string().openapi({ description: "Of its SDK, as it says." }),
    client_ip: z.string(),
    labels: Labels,
    gateway: z.string().openapi({ description: "The node that has its socket." }),
    status: z.enum(["available", "full"]),
    draining: z.boolean().openapi({ description: "It says so itself." }),
    drained_by: z
      .array(z.string())
      .openapi({ description: "Ids of the drains that hold it: while there is one, it is offered no job." }),
    load: z.number().openapi({ description: "0-1, as last reported." }),
    reported_jobs: z.int(),
    sampled_at_ms: timeMs,
    cooling_until_ms: timeMs,
    health: z
      .object({
        state: z.enum(HEALTH_STATES).openapi({
          description:
            "ejected: offered nothing until until_ms. probation: one job at a time, until one of them shows that it works.",
        }),
        until_ms: timeMs.openapi({ description: "When it is tried again; null when it is not ejected." }),
        why: z
          .enum(EJECTION_REASONS)
          .nullable()
          .openapi({ description: "The newest thing held against it." }),
        strikes: z.int().openapi({
          description: "Offers and jobs that are held against it; 0 once it has shown that it works.",
        }),
      })
      .openapi({ description: "Whether it takes and does what it is offered." }),
    connected_at_ms: timeMs,
  })
  .openapi("Worker");

const jobFields = {
  id: z.string(),
  namespace: z.string(),
  order_id: z.string().openapi({ description: "Empty for a simulated job." }),
  state: z.enum(JOB_STATES),
  held: z.boolean().openapi({ description: "Parked because its order is on hold." }),
  outcome: z.enum(JOB_OUTCOMES).nullable(),
  cause: z.string().openapi({ description: "Why it ended, one word; empty while it has not." }),
  error: z.string().openapi({
    description:
      "For people: why it did not succeed, never empty then; of one that lives, what its last attempt failed of.",
  }),
  type: z.enum(JOB_TYPES),
  agent_name: z
    .string()
    .openapi({ description: "Who is asked for it, or has it; after a fallback step not its order's." }),
  deployment: z.string(),
  fallback_step: z.int().openapi({ description: "Steps of its order's fallback that it has gone." }),
  room: z.string(),
  room_sid: z.string(),
  participant_identity: z.string().openapi({ description: "Of the agent; empty until a worker accepted." }),
  worker_id: z
    .string()
    .openapi({ description: "Holder, or the worker that is asked; empty while the job waits." }),
  worker_job_id: z.string().openapi({ description: "The job id as the newest offer carried it." }),
  epoch: z.int(),
  offers: z.int(),
  attempts: z.int(),
  priority: z.int(),
  created_at_ms: timeMs,
  updated_at_ms: timeMs,
  offered_at_ms: timeMs,
  started_at_ms: timeMs,
  running_at_ms: timeMs,
  ended_at_ms: timeMs,
  suspect_since_ms: timeMs.openapi({
    description:
      "Since when the job is suspect: several workers declined it, did not answer, or failed it. It is " +
      "tried last, with growing pauses, and not held against workers. null while it is not.",
  }),
};

const orderFields = {
  id: z.string(),
  state: z.enum(["live", "ended", "expired", "deleted"]).openapi({
    description:
      "expired: it makes jobs as participants come, and its room did not open in the time that it may wait.",
  }),
  cause: z.enum(["", ...ORDER_CAUSES]).openapi({
    description: "Why it ended; empty while it has not. Each of its jobs has a cause of its own.",
  }),
  keep_waiting: z
    .boolean()
    .openapi({ description: "It waits on when its callers have left and their room has closed." }),
  held: z.boolean().openapi({ description: "On hold: none of its jobs is offered to anybody." }),
  room: z.string(),
  room_sid: z
    .string()
    .openapi({ description: "The life of the room that it is bound to; empty while none is known." }),
  agent_name: z.string(),
  deployment: z.string(),
  priority: z.int(),
  deadline_ms: z
    .int()
    .nullable()
    .openapi({
      description:
        "How long each of its jobs may wait for a worker, and an order for participants for its room; null: as the settings " +
        "were.",
    }),
  restart_policy: z.enum(["on_failure", "never"]),
  max_attempts: z
    .int()
    .nullable()
    .openapi({ description: "Starts of a job that may fail before it does; null: as the settings were." }),
  target: Target,
  fallback: z.array(FallbackStep),
  preferences: z.union([PreferencesBody, z.null()]),
  created_at_ms: timeMs,
  ended_at_ms: timeMs,
  deleted_at_ms: timeMs,
};

const privateFields = { metadata: z.string(), attributes: z.record(z.string(), z.string()) };

export const Job = z.object(jobFields).openapi("Job");
export const JobDetail = z
  .object({
    ...jobFields,
    participant: z
      .object({ identity: z.string(), sid: z.string() })
      .nullable()
      .openapi({ description: "Whom it is for; null when it is for the room." }),
    position: z
      .int()
      .nullable()
      .openapi({
        description:
          "Of a waiting job: how many stand before it in the line of its agent, 0 = it is the next. null when it does not " +
          "wait, or is on hold.",
      }),
    estimated_wait_ms: z
      .int()
      .nullable()
      .openapi({
        description:
          "position + 1 times the mean time between the latest places that were given in that line; an estimate and no " +
          "promise. null when nothing is known of the last 10 minutes.",
      }),
    workers_ejected_until_ms: z
      .int()
      .nullable()
      .openapi({
        description:
          "Of a job that waits while no worker of its agent has room and at least one was ejected: when the first of " +
          "these is tried again. null otherwise.",
      }),
    ...privateFields,
  })
  .openapi("JobDetail");
const partFields = { ...orderFields, namespace: z.string() };
export const Order = z.object(partFields).openapi("Order");
const warningFields = {
  warnings: z.array(z.string()).openapi({
    description:
      "What may keep it from doing what was meant: no worker of the type that its target needs was ever seen; which types were. " +
      "Or livekit-server makes no room of so long a name. Empty: nothing.",
  }),
};
export const OrderJob = z.object({
  id: z.string(),
  namespace: z.string(),
  type: z.enum(JOB_TYPES),
  state: z.enum(JOB_STATES),
  outcome: z.enum(JOB_OUTCOMES).nullable(),
});
export const OrderDetail = z
  .object({
    ...partFields,
    ...privateFields,
    ...warningFields,
    jobs: z.array(OrderJob).openapi({
      description: "At most 100, the live ones first, then those that ended, the longest ended first.",
    }),
    more_jobs: z.boolean().openapi({ description: "It has more than these." }),
  })
  .openapi("OrderDetail");

export const WholeOrder = z
  .object({
    ...orderFields,
    ...privateFields,
    namespaces: z.array(z.string()).openapi({ description: "Where it has a part." }),
    jobs: z.array(OrderJob).openapi({
      description:
        "At most 1000 of each namespace, the live ones first, then those that ended, the longest ended first.",
    }),
  })
  .openapi("WholeOrder");
const mergedField = {
  merged: z.boolean().optional().openapi({
    description: "true: this is an earlier order of the agent in the room, and none was made. Else left out.",
  }),
};
export const MadeOrder = WholeOrder.extend({ ...warningFields, ...mergedField }).openapi("MadeOrder");

const nextCursor = z.string().nullable().openapi({ description: "null behind the last page." });
const total = z.int().openapi({ description: "In the whole list." });

export const WorkerPage = z
  .object({ workers: z.array(Worker), next_cursor: nextCursor, total })
  .openapi("WorkerPage");
export const JobPage = z.object({ jobs: z.array(Job), next_cursor: nextCursor, total }).openapi("JobPage");
export const OrderPage = z
  .object({ orders: z.array(Order), next_cursor: nextCursor, total })
  .openapi("OrderPage");

export const Terminated = z
  .object({
    id: z.string(),
    outcome: z.enum(JOB_OUTCOMES),
    already_ended: z.boolean().openapi({ description: "True when the job was over before this call." }),
  })
  .openapi("Terminated");
