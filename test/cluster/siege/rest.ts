/**
 * Owns the end of a siege: everything runs again, and must come to rest by itself. First every job, then every place,
 * stop and timer, then, when the workers are gone and what ended has been forgotten, every key.
 */
import type { Cluster } from "../harness.js";
import { SILENT_JOB_BOUND_MS } from "../timing.js";

/** Waits that the services cannot be asked to shorten: the guard of 5 s, stops of 20 s, and a last start. */
const REST_SLACK_MS = 45_000;
/** What a namespace keeps for good; see INVARIANTS.md of the ledger. */
const KEPT_FOR_GOOD = new Set(["pools", "left-pools", "brief-pools", "costs", "index"]);
/** The pace of a line, and a guard that was up, in 10 min; what a guard counts, in 1 min. */
const GO_BY_THEMSELVES = /^(pace|losses|arrivals|pools-lost|guard):/;

export async function everyJobEnded(
  cluster: Cluster,
  deadlineMs = SILENT_JOB_BOUND_MS + REST_SLACK_MS,
): Promise<string[]> {
  const live = () =>
    [...cluster.invariants.fates]
      .filter(([, { state }]) => state !== "ended")
      .map(([id, { state }]) => `${id} is ${state}`);
  const queued = () =>
    cluster.namespaces.flatMap((namespace) => {
      const { queued } = cluster.invariants.moment(namespace);
      return queued === 0 ? [] : [`${namespace}: ${queued} entries in the queue`];
    });
  return await untilEmpty(cluster, () => [...live(), ...queued()], deadlineMs);
}

/** Every job has ended: nothing may be held, timed or told any more. */
export async function nothingHeld(cluster: Cluster): Promise<string[]> {
  return await untilEmpty(
    cluster,
    () =>
      cluster.namespaces.flatMap((namespace) => {
        const { zsets, hashes, sets } = cluster.invariants.moment(namespace);
        const timers = [...(zsets.get("deadlines")?.keys() ?? [])];
        return [
          ...[...zsets.keys()].filter((key) => /^(jobs|orders|parked:|session-jobs:)/.test(key)),
          ...[...hashes.keys()].filter((key) => key === "stops"),
          ...[...sets.keys()].filter((key) => key.startsWith("gateway-stops:")),
          ...timers.filter((timer) => /^(job|stop)\|/.test(timer)),
        ].map((leak) => `${namespace}: ${leak} is left`);
      }),
    REST_SLACK_MS,
  );
}

/** The workers are gone too. */
export async function nothingKept(cluster: Cluster, retentionMs: number): Promise<string[]> {
  return await untilEmpty(
    cluster,
    () =>
      cluster.namespaces.flatMap((namespace) => {
        const { zsets, hashes, sets, volatile } = cluster.invariants.moment(namespace);
        const isForgotten = (key: string) => GO_BY_THEMSELVES.test(key) && volatile.includes(key);
        return [...zsets.keys(), ...hashes.keys(), ...sets.keys()]
          .filter((key) => !KEPT_FOR_GOOD.has(key) && !isForgotten(key))
          .map((key) => `${namespace}: ${key} is kept for ever`);
      }),
    retentionMs + REST_SLACK_MS,
  );
}

/** What is left at the deadline; empty when it came to rest. */
async function untilEmpty(cluster: Cluster, left: () => string[], deadlineMs: number): Promise<string[]> {
  const untilMs = performance.now() + deadlineMs;
  for (;;) {
    await cluster.look();
    const found = left();
    if (found.length === 0 || performance.now() > untilMs) return found;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
