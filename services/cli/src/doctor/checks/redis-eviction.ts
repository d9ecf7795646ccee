/** Whether Redis may throw keys away when its memory is full: with them it would throw away jobs. */

import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import { inBytes, infoOf, numberIn } from "../redis-info.js";
import { redisOf } from "../surroundings.js";

const FIX = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf";

export const redisEviction: Check = {
  name: "redis-eviction",
  looksAt: "maxmemory-policy is noeviction: another one deletes jobs when memory is full.",
  async run(surroundings) {
    const findings: Finding[] = [];
    for (const { name, redis } of await redisOf(surroundings).masters()) {
      const memory = await infoOf(redis, "memory");
      const policy = memory.get("maxmemory_policy");
      const most = numberIn(memory, "maxmemory");
      if (policy === undefined) {
        findings.push(
          warn(
            `${name} does not say its maxmemory-policy`,
            "allow INFO, or look: CONFIG GET maxmemory-policy",
          ),
        );
      } else if (policy === "noeviction") {
        findings.push(ok(`${name} evicts nothing`));
      } else if (most > 0) {
        findings.push(fail(`${name} deletes keys by ${policy} once it holds ${inBytes(most)}`, FIX));
      } else {
        findings.push(warn(`${name} has ${policy}, which deletes jobs as soon as a maxmemory is set`, FIX));
      }
    }
    return findings;
  },
};
