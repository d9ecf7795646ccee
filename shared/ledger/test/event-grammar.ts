/**
 * Owns which stories of a job can be: what may follow what in its events, and whether they agree with what the job is in
 * the end. Knows nothing of scripts.
 */
import type { JobState } from "@muster/domain/job";
import type { JobEvent } from "@muster/domain/job-event";

/** Its name without the prefix. */
export type Told = Omit<JobEvent, "event"> & { event: string };
type Phase = "none" | "waits" | "offered" | "started" | "expired" | "ended";

const FOLLOWS: Record<string, Phase[]> = {
  queued: ["none"],
  offered: ["waits"],
  rejected: ["offered"],
  parked: ["waits"],
  suspected: ["waits", "offered", "started"],
  fallback: ["waits"],
  started: ["waits", "offered"],
  redispatched: ["started"],
  migrated: ["started"],
  expired: ["waits"],
  ended: ["waits", "offered", "started", "expired"],
};
const LEADS_TO: Record<string, Phase> = {
  ...{ queued: "waits", offered: "offered", rejected: "waits", parked: "waits", started: "started" },
  fallback: "waits",
  ...{ redispatched: "waits", migrated: "started", expired: "expired", ended: "ended" },
};
const PHASE_OF: Record<JobState, Phase> = {
  ...{ queued: "waits", parked: "waits", offered: "offered", ended: "ended" },
  ...{ starting: "started", running: "started", orphaned: "started" },
};

/** What cannot be, in words. `states` are those of all jobs in the end; of one that Redis forgot once, no beginning was told. */
export function eventProblems(events: readonly Told[], states: ReadonlyMap<string, JobState>): string[] {
  const found: string[] = [];
  const phases = new Map<string, Phase>();
  const workers = new Map<string, string>();
  for (const told of events) {
    const { job, event } = told;
    const phase = phases.get(job) ?? (event === "queued" ? "none" : "started");
    if (!FOLLOWS[event]?.includes(phase)) found.push(`${job}: ${event} after ${phase}`);
    const before = workers.get(job);
    if (before !== undefined) found.push(...workerProblems(told, before));
    workers.set(job, told.worker);
    phases.set(job, event === "suspected" ? phase : (LEADS_TO[event] ?? "none"));
  }
  for (const [job, phase] of phases) {
    const state = states.get(job);
    if (state === undefined || PHASE_OF[state] !== phase) found.push(`${job}: told ${phase}, is ${state}`);
  }
  return found;
}

function workerProblems({ job, event, worker, fromWorker }: Told, before: string): string[] {
  const isSame = worker === before;
  switch (event) {
    case "rejected":
      return isSame ? [] : [`${job}: rejected by ${worker}, offered to ${before}`];
    case "migrated":
      return fromWorker === before && !isSame
        ? []
        : [`${job}: from ${fromWorker} to ${worker}, was ${before}`];
    case "redispatched":
      return fromWorker === before && worker === "" ? [] : [`${job}: from ${fromWorker}, was ${before}`];
    default:
      return [];
  }
}
