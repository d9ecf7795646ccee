/**
 * What POST /v1/orders takes: the schema of the body and of the headers by which a repeated call is known, and the way
 * to an order. The same without a room is a template, of which rules and room configurations make orders. Bounds in
 * bytes are order-request's and the target's own.
 */

import { z } from "@hono/zod-openapi";
import { MAX_FALLBACK_STEPS } from "@muster/domain/fallback";
import { MAX_AGENT_NAME_BYTES, MAX_ATTRIBUTES_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import type { Caller } from "../auth.js";
import type { NewOrder, OrderTerms } from "../order-request.js";
import { checkContent, DEFAULT_PRIORITY, MAX_PRIORITY } from "../order-request.js";
import { FallbackStep, fallbackOf } from "./fallback.js";
import { PreferencesBody, preferencesOf } from "./preferences.js";
import { namespaceText } from "./schemas.js";
import { Target, targetOf } from "./target.js";
import { textMap } from "./text-map.js";

/** 512 KiB of metadata and all else, were each of its bytes written in six, as JSON may. */
export const MAX_ORDER_BODY_BYTES = 4 * 1024 * 1024;

const MIN_DEADLINE_MS = 1_000;
const MAX_DEADLINE_MS = 30 * 24 * 3_600_000;
const MAX_ATTEMPTS = 100;
const MAX_KEY_CHARACTERS = 255;

export const NewOrderBody = z
  .strictObject({
    room: z.string().openapi({ description: "Its name. It need not be there yet." }),
    agent_name: z.string().openapi({
      description: `As its workers register it; empty for those without a name. At most ${MAX_AGENT_NAME_BYTES} bytes.`,
    }),
    namespace: namespaceText.optional().openapi({
      description:
        "Exactly there, empty for the project's default one. Left out: one part in each namespace that knows the agent.",
    }),
    deployment: z.string().default("").openapi({ description: "As its workers register it." }),
    metadata: z
      .string()
      .default("")
      .openapi({ description: `For the agent. At most ${MAX_METADATA_BYTES} bytes.` }),
    attributes: textMap.default({}).openapi({
      description: `For the agent. At most ${MAX_ATTRIBUTES_BYTES} bytes of keys and values.`,
    }),
    priority: z
      .int()
      .min(0)
      .max(MAX_PRIORITY)
      .default(DEFAULT_PRIORITY)
      .openapi({ description: "Higher first, among the jobs that a worker may take." }),
    deadline_ms: z
      .int()
      .min(MIN_DEADLINE_MS)
      .max(MAX_DEADLINE_MS)
      .optional()
      .openapi({
        description:
          "How long each of its jobs may wait for a worker before it expires, and an order for participants for its room. " +
          "Default: a setting, 1 h.",
      }),
    restart_policy: z.enum(["on_failure", "never"]).default("on_failure"),
    max_attempts: z
      .int()
      .min(1)
      .max(MAX_ATTEMPTS)
      .optional()
      .openapi({ description: "Starts of a job that may fail before it does. Default: a setting, 3." }),
    target: Target.default({ for: "room" }),
    hold: z.boolean().default(false).openapi({
      description: "Its jobs are made and offered to nobody, until it is released.",
    }),
    one_per_room: z
      .boolean()
      .optional()
      .openapi({
        description:
          "Where the agent has a live order for this room already, that is answered, with `merged`, and nothing is made. Only " +
          "with the room as target. Left out: as the agent's placement policy says.",
      }),
    keep_waiting: z
      .boolean()
      .default(false)
      .openapi({
        description:
          "It waits on when its callers have left, and for the room's next life when their room has closed. Else what still " +
          "waits ends then as canceled (caller_left, room_closed); callers are all but agents and recorders.",
      }),
    fallback: z
      .array(FallbackStep)
      .default([])
      .openapi({
        description: `Who is asked, step after step, when nobody takes its jobs: at most ${MAX_FALLBACK_STEPS}, by growing after_ms.`,
      }),
    preferences: PreferencesBody.optional(),
  })
  .openapi("NewOrder");

/** The very fields of an order. */
export const OrderTemplate = NewOrderBody.omit({ room: true }).openapi("OrderTemplate");
export type OrderTemplateBody = z.infer<typeof OrderTemplate>;

const key = z
  .string()
  .regex(
    new RegExp(`^[\\x21-\\x7e]{1,${MAX_KEY_CHARACTERS}}$`),
    `must be 1-${MAX_KEY_CHARACTERS} visible ASCII characters`,
  )
  .optional();

export const RepeatHeaders = z.object({
  "idempotency-key": key.openapi({
    description:
      "The same key with the same body is the same order, answered with 200 instead of 201, for as long as the order is " +
      "kept, live or not; that of a merged call, for MUSTER_RETENTION_MS after it. With another body it is refused. With a token " +
      "of another API key it is another order: who exchanges API keys lets repeats end first.",
  }),
  "x-livekit-request-id": key.openapi({
    description: "Taken as the key when there is no Idempotency-Key.",
  }),
});

/** @throws DispatchError `invalid_argument`, with the field */
export function newOrderOf(
  { project, claims: { apiKey } }: Caller,
  body: z.infer<typeof NewOrderBody>,
  headers: z.infer<typeof RepeatHeaders>,
): NewOrder {
  const value = headers["idempotency-key"] ?? headers["x-livekit-request-id"];
  const order: NewOrder = {
    ...{ project, room: body.room, ...termsOf(body) },
    repeat: value === undefined ? undefined : { by: "idempotency_key", value, apiKey },
  };
  checkContent(order);
  return order;
}

/** Bounds in bytes are not checked. */
export function termsOf(body: OrderTemplateBody): OrderTerms {
  return {
    agent: body.agent_name,
    deployment: body.deployment,
    metadata: body.metadata,
    attributes: body.attributes,
    restartPolicy: body.restart_policy,
    priority: body.priority,
    target: targetOf(body.target),
    namespace: body.namespace,
    waitMs: body.deadline_ms,
    maxAttempts: body.max_attempts,
    fallback: fallbackOf(body),
    hold: body.hold,
    ...(body.one_per_room !== undefined && { onePerRoom: body.one_per_room }),
    keepWaiting: body.keep_waiting,
    ...(body.preferences !== undefined && { preferences: preferencesOf(body.preferences) }),
  };
}
