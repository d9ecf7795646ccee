/**
 * Redis that is there and takes nothing more: `maxmemory` is reached, and its policy lets it throw nothing away, as Muster needs
 * it. Owns how that is recognised, asked for, and called.
 */

import type { RedisClient } from "./connect.js";

export const REDIS_FULL =
  "Redis is full (maxmemory); give it more memory, or let less be kept (MUSTER_RETENTION_MS)";

/** Of a command, or of a script, where older versions put their own words before it. */
const FULL = /(^|[\s:-])OOM command not allowed/;
/** Gone by itself. Behind a hash tag of its own, so on one node of a Cluster. */
const KEY = "muster:{room-left}:asked";
const KEY_MS = 1_000;

export function isRedisFull(error: unknown): boolean {
  return error instanceof Error && FULL.test(error.message);
}

/** For readiness: true, or why not. Whether Redis can be reached at all is not asked here. */
export async function hasRedisRoom(redis: RedisClient): Promise<true | string> {
  if (redis.status !== "ready") return true;
  try {
    await redis.set(KEY, "", "PX", KEY_MS);
    return true;
  } catch (error) {
    return isRedisFull(error) ? REDIS_FULL : true;
  }
}
