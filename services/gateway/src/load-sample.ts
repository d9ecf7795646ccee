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
}

export const FRESH_WORKER: WorkerState = { status: "available", draining: false, drainToldAtMs: 0 };

export interface StatusReport {
  /** null: unchanged. */
  status: number | null;
  load: number;
  jobCount: number;
}

export interface ReadReport {
  state: WorkerState;
  sample: Omit<LoadSample, "session">;
  /** What was wrong with the load: the last good one stands, or above 1 the worker is full; undefined: nothing. */
  problem: "not_finite" | "negative" | "above_one" | undefined;
}

/** The ledger's word for "no load in this sample". */
const NO_LOAD = -1;
/** The Node SDK sends one stale AVAILABLE within 2.5 s after it began to drain. */
const STALE_AVAILABLE_MS = 3_000;

export function readReport(report: StatusReport, before: WorkerState, nowMs: number): ReadReport {
  const problem = loadProblem(report.load);
  const isRefused = problem === "not_finite" || problem === "negative";
  const state = readState(report, before, nowMs);
  // What a draining worker calls its load (0 in Python, 1 in Node) says only that it drains.
  const load = isRefused || state.draining ? NO_LOAD : Math.min(1, report.load);
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
  if (!Number.isFinite(load)) return "not_finite";
  if (load < 0) return "negative";
  return load > 1 ? "above_one" : undefined;
}

function readState(report: StatusReport, before: WorkerState, nowMs: number): WorkerState {
  const status = readStatus(report.status, before.status);
  // No load has presence on the wire: FULL with load 0 is how both SDKs say that they drain.
  const toldNow = report.status !== null && status === "full" && report.load === 0;
  if (toldNow) return { status, draining: true, drainToldAtMs: nowMs };
  if (!before.draining) return { ...before, status };
  const isOver = status === "available" && nowMs - before.drainToldAtMs >= STALE_AVAILABLE_MS;
  return isOver ? { ...before, status, draining: false } : { ...before, status: "full" };
}

/** A status that we do not know is some way of not being available: newer workers may have one. */
function readStatus(status: number | null, before: WorkerState["status"]): WorkerState["status"] {
  if (status === null) return before;
  return status === WorkerStatus.WS_AVAILABLE ? "available" : "full";
}
