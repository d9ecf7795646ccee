/**
 * The life of a job. Prose first; the scripts of the ledger make the moves, this table says which moves exist.
 *
 * queued    wants a worker and is about to be tried; a timer guards it, so it never rests here.
 * parked    no session of its pool has room; woken by capacity, in order of priority, then age.
 * offered   one session holds a reservation and was asked; left by an answer or by the offer's deadline.
 * starting  the session accepted and was given the assignment; not yet seen to run.
 * running   seen: it reported, was named in a migration, or its participant joined.
 * orphaned  started, but its holder's socket is gone and its fate is not known.
 * ended     final. Late messages are counted and change nothing.
 *
 * A waiting or offered job goes straight to running when a worker is found to run it: it came back before somebody else
 * was asked, or Redis had forgotten that it began. It goes straight to starting when the worker that it was taken back from
 * as slow says yes after all, and nobody else was asked since. A running one is sent back when its worker failed.
 */

export const JOB_STATES = [
  "queued",
  "parked",
  "offered",
  "starting",
  "running",
  "orphaned",
  "ended",
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Starts of one job that may fail before the job does, unless the order or the settings say otherwise. */
export const DEFAULT_MAX_ATTEMPTS = 3;

export const JOB_OUTCOMES = ["success", "failed", "expired", "canceled", "unknown"] as const;
export type JobOutcome = (typeof JOB_OUTCOMES)[number];
/** As what it is counted: apart, a canceled one whose agent never came to a room where nobody was left. */
export type EndedAs = JobOutcome | "never_joined";

const NEXT: Record<JobState, readonly JobState[]> = {
  queued: ["offered", "parked", "starting", "running", "ended"],
  parked: ["queued", "offered", "starting", "running", "ended"],
  offered: ["starting", "queued", "running", "ended"],
  starting: ["running", "queued", "orphaned", "ended"],
  running: ["queued", "orphaned", "ended"],
  orphaned: ["running", "queued", "ended"],
  ended: [],
};

/** True when a job may go from one state to the other. */
export function isLegalTransition(from: JobState, to: JobState): boolean {
  return NEXT[from].includes(to);
}

/**
 * LiveKit's JobStatus for a job of ours; `JS_PENDING` = 0, `JS_RUNNING` = 1, `JS_SUCCESS` = 2, `JS_FAILED` = 3. Never
 * `JS_CANCELLED` = 4: clients that do not know it take such a job for one that waits (DECISIONS 66).
 */
export function wireStatus(state: JobState, outcome: JobOutcome | ""): 0 | 1 | 2 | 3 {
  switch (state) {
    case "queued":
    case "parked":
    case "offered":
      return 0;
    case "starting":
    case "running":
    case "orphaned":
      return 1;
    case "ended":
      return outcome === "success" ? 2 : 3;
  }
}
