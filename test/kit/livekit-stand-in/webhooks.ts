/**
 * Owns how the stand-in's webhooks travel: signed over their bytes as livekit-server signs them, one after the other for
 * each room, again after a failure, dropped when they are too old.
 */
import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { signAccessToken } from "@muster/wire/access-token";
import type { WebhookEvent } from "@muster/wire/generated/livekit";
import { encodeWebhookEvent } from "@muster/wire/webhook-event";

/** LiveKit's. */
const TOKEN_TTL_MS = 300_000;
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 1_000;

export interface WebhookKey {
  apiKey: string;
  apiSecret: string;
}

export interface SignedWebhook {
  body: string;
  headers: Record<string, string>;
}

export function signWebhook(event: WebhookEvent, key: WebhookKey, nowMs: number): SignedWebhook {
  const body = encodeWebhookEvent(event);
  const sha256 = createHash("sha256").update(body).digest("base64");
  const authorization = signAccessToken({ ...key, nowMs, ttlMs: TOKEN_TTL_MS, sha256 });
  return { body, headers: { "content-type": "application/webhook+json", authorization } };
}

export interface WebhookSenderDeps {
  key: WebhookKey;
  nowMs: () => number;
  /** From when on an event that did not get through is dropped; livekit-server's 30 s. */
  maxAgeMs: number;
}

export class WebhookSender {
  /** In the order in which they were given up. */
  readonly dropped: WebhookEvent[] = [];
  readonly #deps: WebhookSenderDeps;
  readonly #queues = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(deps: WebhookSenderDeps) {
    this.#deps = deps;
    // As many as there are webhooks under way.
    setMaxListeners(0, this.#stopped.signal);
  }

  /** After those of its room that were given before. */
  queue(url: string, event: WebhookEvent): void {
    const queue = `${url} ${event.room?.name ?? ""}`;
    const before = this.#queues.get(queue) ?? Promise.resolve();
    this.#queues.set(
      queue,
      before.then(() => this.#sendUntilTaken(url, event)),
    );
  }

  /** One try. The status of the answer; 0 when there was none. */
  async send(url: string, event: WebhookEvent): Promise<number> {
    const { body, headers } = signWebhook(event, this.#deps.key, this.#deps.nowMs());
    try {
      const answer = await fetch(url, { method: "POST", body, headers, signal: this.#stopped.signal });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  }

  /** Until all that were queued are delivered or dropped. */
  async settled(): Promise<void> {
    const queues = [...this.#queues.values()];
    await Promise.all(queues);
    if ([...this.#queues.values()].some((queue) => !queues.includes(queue))) await this.settled();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.settled();
  }

  async #sendUntilTaken(url: string, event: WebhookEvent): Promise<void> {
    const startedAt = performance.now();
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
      const status = await this.send(url, event);
      // Others are not repeated: what is refused once is refused again.
      const isWorthAgain = status === 0 || status === 429 || status >= 500;
      if (status >= 200 && status < 300) return;
      const isTooOld = performance.now() - startedAt + waitMs > this.#deps.maxAgeMs;
      if (!isWorthAgain || isTooOld || this.#stopped.signal.aborted) {
        this.dropped.push(event);
        return;
      }
      await delay(waitMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }
}
