/**
 * The Redis commands that Muster runs, with BullMQ's, each in a form that does no harm on keys of the caller's own. A test
 * holds this list against what a whole house was seen to run. Inside scripts, Redis asks for the same rights.
 */

/** In place of a key of that name; all of them share a hash tag. */
export const KEY = (name: string): string => `{key}${name}`;

const hash = KEY("hash");
const set = KEY("set");
const sorted = KEY("sorted");
const list = KEY("list");
const text = KEY("text");
const stream = KEY("stream");

/** Behind all others: it takes their keys away again. */
export const KEYS_MADE: readonly string[] = [
  hash,
  set,
  sorted,
  list,
  text,
  stream,
  KEY("other"),
  KEY("renamed"),
];

const LUA = "return redis.call('PING')";
/** Of no script. */
const SHA = "0".repeat(40);

/** Of connections, before any key. */
export const WITHOUT_KEYS: readonly string[][] = [
  ...[["ping"], ["info", "server"], ["time"], ["select", "0"], ["client", "setname", "muster-doctor"]],
];

/** On a Cluster a client asks where keys are. */
export const ON_CLUSTER: readonly string[][] = [
  ["cluster", "slots"],
  ["cluster", "info"],
];

export const WITH_KEYS: readonly string[][] = [
  ...[
    ["eval", LUA, "1", text],
    ["evalsha", SHA, "1", text],
  ],
  // Texts.
  ...[
    ["set", text, "1", "PX", "60000"],
    ["get", text],
    ["incr", text],
    ["incrby", text, "1"],
    ["del", KEY("other")],
  ],
  ...[
    ["exists", text],
    ["pexpire", text, "60000"],
    ["pexpireat", text, "1"],
    ["pttl", text],
    ["persist", text],
  ],
  ...[
    ["type", text],
    ["unlink", KEY("other")],
    ["set", KEY("other"), "1", "PX", "60000"],
  ],
  ...[["rename", KEY("other"), KEY("renamed")]],
  // Hashes.
  ...[
    ["hset", hash, "a", "1"],
    ["hmset", hash, "a", "1"],
    ["hsetnx", hash, "a", "1"],
    ["hget", hash, "a"],
  ],
  ...[
    ["hmget", hash, "a"],
    ["hgetall", hash],
    ["hvals", hash],
    ["hexists", hash, "a"],
    ["hlen", hash],
  ],
  ...[
    ["hstrlen", hash, "a"],
    ["hincrby", hash, "a", "1"],
    ["hscan", hash, "0"],
    ["hdel", hash, "none"],
  ],
  // Sets.
  ...[
    ["sadd", set, "a"],
    ["scard", set],
    ["sismember", set, "a"],
    ["smembers", set],
    ["srandmember", set],
  ],
  ...[
    ["sunion", set],
    ["srem", set, "none"],
  ],
  // Sorted sets.
  ...[
    ["zadd", sorted, "1", "a"],
    ["zcard", sorted],
    ["zcount", sorted, "0", "1"],
    ["zrange", sorted, "0", "0"],
  ],
  ...[
    ["zrangebyscore", sorted, "0", "1"],
    ["zrevrange", sorted, "0", "0"],
    ["zrank", sorted, "a"],
  ],
  ...[
    ["zrevrangebyscore", sorted, "1", "0"],
    ["zrangebylex", sorted, "-", "+"],
    ["zlexcount", sorted, "-", "+"],
  ],
  ...[
    ["zscore", sorted, "a"],
    ["zmscore", sorted, "a"],
    ["zscan", sorted, "0"],
    ["zrandmember", sorted],
  ],
  ...[
    ["zrem", sorted, "none"],
    ["zremrangebyscore", sorted, "8", "9"],
    ["zremrangebyrank", sorted, "8", "9"],
  ],
  ...[["zpopmin", sorted]],
  // Lists.
  ...[
    ["rpush", list, "a"],
    ["lpush", list, "a"],
    ["llen", list],
    ["lrange", list, "0", "0"],
    ["lindex", list, "0"],
  ],
  ...[
    ["lpos", list, "a"],
    ["lset", list, "0", "a"],
    ["lrem", list, "1", "none"],
    ["ltrim", list, "0", "9"],
  ],
  ...[
    ["lpop", list],
    ["rpop", list],
    ["rpoplpush", list, list],
  ],
  // Streams: inboxes, events.
  ...[
    ["xadd", stream, "*", "a", "1"],
    ["xlen", stream],
    ["xrange", stream, "-", "+"],
    ["xrevrange", stream, "+", "-"],
  ],
  ...[
    ["xread", "COUNT", "1", "STREAMS", stream, "0"],
    ["xtrim", stream, "MAXLEN", "9"],
    ["xdel", stream, "1-1"],
  ],
  ...[["xinfo", "stream", stream]],
];
