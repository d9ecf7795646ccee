/** Whether Redis keeps connections: it may end idle ones, ones that are slow to read, and those beyond a number. */

import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import type { Master } from "../redis-access.js";
import { infoOf, numberIn, settingOf } from "../redis-info.js";
import { redisOf } from "../surroundings.js";

/** An api without calls is silent for as long as nobody calls. */
const SHORTEST_IDLE_S = 300;
/** A page of explained jobs, and then some. */
const SMALLEST_BUFFER = 32 * 1024 ** 2;
const WARN_AT = 0.8;
const FAIL_AT = 0.95;

export const redisConnections: Check = {
  name: "redis-connections",
  looksAt:
    "Redis has connections left, and ends none that is idle or slow to read (timeout, output buffers).",
  async run(surroundings) {
    const findings: Finding[] = [];
    for (const master of await redisOf(surroundings).masters()) {
      const found = [await clientsOf(master), await timeoutOf(master), await bufferOf(master)];
      findings.push(...found.filter((finding) => finding !== undefined));
    }
    return findings;
  },
};

async function clientsOf({ name, redis }: Master): Promise<Finding> {
  const clients = await infoOf(redis, "clients");
  const connected = numberIn(clients, "connected_clients");
  const most = numberIn(clients, "maxclients") || Number((await settingOf(redis, "maxclients")) ?? 0);
  if (most === 0) return ok(`${name} has ${connected} connections`);
  const says = `${name} has ${connected} of at most ${most} connections`;
  const fix = `CONFIG SET maxclients ${2 * most}, and see by CLIENT LIST who has them`;
  if (connected / most >= FAIL_AT) return fail(says, fix);
  return connected / most >= WARN_AT ? warn(says, fix) : ok(says);
}

async function timeoutOf({ name, redis }: Master): Promise<Finding | undefined> {
  const seconds = Number((await settingOf(redis, "timeout")) ?? 0);
  if (seconds === 0 || seconds >= SHORTEST_IDLE_S) return undefined;
  return warn(
    `${name} ends connections that are idle for ${seconds} s: an api that nobody calls connects anew each time`,
    "CONFIG SET timeout 0",
  );
}

/** "normal <hard> <soft> <seconds> slave …"; 0: no bound. */
async function bufferOf({ name, redis }: Master): Promise<Finding | undefined> {
  const limits = await settingOf(redis, "client-output-buffer-limit");
  const [, hard = "0", soft = "0"] = /normal (\d+) (\d+)/.exec(limits ?? "") ?? [];
  const bounds = [Number(hard), Number(soft)].filter((bytes) => bytes > 0);
  if (bounds.length === 0 || Math.min(...bounds) >= SMALLEST_BUFFER) return undefined;
  return warn(
    `${name} ends a connection once ${Math.min(...bounds)} bytes of answers wait for it`,
    'CONFIG SET client-output-buffer-limit "normal 0 0 0"',
  );
}
