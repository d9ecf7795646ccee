/**
 * Owns reading all that one namespace keeps, key by key, for tests that look at it as a whole. Changes nothing.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { namespaceTag } from "../src/keys.js";

export type Hash = Record<string, string>;

/** By the name behind the tag: `job:AJ_x`, `jobs`. */
export interface Snapshot {
  hashes: Map<string, Hash>;
  zsets: Map<string, Map<string, number>>;
  sets: Map<string, Set<string>>;
  lists: Map<string, string[]>;
  texts: Map<string, string>;
  /** Keys that would vanish by themselves, which no key of a namespace may. */
  volatile: string[];
}

async function keysOf(redis: RedisClient, pattern: string): Promise<string[]> {
  const nodes = "nodes" in redis ? redis.nodes("master") : [redis];
  return (await Promise.all(nodes.map((node) => node.keys(pattern)))).flat();
}

async function each<T>(redis: RedisClient, keys: string[], command: string, ...rest: string[]): Promise<T[]> {
  if (keys.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const key of keys) pipeline.call(command, key, ...rest);
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([error, value]) => {
    if (error) throw error;
    return value as T;
  });
}

/** Generic calls answer sorted sets as a list of pairs under RESP3, hashes flat. */
function pairs(reply: unknown[]): [string, string][] {
  const flat = reply.flat().map(String);
  return flat.flatMap((name, index) =>
    index % 2 === 0 ? [[name, flat[index + 1] ?? ""] as [string, string]] : [],
  );
}

export async function readNamespace(redis: RedisClient, namespace: string): Promise<Snapshot> {
  const tag = namespaceTag(namespace);
  // BullMQ keeps its own below the same tag.
  const keys = (await keysOf(redis, `${tag}*`)).filter((key) => !key.startsWith(`${tag}queue`));
  const types = await each<string>(redis, keys, "TYPE");
  const ttls = await each<number>(redis, keys, "PTTL");
  const ofType = (type: string) => keys.filter((_, index) => types[index] === type);
  const name = (key: string | undefined) => (key ?? "").slice(tag.length);
  const [hashKeys, zsetKeys, setKeys] = [ofType("hash"), ofType("zset"), ofType("set")];
  const [listKeys, textKeys] = [ofType("list"), ofType("string")];
  const hashes = await each<unknown[]>(redis, hashKeys, "HGETALL");
  const zsets = await each<unknown[]>(redis, zsetKeys, "ZRANGE", "0", "-1", "WITHSCORES");
  const sets = await each<string[]>(redis, setKeys, "SMEMBERS");
  const lists = await each<string[]>(redis, listKeys, "LRANGE", "0", "-1");
  const texts = await each<string>(redis, textKeys, "GET");
  return {
    hashes: new Map(hashes.map((flat, index) => [name(hashKeys[index]), Object.fromEntries(pairs(flat))])),
    zsets: new Map(
      zsets.map((flat, index) => [
        name(zsetKeys[index]),
        new Map(pairs(flat).map(([member, score]) => [member, Number(score.replace(/^inf$/, "Infinity"))])),
      ]),
    ),
    sets: new Map(sets.map((members, index) => [name(setKeys[index]), new Set(members)])),
    lists: new Map(lists.map((entries, index) => [name(listKeys[index]), entries.map(String)])),
    texts: new Map(texts.map((text, index) => [name(textKeys[index]), text])),
    volatile: keys.filter((_, index) => ttls[index] !== -1).map(name),
  };
}

export async function forgetNamespace(redis: RedisClient, namespace: string): Promise<void> {
  const keys = await keysOf(redis, `${namespaceTag(namespace)}*`);
  if (keys.length > 0) await redis.del(...keys);
}
