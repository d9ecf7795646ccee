/**
 * What a simulation asks of whoever places its jobs, and what it gives him: the workers, virtual time, the account. Each
 * strategy under comparison is one of these; they share the workers' behaviour and the trace, and nothing else.
 */
import type { Account } from "./account.js";
import type { Agenda, Effect } from "./agenda.js";
import type { SdkWorker } from "./sdk-worker.js";
import type { TracedJob } from "./trace.js";

export interface Arrival {
  /** Number of the job in its trace. */
  readonly index: number;
  readonly job: TracedJob;
}

export interface World {
  readonly agenda: Agenda;
  readonly account: Account;
  readonly workers: readonly SdkWorker[];
  /** From when an offer reaches its worker until the answer is there. */
  readonly answerMs: number;
  /** The worker has its assignment: it launches the job, runs it to its end, and tells ended(). */
  assign(arrival: Arrival, worker: SdkWorker, nowMs: number): void;
}

/** Nothing, or what the answers of its Redis commands lead to. */
type Underway = undefined | Promise<Effect>;

/** Every call at its own virtual time; what it leads to comes at least one hop of the agenda later. */
export interface Placement {
  /** All workers are connected when it resolves. */
  start(world: World, nowMs: number): Promise<void>;
  arrive(arrival: Arrival, nowMs: number): Underway;
  /** It is time for this worker's load report. */
  report(worker: SdkWorker, nowMs: number): Underway;
  /** The worker launched the job; it says so, as Python does. */
  launched(arrival: Arrival, worker: SdkWorker, nowMs: number): Underway;
  ended(arrival: Arrival, worker: SdkWorker, nowMs: number): Underway;
}
