/** How long Redis takes to answer from here: a dispatch is eight commands, several of them one after the other. */

import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import type { Master } from "../redis-access.js";
import { redisOf } from "../surroundings.js";

const PINGS = 200;
const LONGEST_MS = 1_000;
/** A machine that is busy for a moment is not far away: the best of them counts. */
const ROUNDS = 3;
const WARN_MS = 10;
const FAIL_MS = 100;

export const redisLatency: Check = {
  name: "redis-latency",
  looksAt: "PING takes less than 10 ms in 99 of 100 cases (200 one after the other, up to three times).",
  async run(surroundings, signal) {
    const findings: Finding[] = [];
    for (const { name, redis } of await redisOf(surroundings).masters()) {
      let best = await round(redis, signal);
      for (let count = 1; count < ROUNDS && best.p99 >= WARN_MS && !signal.aborted; count++) {
        const again = await round(redis, signal);
        if (again.p99 < best.p99) best = again;
      }
      findings.push(findingOf(name, best));
    }
    return findings;
  },
};

interface Round {
  pings: number;
  p50: number;
  p99: number;
}

async function round(redis: Master["redis"], signal: AbortSignal): Promise<Round> {
  await redis.ping();
  const tookMs: number[] = [];
  const startedAt = performance.now();
  while (tookMs.length < PINGS && performance.now() - startedAt < LONGEST_MS && !signal.aborted) {
    const sentAt = performance.now();
    await redis.ping();
    tookMs.push(performance.now() - sentAt);
  }
  const sorted = tookMs.sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { pings: sorted.length, p50: at(0.5), p99: at(0.99) };
}

function findingOf(name: string, { pings, p50, p99 }: Round): Finding {
  const says = `PING to ${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms (${pings} of them)`;
  const fix =
    "run Redis in the same zone, on a machine of its own; SLOWLOG GET and LATENCY DOCTOR say what keeps it busy";
  if (p99 >= FAIL_MS) return fail(says, fix);
  return p99 >= WARN_MS ? warn(says, fix) : ok(says);
}
