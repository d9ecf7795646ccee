/**
 * POST /webhook: where LiveKit tells what happens in its rooms. Owns who is believed, how much is taken at a time, and
 * that 200 is answered only for what has been kept: what it gets a 503 for LiveKit sends again, for 30 s. Must never act
 * on an event: that a replayed one changes nothing is because facts only merge.
 */

import { DispatchError, type DispatchErrorCode } from "@muster/domain/errors";
import { MAX_BODY_BYTES } from "@muster/domain/limits";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { decodeWebhookEvent } from "@muster/wire/webhook-event";
import { requireDigestOf, verifyWebhookToken } from "@muster/wire/webhook-token";
import type { ApiKeys, CallerName } from "../auth.js";
import type { Bodies } from "../bodies.js";
import { asDispatchError } from "../failure.js";
import type { ApiMetrics } from "../metrics.js";
import { problemAnswer } from "../rest/problem.js";
import type { RoomIntake } from "../rooms/book/room-intake.js";
import { roomFactsOfEvent } from "./room-facts.js";

export interface WebhookDoorDeps extends Pick<RoomIntake, "take"> {
  /** Of the LiveKit cluster; they say nothing of a project. */
  keys: ApiKeys;
  bodies: Pick<Bodies, "during">;
  clock: Clock;
  log: Log;
  metrics: Pick<ApiMetrics, "webhookReceived" | "webhookRefused">;
}

export type WebhookDoor = (request: Request) => Promise<Response>;

/** Each holds a body and waits for Redis; a LiveKit node sends those of a room one after the other. */
const MAX_AT_ONCE = 256;
const TOLD_AGAIN_MS = 60_000;
/** Its bodies are nobody else's share, whichever key signs them. */
const LIVEKIT: CallerName = { name: "livekit", kind: "key" };

export function createWebhookDoor({ keys, bodies, clock, log, metrics, take }: WebhookDoorDeps): WebhookDoor {
  let atOnce = 0;
  const toldAtMs = new Map<DispatchErrorCode, number>();

  return async (request) => {
    if (request.method !== "POST") {
      const text = "LiveKit's webhooks are taken here, by POST";
      return new Response(text, { status: 405, headers: { allow: "POST" } });
    }
    try {
      await receive(request);
      return new Response(null, { status: 200 });
    } catch (error) {
      const refusal = asDispatchError(error, log);
      metrics.webhookRefused(refusal.code);
      tell(refusal);
      return problemAnswer(refusal);
    }
  };

  async function receive(request: Request): Promise<void> {
    const digest = verifyWebhookToken(request.headers.get("authorization") ?? "", keys, clock.now());
    if (atOnce >= MAX_AT_ONCE) {
      throw new DispatchError("unavailable", `${MAX_AT_ONCE} webhooks are being taken; send it again`);
    }
    atOnce++;
    try {
      await bodies.during(request, { caller: LIVEKIT, maxBytes: MAX_BODY_BYTES }, async (body) => {
        requireDigestOf(body, digest);
        await keep(body);
      });
    } finally {
      atOnce--;
    }
  }

  async function keep(body: Uint8Array): Promise<void> {
    const event = decodeWebhookEvent(body);
    const facts = roomFactsOfEvent(event);
    try {
      if (facts !== undefined) await take(facts);
    } catch (error) {
      asDispatchError(error, log); // for its line in the log; LiveKit can only send the event again
      throw new DispatchError("unavailable", "the event could not be kept; send it again");
    }
    metrics.webhookReceived(event.event);
  }

  /**
   * A wrong key is the usual mistake of a new set-up, and LiveKit's log does not show it: it counts any answer below 500
   * as delivered. But anybody can knock, so each code has a line a minute and no more.
   */
  function tell({ code, message, field }: DispatchError): void {
    const nowMs = clock.now();
    if (nowMs - (toldAtMs.get(code) ?? Number.NEGATIVE_INFINITY) < TOLD_AGAIN_MS) return;
    toldAtMs.set(code, nowMs);
    // Below these two names a path can hold what participants say of themselves.
    const where = field?.split(".", 2).join(".");
    log.warn({ code, field: where, ...(isOurs(code) && { reason: message }) }, "a webhook was refused");
  }
}

/** Their messages quote nothing of what came in. */
function isOurs(code: DispatchErrorCode): boolean {
  return code === "unauthenticated" || code === "unavailable" || code === "resource_exhausted";
}
