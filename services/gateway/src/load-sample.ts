/**
 * Owns how a worker's status report becomes a load sample. The numbers are data from outside: what is no load never
 * becomes one, and a drain is told from a load. Pure: what was last known comes in, what is now known comes out.
 */

import type { LoadSample } from "@muster/ledger/shapes";
import { WorkerStatus } from "@muster/wire/generated/livekit";

/** What a worker's reports have said so far. */
export interface WorkerState {
  status: "available" | "full";
  draining: boolean;
  /** When the drain was last told; 0 when it never was. */
  drainToldAtMs: number;
  /** When it last said FULL at load 0 while a job of its own explained that; 0 when it never did. */
  doubtedAtMs: number;
  /** It says itself whether it drains: nothing is read into its loads. */
  saysDrain: boolean;
  /** Number of its newest report; 0 while it does not number them. */
  seq: bigint;
}

export const FRESH_WORKER: WorkerState = {
  status: "available",
  draining: false,
  drainToldAtMs: 0,
  doubtedAtMs: 0,
  saysDrain: false,
  seq: 0n,
};

export interface StatusReport {
  /** null: unchanged. */
  status: number | null;
  load: number;
  jobCount: number;
  /** It takes no more jobs and finishes those that it has. */
  draining: boolean;
  /** Counts its reports; 0: not sent. */
  seq: bigint;
}

export interface ReadReport {
  state: WorkerState;
  sample: Omit<LoadSample, "session">;
  /** What was wrong with the load: the last good one stands, or above 1 the worker is full; undefined: nothing. */
  problem: "not_finite" | "negative" | "above_one" | undefined;
}

/** An older one than was read already: it must not undo what is newer. */
export function isStale({ seq }: StatusReport, before: WorkerState): boolean {
  return seq !== 0n && seq <= before.seq;
}

/** The ledger's word for "no load in this sample". */
const NO_LOAD = -1;
/** The Node SDK sends one stale AVAILABLE within 2.5 s after it began to drain. */
const STALE_AVAILABLE_MS = 3_000;
/** And FULL with load 1 by then. */
const NODE_FULL_MS = 5_000;

/** `isStarting`: it was asked, or given a job, a moment ago, and has not said that it runs. */
export function readReport(
  report: StatusReport,
  before: WorkerState,
  nowMs: number,
  isStarting = false,
): ReadReport {
  const problem = loadProblem(report.load);
  const isRefused = problem === "not_finite" || problem === "negative";
  const state = readState(report, before, nowMs, isStarting);
  // Of an SDK that does not say whether it drains, the load of a drain (0 in Python, 1 in Node) is none.
  const load = isRefused || (state.draining && !state.saysDrain) ? NO_LOAD : Math.min(1, report.load);
  const isOverloaded = load === 1 && problem === "above_one";
  const status = isOverloaded ? "full" : state.status;
  return {
    state: { ...state, status },
    sample: { status, draining: state.draining, load, job_count: report.jobCount },
    problem,
  };
}

/** A sample without a load leaves the one before it standing. */
export function withLastLoad(sample: LoadSample, before: LoadSample | undefined): LoadSample {
  return sample.load === NO_LOAD && before !== undefined ? { ...sample, load: before.load } : sample;
}

function loadProblem(load: number): ReadReport["problem"] {
  if (load > 1) return "above_one";
  if (!Number.isFinite(load)) return "not_finite";
  return load < 0 ? "negative" : undefined;
}

function readState(
  report: StatusReport,
  before: WorkerState,
  nowMs: number,
  isStarting: boolean,
): WorkerState {
  const { seq, draining, load, jobCount } = report;
  const status = readStatus(report.status, before.status);
  const saysDrain = before.saysDrain || draining || seq !== 0n;
  const base = { ...before, status, saysDrain, seq: seq === 0n ? before.seq : seq };
  if (saysDrain) return draining ? { ...base, status: "full", draining } : { ...base, draining };
  const isFull = report.status === WorkerStatus.WS_FULL;
  // Both SDKs say by FULL with load 0 that they drain. So does a worker that counts its jobs, and has just kept a place for one.
  if (isFull && load === 0 && isStarting && jobCount === 0) return { ...base, doubtedAtMs: nowMs };
  const isNode = load === 1 && jobCount === 0 && nowMs - before.doubtedAtMs < NODE_FULL_MS;
  if (isFull && (load === 0 || isNode)) return { ...base, draining: true, drainToldAtMs: nowMs };
  if (!before.draining) return base;
  const isOver = status === "available" && nowMs - before.drainToldAtMs >= STALE_AVAILABLE_MS;
  return isOver ? { ...base, draining: false } : { ...base, status: "full" };
}

/**
 * A status that we do not know is some way of not being available, as it is to livekit-server: newer workers may have one. It is
 * never a drain, which only FULL is.
 */
function readStatus(status: number | null, before: WorkerState["status"]): WorkerState["status"] {
  if (status === null) return before;
  return status === WorkerStatus.WS_AVAILABLE ? "available" : "full";
}
