/**
 * Owns the memory that livekit-server has workers of its own: of which agent, and when a job of theirs was last seen. One
 * fact in Redis for one LiveKit, since the processes that see it come and go. It only tells how careful to be: forgetting it
 * costs a moment with two agents in a room.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";

const KEY = "muster:own-workers";
/** How long one that was seen counts. */
export const OWN_WORKERS_KEEP_MS = 3_600_000;
/** Agents remembered, the latest ones. */
const MAX_AGENTS = 1_000;

export class OwnWorkers {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** Jobs of these agents were seen that livekit-server gave to workers of its own. */
  async note(agents: readonly string[], nowMs: number): Promise<void> {
    if (agents.length === 0) return;
    // All or nothing: never without its bound and its end.
    const replies = await this.#redis
      .multi()
      .zadd(KEY, ...agents.flatMap((agent) => [nowMs, agent]))
      .zremrangebyrank(KEY, 0, -1 - MAX_AGENTS)
      .pexpire(KEY, OWN_WORKERS_KEEP_MS)
      .exec();
    for (const [error] of replies ?? []) if (error) throw error;
  }

  /** A dispatch of these agents was not claimed in all the time that such workers take. */
  async forget(agents: readonly string[]): Promise<void> {
    if (agents.length > 0) await this.#redis.zrem(KEY, ...agents);
  }

  /** The agents, the one that was seen last first. */
  list(nowMs: number): Promise<string[]> {
    return this.#redis.zrevrangebyscore(KEY, "+inf", nowMs - OWN_WORKERS_KEEP_MS);
  }
}
