/** Whether the sentinels know the master, agree on it, and are enough to replace it. */

import type { RedisClient } from "@muster/runtime/redis/connect";
import type { RedisHost } from "@muster/runtime/redis/url";
import type { Check } from "../check.js";
import { type Finding, fail, ok, Skip, warn } from "../finding.js";
import { whyUnreachable } from "../reach-port.js";
import { redisOf } from "../surroundings.js";
import { REFUSED_PASSWORD, SENTINEL_PASSWORD } from "./redis-reach.js";

const REACH_MS = 2_000;
/** With two, one that is lost leaves no majority. */
const ENOUGH = 3;

export const redisSentinel: Check = {
  name: "redis-sentinel",
  looksAt: "The sentinels know the master, agree on it, are three or more, and have a quorum.",
  async run(surroundings) {
    const redis = redisOf(surroundings);
    const { target } = redis;
    if (target.kind !== "sentinel") throw new Skip("Redis is not behind Sentinel");
    const findings: Finding[] = [];
    const masters = new Map<string, RedisHost>();
    let quorum: Finding | undefined;
    for (const host of target.hosts) {
      const name = `sentinel ${host.host}:${host.port}`;
      const reached = await redis.node(host, "sentinel");
      if ("problem" in reached) {
        findings.push(
          REFUSED_PASSWORD.test(reached.problem)
            ? fail(`${name} asks for a password: ${reached.problem}`, SENTINEL_PASSWORD)
            : warn(`${name} does not answer: ${reached.problem}`, "start it, or leave it out of the url"),
        );
        continue;
      }
      const address = await masterOf(reached.client, target.masterName);
      if (address === undefined) {
        findings.push(
          fail(
            `${name} knows no master "${target.masterName}"`,
            `the last part of MUSTER_REDIS_URL is its name; ${await knownTo(reached.client)}`,
          ),
        );
        continue;
      }
      masters.set(`${address.host}:${address.port}`, address);
      quorum ??= await quorumOf(reached.client, target.masterName);
    }
    if (masters.size > 1) {
      const named = [...masters.keys()].join(" and ");
      findings.push(
        fail(`the sentinels disagree on the master: ${named}`, "SENTINEL RESET on those that are behind"),
      );
    }
    for (const [name, address] of masters) {
      const problem = await whyUnreachable(address, REACH_MS);
      if (problem === undefined) continue;
      findings.push(
        fail(
          `the master is said to be at ${name}, which is not reached from here (${problem})`,
          "have it announce one that is: replica-announce-ip and replica-announce-port, and SENTINEL RESET",
        ),
      );
    }
    if (quorum !== undefined) findings.push(quorum);
    return findings;
  },
};

async function masterOf(sentinel: RedisClient, name: string): Promise<RedisHost | undefined> {
  const reply = await sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
  if (!Array.isArray(reply)) return undefined;
  return { host: String(reply[0]), port: Number(reply[1]) };
}

async function knownTo(sentinel: RedisClient): Promise<string> {
  const masters = await sentinel.call("SENTINEL", "MASTERS");
  // Each is a list of name and value: "name", "muster", "ip", …
  const names = (Array.isArray(masters) ? masters : []).map((fields) => String((fields as unknown[])[1]));
  return names.length === 0 ? "it watches none" : `it knows ${names.join(", ")}`;
}

async function quorumOf(sentinel: RedisClient, name: string): Promise<Finding> {
  try {
    await sentinel.call("SENTINEL", "CKQUORUM", name);
  } catch (error) {
    return fail(`the sentinels cannot replace the master: ${(error as Error).message}`, "start more of them");
  }
  const others = await sentinel.call("SENTINEL", "SENTINELS", name);
  const count = 1 + (Array.isArray(others) ? others.length : 0);
  if (count >= ENOUGH) return ok(`${count} sentinels know the master, and can replace it`);
  return warn(
    `there ${count === 1 ? "is 1 sentinel" : `are ${count} sentinels`}: with one of them gone nobody replaces the master`,
    "run three, on machines of their own",
  );
}
