/**
 * Owns the list of rooms that an order waits for and nobody has made yet, each with the time until which it is wanted.
 * Never says that a room is missing: only LiveKit knows. A room listed for nothing costs one question.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";

const WANTED_KEY = "muster:rooms-wanted";

export interface WantedRoom {
  room: string;
  /** From then on no order waits for it. */
  untilMs: number;
}

export class WantedRooms {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** Wanted by several, it stays listed for whoever waits longest. */
  async add({ room, untilMs }: WantedRoom): Promise<void> {
    await this.#redis.zadd(WANTED_KEY, "GT", untilMs, room);
  }

  async remove(room: string): Promise<void> {
    await this.#redis.zrem(WANTED_KEY, room);
  }

  /** At most `limit`; first whoever waits for the shortest time yet. */
  async list(nowMs: number, limit: number): Promise<WantedRoom[]> {
    await this.#redis.zremrangebyscore(WANTED_KEY, "-inf", nowMs);
    const rooms = await this.#redis.zrange(WANTED_KEY, "0", String(limit - 1));
    if (rooms.length === 0) return [];
    const scores = await this.#redis.zmscore(WANTED_KEY, ...rooms);
    return rooms.flatMap((room, at) => {
      const score = scores[at];
      return score === null || score === undefined ? [] : [{ room, untilMs: Number(score) }];
    });
  }
}
