/** How long Redis takes to answer from here: a dispatch is eight commands, several of them one after the other. */

import { type Check, type Finding, fail, ok, warn } from "../check.js";
import { redisOf } from "../surroundings.js";

const PINGS = 200;
const LONGEST_MS = 2_000;
const WARN_MS = 10;
const FAIL_MS = 100;

export const redisLatency: Check = {
  name: "redis-latency",
  looksAt: "PING takes less than 10 ms in 99 of 100 cases (200 of them, one after the other).",
  async run(surroundings, signal) {
    const findings: Finding[] = [];
    for (const { name, redis } of await redisOf(surroundings).masters()) {
      await redis.ping();
      const tookMs: number[] = [];
      const startedAt = performance.now();
      while (tookMs.length < PINGS && performance.now() - startedAt < LONGEST_MS && !signal.aborted) {
        const sentAt = performance.now();
        await redis.ping();
        tookMs.push(performance.now() - sentAt);
      }
      findings.push(findingOf(name, tookMs));
    }
    return findings;
  },
};

function findingOf(name: string, tookMs: number[]): Finding {
  const sorted = tookMs.sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const p99 = at(0.99);
  const says = `PING to ${name}: p50 ${at(0.5).toFixed(2)} ms, p99 ${p99.toFixed(2)} ms (${sorted.length} of them)`;
  const fix =
    "run Redis in the same zone, on a machine of its own; SLOWLOG GET and LATENCY DOCTOR say what keeps it busy";
  if (p99 >= FAIL_MS) return fail(says, fix);
  return p99 >= WARN_MS ? warn(says, fix) : ok(says);
}
