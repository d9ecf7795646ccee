/** Whether what Redis has confirmed outlives it: what Muster accepted is kept only as far as Redis keeps it. */

import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import type { Master } from "../redis-access.js";
import { type Info, infoOf, settingOf } from "../redis-info.js";
import { redisOf } from "../surroundings.js";

const AOF = "CONFIG SET appendonly yes, and appendonly yes with appendfsync everysec in redis.conf";

export const redisPersistence: Check = {
  name: "redis-persistence",
  looksAt: "Redis writes an append-only file, synced at least every second.",
  async run(surroundings) {
    const findings: Finding[] = [];
    for (const master of await redisOf(surroundings).masters()) {
      findings.push(await findingOf(master, await infoOf(master.redis, "persistence")));
    }
    return findings;
  },
};

async function findingOf({ name, redis }: Master, info: Info): Promise<Finding> {
  const aof = info.get("aof_enabled");
  if (aof === undefined)
    return warn(`${name} does not say what it keeps`, "allow INFO: ACL SETUSER <user> +info");
  if (aof === "0") return await withoutAof(name, redis, info);
  const written = info.get("aof_last_write_status");
  if (written !== undefined && written !== "ok") {
    return fail(
      `${name} could not write its append-only file (${written})`,
      "see its log: disk full, or no rights",
    );
  }
  const sync = await settingOf(redis, "appendfsync");
  if (sync === "no") {
    return warn(
      `${name} leaves it to the system when its file is on disk: half a minute can be lost`,
      "CONFIG SET appendfsync everysec",
    );
  }
  const pace = sync === "always" ? "at each write" : sync === undefined ? "as it is set up" : "every second";
  return ok(`${name} writes an append-only file, synced ${pace}`);
}

async function withoutAof(name: string, redis: Master["redis"], info: Info): Promise<Finding> {
  const save = await settingOf(redis, "save");
  if (save === undefined) {
    return warn(`${name} writes no append-only file, and does not say whether it makes snapshots`, AOF);
  }
  if (save === "") {
    return fail(`${name} keeps nothing: each work order that was accepted is lost when it ends`, AOF);
  }
  const failed = info.get("rdb_last_bgsave_status") === "err" ? "; the last one failed" : "";
  return warn(
    `${name} only makes snapshots (save ${save}): a crash loses what came since the last${failed}`,
    AOF,
  );
}
