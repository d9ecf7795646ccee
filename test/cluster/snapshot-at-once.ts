/**
 * Owns reading all that one namespace keeps in a single moment, while everybody writes: one script, so that nothing
 * that is found to disagree can be blamed on reading in between. Changes nothing.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import type { Snapshot } from "../../shared/ledger/test/snapshot.js";

export interface Moment extends Snapshot {
  /** Redis time, ms. */
  readonly atMs: number;
  /** Entries that the queue still wants to hand out, or has handed out and not seen completed. */
  readonly queued: number;
}

/** What BullMQ keeps waiting or under way; those that completed or failed for good are none of these. */
const QUEUE_LISTS = ["wait", "active", "paused", "prioritized", "delayed"];

const READ_ALL = `
local tag, found, queued = ARGV[1], {}, 0
for index = 2, #ARGV do
  local key = tag .. "queue:" .. ARGV[index]
  local kind = redis.call("TYPE", key).ok
  if kind == "list" then
    -- A marker, not an entry.
    for _, id in ipairs(redis.call("LRANGE", key, 0, -1)) do if string.sub(id, 1, 2) ~= "0:" then queued = queued + 1 end end
  elseif kind == "zset" then queued = queued + redis.call("ZCARD", key) end
end
for _, key in ipairs(redis.call("KEYS", tag .. "*")) do
  local name = string.sub(key, #tag + 1)
  if string.sub(name, 1, 5) ~= "queue" then
    local kind = redis.call("TYPE", key).ok
    local content = {}
    if kind == "hash" then content = redis.call("HGETALL", key)
    elseif kind == "zset" then content = redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
    elseif kind == "set" then content = redis.call("SMEMBERS", key)
    elseif kind == "list" then content = redis.call("LRANGE", key, 0, -1)
    elseif kind == "string" then content = { redis.call("GET", key) } end
    found[#found + 1] = { name, kind, redis.call("PTTL", key), content }
  end
end
local time = redis.call("TIME")
return { math.floor(time[1] * 1000 + time[2] / 1000), queued, found }
`;

type Found = [name: string, kind: string, ttlMs: number, content: string[]];

export async function readAtOnce(redis: RedisClient, namespace: string): Promise<Moment> {
  const tag = namespaceTag(namespace);
  const reply = (await redis.call("EVAL", READ_ALL, "1", `${tag}jobs`, tag, ...QUEUE_LISTS)) as unknown;
  const [atMs, queued, found] = reply as [number, number, Found[]];
  const moment: Omit<Snapshot, "volatile"> = {
    ...{ hashes: new Map(), zsets: new Map(), sets: new Map() },
    ...{ lists: new Map(), texts: new Map() },
  };
  const volatile: string[] = [];
  for (const [name, kind, ttlMs, content] of found) {
    if (ttlMs !== -1) volatile.push(name);
    if (kind === "hash") moment.hashes.set(name, Object.fromEntries(pairs(content)));
    if (kind === "list") moment.lists.set(name, content);
    if (kind === "string") moment.texts.set(name, content[0] ?? "");
    if (kind === "set") moment.sets.set(name, new Set(content));
    if (kind === "zset") {
      const scores = pairs(content).map(([member, score]) => [member, scoreOf(score)] as const);
      moment.zsets.set(name, new Map(scores));
    }
  }
  return { ...moment, volatile, atMs, queued };
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) =>
    index % 2 === 0 ? [[name, flat[index + 1] ?? ""] as [string, string]] : [],
  );
}

function scoreOf(text: string): number {
  return Number(text.replace(/^inf$/, "Infinity"));
}
