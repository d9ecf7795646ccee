/**
 * Owns what is found in Redis of those who are not honest: keys whose name or content has their mark, and keys of a kind
 * that honest ones do not make. Reads all there is; for a Redis of some ten thousand keys.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { MARK } from "./attack.js";

const PAGE = 1_000;

/** Kinds that come without any caller, but only after a while: what jobs were learnt to cost, who looks after the rooms now. */
const LATE_KINDS = new Set(["muster:{default}:costs", "muster:rooms-round"]);

/** A key's name without ids, rooms and numbers: what kind of key it is. */
export function kindOf(key: string): string {
  return key
    .replace(/\b(?:AD|AJ|AW|NO|DR|RM|EV)_[\w.-]+/g, "<id>")
    .replace(/\bhonest-\d+/g, "<room>")
    .replace(/[0-9a-f]{16,}/g, "<digest>")
    .replace(/\d+/g, "#");
}

export async function keysIn(redis: RedisClient): Promise<string[]> {
  const found = new Set<string>();
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "COUNT", PAGE);
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== "0");
  return [...found];
}

/** The keys that are not honest ones', given the kinds of key that honest ones make. */
export async function tracesIn(redis: RedisClient, honestKinds: ReadonlySet<string>): Promise<string[]> {
  const traces: string[] = [];
  for (const key of await keysIn(redis)) {
    const kind = kindOf(key);
    const isKnown = honestKinds.has(kind) || LATE_KINDS.has(kind);
    if (!isKnown || key.includes(MARK) || (await contentOf(redis, key)).includes(MARK)) traces.push(key);
  }
  return traces;
}

async function contentOf(redis: RedisClient, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case "string":
      return (await redis.get(key)) ?? "";
    case "hash":
      return JSON.stringify(await redis.hgetall(key));
    case "set":
      return (await redis.smembers(key)).join(" ");
    case "zset":
      return (await redis.zrange(key, "0", "-1")).join(" ");
    case "list":
      return (await redis.lrange(key, "0", "-1")).join(" ");
    case "stream":
      return JSON.stringify(await redis.xrange(key, "-", "+"));
    default:
      return "";
  }
}
