/**
 * Owns how a message from the inbox is read. Its sender is a process of ours, though maybe of another version: what does
 * not have the shape is refused as a value, so that one odd message never keeps the next from being read. What a newer
 * sender says beside the fields that are known here is passed over.
 *
 * A field that is new in a message has a default here (`.default(…)`) for as long as builds are lived with that do not
 * send it, and means then what it meant before there was one: see CONTRIBUTING.md, "change what is kept".
 */

import type {
  CloseMessage,
  FirstDispatch,
  GatewayMessage,
  OfferMessage,
  StopMessage,
} from "@muster/domain/node-message";
import { JOB_TYPES } from "@muster/domain/pool";
import { z } from "zod";

const text = z.string();
const whole = z.int();

const first: z.ZodType<FirstDispatch> = z.object({ createdAtMs: whole, path: z.enum(["direct", "waited"]) });

const offer: z.ZodType<OfferMessage> = z.object({
  kind: z.literal("offer"),
  namespace: text,
  session: text,
  job: text,
  wire: text,
  epoch: whole,
  order: text,
  type: z.enum(JOB_TYPES),
  room: text,
  roomSid: text,
  roomInfo: text,
  participantInfo: text,
  metadata: text,
  attributes: z.record(text, text),
  agentName: text,
  deployment: text,
  priority: whole,
  maxAttempts: whole,
  restartPolicy: z.enum(["on_failure", "never"]),
  resuming: z.boolean(),
  offeredAtMs: whole,
  // Absent where a worker had the job before, and in offers of schema 1.
  first: first.exactOptional(),
});

const stop: z.ZodType<StopMessage> = z.object({
  kind: z.literal("stop"),
  namespace: text,
  session: text,
  job: text,
  wire: text,
});

const close: z.ZodType<CloseMessage> = z.object({ kind: z.literal("close"), namespace: text, session: text });

const READERS: Readonly<Record<string, z.ZodType<GatewayMessage>>> = { offer, stop, close };

/** undefined: not a message for a gateway, or one of a kind that this version does not know. */
export function readGatewayMessage(value: unknown): GatewayMessage | undefined {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  if (typeof kind !== "string" || !Object.hasOwn(READERS, kind)) return undefined;
  return READERS[kind]?.safeParse(value).data;
}
