/**
 * GET /v1/events: the live stream of a project's job events. GET /v1/events/dead and POST …/replay: webhooks that were
 * given up. The events are those of webhooks; what a stream missed it asks for by its last id.
 */

import { createHash } from "node:crypto";
import { createRoute, z } from "@hono/zod-openapi";
import { JOB_EVENT_NAMES, type JobEvent } from "@muster/domain/job-event";
import { MAX_ROOM_NAME_BYTES } from "@muster/domain/limits";
import { isNamespacePart, namespaceName } from "@muster/domain/namespace";
import { isStreamId } from "@muster/runtime/events/stream-id";
import { jobEventJson } from "@muster/wire/job-event-json";
import { requireChangeRoom, requireChangeSome, requireReadAll, requireReadRoom } from "../auth.js";
import type { EventDeadLetter } from "../events/dead-letters.js";
import type { Events } from "../events/start-events.js";
import { newRoutes } from "./context.js";
import { PageLimit } from "./page.js";
import { problems } from "./problem.js";
import { IdParams } from "./schemas.js";

export interface EventRouteDeps {
  events: Pick<Events, "live" | "deadLetters">;
}

const StreamQuery = z.object({
  namespace: z
    .string()
    .refine((text) => text === "" || isNamespacePart(text), "must be 1-64 of A-Z a-z 0-9 . _ -")
    .optional()
    .openapi({
      description:
        "Only this namespace, as its workers give it; empty for the default one. Absent: all of the project.",
    }),
  room: z
    .string()
    .refine((text) => text !== "" && Buffer.byteLength(text) <= MAX_ROOM_NAME_BYTES, {
      error: `must be 1-${MAX_ROOM_NAME_BYTES} bytes`,
    })
    .optional()
    .openapi({ description: "Only this room. A token for one room must ask for that room." }),
});

const StreamHeaders = z.object({
  "last-event-id": z
    .string()
    .refine(isStreamId, "must be the id of an event of this stream, as it was sent")
    .optional()
    .openapi({
      description: "The last id that was received: events after it follow, as far as they are kept.",
    }),
});

const nullable = () => z.string().nullable();

const JobEventBody = z
  .object({
    id: z.string().openapi({ description: "The same for every delivery of one event." }),
    event: z.enum(JOB_EVENT_NAMES),
    at_ms: z.number(),
    namespace: z.string(),
    job_id: z.string(),
    order_id: z.string(),
    type: z.string(),
    agent_name: z.string(),
    deployment: z.string(),
    room: z.string(),
    room_sid: z.string(),
    state: z.string(),
    outcome: nullable(),
    reason: nullable(),
    error: nullable(),
    worker_id: nullable(),
    previous_worker_id: nullable(),
    participant_identity: nullable(),
    worker_job_id: z.string(),
    epoch: z.int(),
    attempts: z.int(),
    previous_agent_name: z
      .string()
      .optional()
      .openapi({ description: "Of a fallback step: who was asked before." }),
    previous_deployment: z.string().optional(),
    position: z.int().nullable().optional().openapi({
      description: "Of a parked job: how many stand before it; null for one that is on hold.",
    }),
    estimated_wait_ms: z.int().nullable().optional().openapi({
      description: "Of a parked job, at the pace of late; null when nothing is known.",
    }),
    held: z.boolean().optional().openapi({ description: "Of a parked job: its order is on hold." }),
  })
  .openapi("JobEvent");

const DeadLetter = z
  .object({
    id: z.string(),
    url: z.string().openapi({ description: "Of the receiver, without its query." }),
    reason: z.string().openapi({ description: "Why the last try failed." }),
    tries: z.int(),
    died_at_ms: z.int(),
    event: JobEventBody,
  })
  .openapi("DeadLetter");

const DeadLetters = z.object({ dead_letters: z.array(DeadLetter) }).openapi("DeadLetters");
const Replayed = z.object({ replayed: z.int() }).openapi("Replayed");

const streamRoute = createRoute({
  method: "get",
  path: "/v1/events",
  operationId: "streamEvents",
  summary: "Job events as they happen, as server-sent events.",
  description:
    "Each event has its name, its id and a JobEvent as data. `gap`: some events after the given last-event-id are no " +
    "longer kept. `closed` is the last one; its data says why: too_slow, stopping, or displaced (its caller has opened more streams than its share; coming back would displace another). Lines that begin with a colon " +
    "only keep the connection open.",
  request: { query: StreamQuery, headers: StreamHeaders },
  responses: {
    200: {
      description: "Until one side closes it.",
      content: { "text/event-stream": { schema: z.string() } },
    },
    ...problems("invalid_argument"),
  },
});

const deadRoute = createRoute({
  method: "get",
  path: "/v1/events/dead",
  operationId: "listDeadEvents",
  summary: "Webhooks that no receiver took, newest first.",
  request: { query: z.object({ limit: PageLimit }) },
  responses: {
    200: { description: "The newest.", content: { "application/json": { schema: DeadLetters } } },
    ...problems("invalid_argument"),
  },
});

const replayRoute = createRoute({
  method: "post",
  path: "/v1/events/dead/{id}/replay",
  operationId: "replayDeadEvent",
  summary: "Has one of them delivered again, behind what its job still has to deliver.",
  request: { params: IdParams },
  responses: {
    200: { description: "It is delivered.", content: { "application/json": { schema: Replayed } } },
    ...problems("invalid_argument", "not_found"),
  },
});

const replayAllRoute = createRoute({
  method: "post",
  path: "/v1/events/dead/replay",
  operationId: "replayDeadEvents",
  summary: "Has all of them delivered again, oldest first.",
  responses: {
    200: { description: "How many.", content: { "application/json": { schema: Replayed } } },
    ...problems(),
  },
});

const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // nginx would keep events until its buffer is full.
  "x-accel-buffering": "no",
  // What is left of it when it ends is of no use, and would hold up the end of the process.
  connection: "close",
};

export function eventRoutes({ events: { live, deadLetters } }: EventRouteDeps) {
  return newRoutes()
    .openapi(streamRoute, async (c) => {
      const caller = c.get("caller");
      const { namespace: field, room } = c.req.valid("query");
      if (room === undefined) requireReadAll(caller);
      else requireReadRoom(caller, room);
      const namespace = field === undefined ? undefined : namespaceName(caller.project, field);
      const matches = (event: JobEvent): boolean =>
        (namespace === undefined || event.namespace === namespace) &&
        (room === undefined || event.room === room);
      const owner = { key: caller.claims.apiKey, token: digestOf(c.req.header("authorization") ?? "") };
      const stream = await live.open({ after: c.req.valid("header")["last-event-id"], matches, owner });
      return new Response(stream, { headers: STREAM_HEADERS });
    })
    .openapi(deadRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const letters = await deadLetters.list(caller.project, c.req.valid("query").limit);
      return c.json({ dead_letters: letters.map(deadLetterView) }, 200);
    })
    .openapi(replayAllRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeRoom(caller, ""); // rooms of all kinds: not for a token of one
      return c.json({ replayed: await deadLetters.replayAll(caller.project) }, 200);
    })
    .openapi(replayRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeSome(caller);
      const { id } = c.req.valid("param");
      requireChangeRoom(caller, (await deadLetters.find(caller.project, id)).event.room);
      await deadLetters.replay(caller.project, id);
      return c.json({ replayed: 1 }, 200);
    });
}

/** So that no token is kept. */
function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

function deadLetterView({ id, url, reason, tries, diedAtMs, event }: EventDeadLetter) {
  return {
    id,
    url,
    reason,
    tries,
    died_at_ms: diedAtMs,
    event: { ...jobEventJson(event), event: event.event },
  };
}
