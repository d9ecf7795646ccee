/**
 * Owns the memory that livekit-server has workers of its own: of which agent, and when a job of theirs was last seen. Facts
 * in Redis for one LiveKit, since the processes that see it come and go. Those that count tell how careful to be: forgetting one
 * costs a moment with two agents in a room. What was seen stays beside them for the hour, for who asks what happened.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";

const KEY = "muster:own-workers";
/** Those that were seen, whether they still count or not; nothing decides by it. */
const SEEN_KEY = "muster:own-workers-seen";
/** How long one that was seen counts. */
export const OWN_WORKERS_KEEP_MS = 3_600_000;
/** Agents remembered, the latest ones. */
const MAX_AGENTS = 1_000;

export interface SeenOwnWorker {
  agent: string;
  seenAtMs: number;
  /** False: a dispatch of this agent was not claimed since. */
  counts: boolean;
}

export class OwnWorkers {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** Jobs of these agents were seen that livekit-server gave to workers of its own. */
  async note(agents: readonly string[], nowMs: number): Promise<void> {
    if (agents.length === 0) return;
    // All or nothing: never without its bound and its end.
    for (const key of [KEY, SEEN_KEY]) {
      const replies = await this.#redis
        .multi()
        .zadd(key, ...agents.flatMap((agent) => [nowMs, agent]))
        .zremrangebyrank(key, 0, -1 - MAX_AGENTS)
        .pexpire(key, OWN_WORKERS_KEEP_MS)
        .exec();
      for (const [error] of replies ?? []) if (error) throw error;
    }
  }

  /** A dispatch of these agents was not claimed in all the time that such workers take. */
  async forget(agents: readonly string[]): Promise<void> {
    if (agents.length > 0) await this.#redis.zrem(KEY, ...agents);
  }

  /** Also those that do not count any more, the one that was seen last first. */
  async seen(nowMs: number): Promise<SeenOwnWorker[]> {
    const counting = new Set(await this.list(nowMs));
    const pairs = await this.#redis.zrevrangebyscore(
      ...([SEEN_KEY, "+inf", nowMs - OWN_WORKERS_KEEP_MS, "WITHSCORES"] as const),
    );
    const seen: SeenOwnWorker[] = [];
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const agent = pairs[index] ?? "";
      seen.push({ agent, seenAtMs: Number(pairs[index + 1]), counts: counting.has(agent) });
    }
    return seen;
  }

  /** The agents that count, the one that was seen last first. */
  list(nowMs: number): Promise<string[]> {
    return this.#redis.zrevrangebyscore(KEY, "+inf", nowMs - OWN_WORKERS_KEEP_MS);
  }
}
