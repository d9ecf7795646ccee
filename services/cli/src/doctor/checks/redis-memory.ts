/** Whether Redis has room: a full one with noeviction refuses all writes, and Muster stands still. */

import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import { inBytes, infoOf, numberIn } from "../redis-info.js";
import { redisOf } from "../surroundings.js";

const WARN_AT = 0.8;
const FAIL_AT = 0.95;

export const redisMemory: Check = {
  name: "redis-memory",
  looksAt: "Redis uses less than 80 % of maxmemory; without one, of the machine's memory.",
  async run(surroundings) {
    const findings: Finding[] = [];
    for (const { name, redis } of await redisOf(surroundings).masters()) {
      const memory = await infoOf(redis, "memory");
      const most = numberIn(memory, "maxmemory");
      const all = most > 0 ? most : numberIn(memory, "total_system_memory");
      const used = numberIn(memory, "used_memory");
      if (all === 0) {
        findings.push(
          warn(`${name} does not say how much memory it has`, "allow INFO: ACL SETUSER <user> +info"),
        );
        continue;
      }
      const share = used / all;
      const of = most > 0 ? "its maxmemory" : "the machine's memory (no maxmemory)";
      const says = `${name} uses ${inBytes(used)}, ${(share * 100).toFixed(1)} % of ${of}`;
      const fix = `give it more: CONFIG SET maxmemory ${Math.ceil((2 * used) / 1024 ** 2)}mb, and a machine that has it`;
      if (share >= FAIL_AT) findings.push(fail(says, fix));
      else if (share >= WARN_AT) findings.push(warn(says, fix));
      else findings.push(ok(says));
    }
    return findings;
  },
};
