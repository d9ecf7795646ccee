/**
 * Owns how a message from the inbox is read. Its sender is a process of ours, though maybe of another version: what does
 * not have the shape is refused as a value, so that one odd message never keeps the next from being read.
 */

import type { CloseMessage, GatewayMessage, OfferMessage, StopMessage } from "@muster/domain/node-message";
import { JOB_TYPES } from "@muster/domain/pool";

const OFFER_TEXTS = [
  "namespace",
  "session",
  "job",
  "wire",
  "order",
  "room",
  "roomSid",
  "roomInfo",
  "participantInfo",
  "metadata",
  "agentName",
  "deployment",
] as const satisfies (keyof OfferMessage)[];
const STOP_TEXTS = ["namespace", "session", "job", "wire"] as const satisfies (keyof StopMessage)[];

const CLOSE_TEXTS = ["namespace", "session"] as const satisfies (keyof CloseMessage)[];

type Fields = Readonly<Record<string, unknown>>;

/** undefined: not a message for a gateway. */
export function readGatewayMessage(value: unknown): GatewayMessage | undefined {
  if (!isObject(value)) return undefined;
  if (value.kind === "stop" && hasTexts(value, STOP_TEXTS)) return value as unknown as StopMessage;
  if (value.kind === "close" && hasTexts(value, CLOSE_TEXTS)) return value as unknown as CloseMessage;
  if (value.kind === "offer" && isOffer(value)) return value as unknown as OfferMessage;
  return undefined;
}

function isOffer(value: Fields): boolean {
  return (
    hasTexts(value, OFFER_TEXTS) &&
    JOB_TYPES.some((type) => type === value.type) &&
    Number.isSafeInteger(value.epoch) &&
    typeof value.resuming === "boolean" &&
    [value.offeredAtMs, value.priority, value.maxAttempts].every(Number.isSafeInteger) &&
    (value.restartPolicy === "on_failure" || value.restartPolicy === "never") &&
    isFirst(value.first) &&
    isObject(value.attributes) &&
    Object.values(value.attributes).every((text) => typeof text === "string")
  );
}

/** Absent, or whole: an older dispatcher does not say it. */
function isFirst(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    isObject(value) &&
    Number.isSafeInteger(value.createdAtMs) &&
    (value.path === "direct" || value.path === "waited")
  );
}

function hasTexts(value: Fields, names: readonly string[]): boolean {
  return names.every((name) => typeof value[name] === "string");
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
