/** Owns the traces that are made up: a steady Poisson stream, bursts of many at once, or both. One seed, one trace. */
import { invariant } from "@muster/domain/assert";
import { Random } from "../cluster/siege/random.js";
import { exponential, logNormal } from "./chance.js";
import { inOrder, MAX_JOBS, type TracedJob } from "./trace.js";

export interface ArrivalPlan {
  readonly seed: number;
  /** For how long jobs arrive. */
  readonly lastsMs: number;
  /** Jobs a second of the steady stream; 0 for none. */
  readonly ratePerS: number;
  /** Jobs of one burst, all in the same millisecond; 0 for none. */
  readonly burst: number;
  /** From one burst to the next; the first comes after half of it. */
  readonly burstEveryMs: number;
  /** Mean length of a job, and the deviation of its logarithm. */
  readonly meanMs: number;
  readonly lengthSpread: number;
  /** Mean load that a job costs a worker of speed 1, and the deviation of its logarithm. */
  readonly cost: number;
  readonly costSpread: number;
}

export function generateTrace(plan: ArrivalPlan): TracedJob[] {
  const chance = new Random(plan.seed);
  const [arrivals, jobs] = [chance.fork(), chance.fork()];
  const times: number[] = [];
  if (plan.ratePerS > 0) {
    const next = () => exponential(arrivals, 1_000 / plan.ratePerS);
    for (let atMs = next(); atMs < plan.lastsMs; atMs += next()) times.push(Math.floor(atMs));
  }
  if (plan.burst > 0) {
    for (let atMs = Math.floor(plan.burstEveryMs / 2); atMs < plan.lastsMs; atMs += plan.burstEveryMs)
      for (let index = 0; index < plan.burst; index++) times.push(atMs);
  }
  invariant(times.length <= MAX_JOBS, "a generated trace has more jobs than a trace may have");
  const made = times.map((atMs) => ({
    atMs,
    durationMs: Math.max(1, Math.round(logNormal(jobs, plan.meanMs, plan.lengthSpread))),
    cost: Math.min(1, logNormal(jobs, plan.cost, plan.costSpread)),
    priority: 0,
  }));
  return inOrder(made);
}
