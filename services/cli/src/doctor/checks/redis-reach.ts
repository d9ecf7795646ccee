/** Whether Redis answers as the services would ask it, is new enough for our scripts, and takes writes. */

import type { RedisTarget } from "@muster/runtime/redis/url";
import { describeRedisUrl } from "@muster/runtime/redis/url";
import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import type { Master } from "../redis-access.js";
import { type Info, infoOf } from "../redis-info.js";
import { redisOf } from "../surroundings.js";

/** ZADD GT, XTRIM MINID and XADD NOMKSTREAM, which scripts use; HELLO, which connections begin with, is of 6.0. */
const OLDEST = [6, 2] as const;
/** With a password missing, or a wrong one. */
export const REFUSED_PASSWORD = /WRONGPASS|NOAUTH|invalid.*password/i;
/** Theirs is not that of the Redis behind them. */
export const SENTINEL_PASSWORD =
  "give the sentinels' own password, percent-encoded: MUSTER_REDIS_URL=redis+sentinel://…/<master>?sentinelPassword=…";
/** What the tests run on. */
const TESTED = [7, 0] as const;

export const redisReach: Check = {
  name: "redis-reach",
  looksAt: "Redis answers, is 6.2 or newer, is a master, and takes writes.",
  async run(surroundings) {
    const redis = redisOf(surroundings);
    const where = describeRedisUrl(surroundings.settings.redisUrl ?? "");
    const reached = await redis.reach();
    if ("problem" in reached) {
      return [
        fail(
          `${where} cannot be used: ${reached.problem}`,
          remedyFor(reached.problem, where, redis.target.kind),
        ),
      ];
    }
    const findings: Finding[] = [];
    for (const master of await redis.masters()) {
      const server = await infoOf(master.redis, "server");
      const replication = await infoOf(master.redis, "replication");
      findings.push(...versionOf(master, server), ...roleOf(master, replication));
    }
    const refusal = await writeRefusal(reached.client, `muster:{doctor/${surroundings.mark}}:write`);
    if (refusal !== undefined)
      findings.push(fail(`it takes no writes: ${refusal}`, remedyForWrites(refusal)));
    return findings;
  },
};

function versionOf({ name }: Master, server: Info): Finding[] {
  const version = server.get("redis_version");
  if (version === undefined)
    return [warn(`${name} does not say its version`, "allow INFO: ACL SETUSER <user> +info")];
  const product = server.get("server_name") === "valkey" ? `Valkey ${server.get("valkey_version")}` : version;
  if (isOlder(version, OLDEST)) {
    return [fail(`${name} is ${product}; scripts of Muster need 6.2`, "upgrade to Redis 7 or Valkey 8")];
  }
  if (isOlder(version, TESTED)) {
    return [
      warn(`${name} is ${product}; Muster is tested on 7.0 and newer`, "upgrade to Redis 7 or Valkey 8"),
    ];
  }
  return [ok(`${name} is ${product}, and answers`)];
}

function roleOf({ name }: Master, replication: Info): Finding[] {
  if (replication.get("role") !== "slave") return [];
  const master = `${replication.get("master_host")}:${replication.get("master_port")}`;
  return [
    fail(
      `${name} is a replica of ${master}: it refuses writes`,
      `MUSTER_REDIS_URL=redis://${master}, or redis+sentinel://… so that the master is found by itself`,
    ),
  ];
}

/** undefined: taken. */
async function writeRefusal(
  redis: {
    set(key: string, value: string, px: "PX", ms: number): Promise<unknown>;
    del(key: string): Promise<unknown>;
  },
  key: string,
): Promise<string | undefined> {
  try {
    await redis.set(key, "1", "PX", 10_000);
    await redis.del(key);
    return undefined;
  } catch (error) {
    // What may not be done is redis-rights' business.
    const { message } = error as Error;
    return message.startsWith("NOPERM") ? undefined : message;
  }
}

export function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [own = 0, ownMinor = 0] = version.split(".").map(Number);
  return own < major || (own === major && ownMinor < minor);
}

function remedyFor(problem: string, where: string, kind: RedisTarget["kind"]): string {
  if (REFUSED_PASSWORD.test(problem)) {
    // Their words come in ours: "All sentinels are unreachable … Last error: …".
    if (kind === "sentinel" && /sentinel/i.test(problem)) return SENTINEL_PASSWORD;
    return "give user and password, percent-encoded: MUSTER_REDIS_URL=redis://user:password@host:6379";
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(problem))
    return `no such name here; check the host in MUSTER_REDIS_URL (${where})`;
  const isTls = where.startsWith("rediss");
  if (
    /certificate|self.signed|wrong version number|ssl/i.test(problem) ||
    (isTls && problem.startsWith("no answer"))
  ) {
    return "rediss:// is for a Redis that speaks TLS with a certificate this machine trusts (NODE_EXTRA_CA_CERTS); redis:// for one without";
  }
  if (problem.includes("cluster support disabled"))
    return "this is no Cluster: write redis:// in place of redis+cluster://";
  if (/sentinel/i.test(problem))
    return "check that the sentinels run, and that they know a master of this name";
  return "check that it runs, that MUSTER_REDIS_URL names it, and that nothing between drops the connection";
}

function remedyForWrites(refusal: string): string {
  if (refusal.includes("MISCONF"))
    return "it cannot save to disk: see its log; free the disk, or CONFIG SET dir to one";
  if (refusal.includes("NOREPLICAS")) return "start its replicas, or CONFIG SET min-replicas-to-write 0";
  if (refusal.includes("OOM")) return "raise maxmemory: CONFIG SET maxmemory 2gb";
  return "point MUSTER_REDIS_URL at the master";
}
