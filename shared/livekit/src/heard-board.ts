/**
 * Owns when LiveKit was last heard by webhook, for those who have to know whether webhooks arrive: apis write it, dispatchers
 * read it. One key for the one LiveKit that Muster serves. Says nothing of what was heard; the room book has that.
 */

import type { Clock } from "@muster/runtime/clock";
import type { RedisClient } from "@muster/runtime/redis/connect";

const KEY = "muster:{livekit}:heard";
/** For so long a webhook shows that LiveKit has Muster among its webhook urls. */
const KEPT_MS = 24 * 3_600_000;
const WRITE_EVERY_MS = 10_000;
const READ_EVERY_MS = 15_000;

export interface HeardBoardDeps {
  redis: RedisClient;
  clock: Clock;
}

export class HeardBoard {
  readonly #redis: RedisClient;
  readonly #clock: Clock;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #known: { heardAtMs: Promise<number | undefined>; readAtMs: number } | undefined;

  constructor({ redis, clock }: HeardBoardDeps) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /** A webhook came and was kept. One command in ten seconds; never fails: the next webhook says it again. */
  note(): void {
    const nowMs = this.#clock.now();
    if (nowMs - this.#writtenAtMs < WRITE_EVERY_MS) return;
    this.#writtenAtMs = nowMs;
    this.#redis.set(KEY, String(nowMs), "PX", KEPT_MS).catch(() => {
      this.#writtenAtMs = Number.NEGATIVE_INFINITY;
    });
  }

  /** By the writer's clock, to ten seconds; undefined: not within a day. Rejects when Redis cannot be asked. */
  async lastHeardMs(): Promise<number | undefined> {
    const nowMs = this.#clock.now();
    if (this.#known === undefined || nowMs - this.#known.readAtMs >= READ_EVERY_MS) {
      const heardAtMs = this.#redis.get(KEY).then((text) => (text === null ? undefined : Number(text)));
      this.#known = { heardAtMs, readAtMs: nowMs };
      heardAtMs.catch(() => {
        this.#known = undefined;
      });
    }
    return await this.#known.heardAtMs;
  }
}
