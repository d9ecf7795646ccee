/**
 * A job's event as a webhook of LiveKit's: its WebhookEvent in JSON, signed as livekit-server signs its own, so that the
 * receivers of LiveKit's SDKs take it. What LiveKit has no field for stands in one more member, `muster`, which they pass
 * over. Posting is elsewhere.
 */

import { createHash } from "node:crypto";
import { wireStatus } from "@muster/domain/job";
import { wireErrorOf } from "@muster/domain/job-end";
import type { JobEvent } from "@muster/domain/job-event";
import { fieldOf } from "@muster/domain/namespace";
import { signAccessToken } from "./access-token.js";
import { WebhookEvent } from "./generated/livekit.js";
import { WebhookEventSchema } from "./generated/livekit-schema.js";
import { jobEventJson } from "./job-event-json.js";
import { buildJob } from "./job-message.js";
import { AGENT_JSON, toJson } from "./json/to-json.js";

export const WEBHOOK_CONTENT_TYPE = "application/webhook+json";
/** As livekit-server's; a delivery that is tried again is signed again. */
const TOKEN_TTL_MS = 300_000;

/** What an event does not carry, for who knows it. */
export interface JobDetails {
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** LiveKit's messages Room and ParticipantInfo; absent when not known. */
  readonly room?: Uint8Array;
  readonly participant?: Uint8Array;
}

const NO_DETAILS: JobDetails = { metadata: "", attributes: {} };

/** @throws DispatchError `malformed` when room or participant are bytes of something else */
export function encodeJobWebhook(event: JobEvent, details: JobDetails = NO_DETAILS): string {
  const { room, participant, metadata, attributes } = details;
  const job = buildJob({
    id: event.job,
    dispatchId: event.order,
    type: event.type,
    room: room ?? { name: event.room, sid: event.roomSid },
    ...(participant !== undefined && { participant }),
    namespace: fieldOf(event.namespace),
    metadata,
    attributes,
    agentName: event.agentName,
    deployment: event.deployment,
    state: {
      status: wireStatus(event.state, event.outcome),
      error: wireErrorOf({ ...event, cause: event.reason }),
      startedAtNs: nanoseconds(event.startedAtMs),
      endedAtNs: nanoseconds(event.endedAtMs),
      updatedAtNs: nanoseconds(event.atMs),
      participantIdentity: event.agentIdentity,
      workerId: event.worker,
    },
  });
  const webhook = WebhookEvent.create({
    event: event.event,
    room: job.room,
    job,
    id: event.id,
    createdAt: BigInt(Math.trunc(event.atMs / 1_000)),
  });
  return JSON.stringify({ ...toJson(WebhookEventSchema, webhook, AGENT_JSON), muster: jobEventJson(event) });
}

/** The header `Authorization` for this very body: a bare token, without "Bearer". */
export function signWebhook(
  body: string,
  { apiKey, apiSecret, nowMs }: { apiKey: string; apiSecret: string; nowMs: number },
): string {
  const sha256 = createHash("sha256").update(body).digest("base64");
  return signAccessToken({ apiKey, apiSecret, nowMs, ttlMs: TOKEN_TTL_MS, sha256 });
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.trunc(ms)) * 1_000_000n;
}
