/**
 * Owns the list of rooms that are thought to be live, and whose turn it is to look after them: one api at a time, by a
 * short lease. Nothing depends on either being right: a room missing here is looked after by its own events alone, and
 * two that look at once do the same twice.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";

const ROOMS_KEY = "muster:rooms";
/** A room of which nothing was heard for so long is forgotten; one that is live is heard of at least that often. */
export const ROOM_KEEP_MS = 24 * 3_600_000;
const ROUND_KEY = "muster:rooms-round";
/** Rooms beyond this are not listed: a bound on a key, not on rooms. */
const MAX_ROOMS = 100_000;

export class LiveRooms {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  async note(room: string, isLive: boolean, nowMs: number): Promise<void> {
    if (!isLive) {
      await this.#redis.zrem(ROOMS_KEY, room);
      return;
    }
    await this.#redis.zadd(ROOMS_KEY, nowMs, room);
  }

  /** Those that were heard of lately; of the others nobody knows anything any more, not even the book. */
  async list(nowMs: number): Promise<string[]> {
    await this.#redis.zremrangebyscore(ROOMS_KEY, "-inf", nowMs - ROOM_KEEP_MS);
    return this.#redis.zrevrange(ROOMS_KEY, 0, MAX_ROOMS - 1);
  }

  /** True for one caller in `everyMs`, whoever asks first. */
  async takeRound(everyMs: number): Promise<boolean> {
    return (await this.#redis.set(ROUND_KEY, "1", "PX", everyMs, "NX")) === "OK";
  }
}
