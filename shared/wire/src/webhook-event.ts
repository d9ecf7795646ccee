/**
 * The body of a LiveKit webhook. Whether it may be believed is decided before, over the raw bytes (its token carries
 * their SHA-256); what it says is acted on elsewhere.
 */

import { MAX_BODY_BYTES } from "@muster/domain/limits";
import type { WebhookEvent } from "./generated/livekit.js";
import { WebhookEventSchema } from "./generated/livekit-schema.js";
import { fromJson } from "./json/from-json.js";
import { parseExactJson } from "./json/parse-exact.js";
import { AGENT_JSON, toJson } from "./json/to-json.js";
import { decodeUtf8, refuseTooLarge } from "./refuse.js";

/** @throws DispatchError `malformed` or `too_large` */
export function decodeWebhookEvent(body: Uint8Array): WebhookEvent {
  refuseTooLarge(body.byteLength, MAX_BODY_BYTES, "body");
  const json = parseExactJson(decodeUtf8(body, "body"), "body");
  return fromJson(WebhookEventSchema, json, { path: "", source: "livekit" });
}

/** As livekit-server posts it. */
export function encodeWebhookEvent(event: Partial<WebhookEvent>): string {
  return JSON.stringify(toJson(WebhookEventSchema, event, AGENT_JSON));
}
