/**
 * Owns what is written down while a simulation runs, and the figures that come of it. Waits are from the arrival of a job to
 * its acceptance by a worker; imbalance is the jobs of the fullest worker over the mean of all.
 */
import type { SdkWorker } from "./sdk-worker.js";
import type { TracedJob } from "./trace.js";

/** One look at the whole fleet. */
export interface Look {
  readonly atMs: number;
  /** Workers above the target load. */
  readonly overloaded: number;
  readonly jobs: number;
}

export interface Figures {
  readonly jobs: number;
  readonly accepted: number;
  /** Given up by the server. */
  readonly dropped: number;
  /** Neither accepted nor dropped when the trace was over. */
  readonly waiting: number;
  /** Offers that a worker refused. */
  readonly rejections: number;
  readonly waitMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Of the largest burst: the most of its jobs on one worker over the mean; undefined without a burst. */
  readonly burstImbalance: number | undefined;
  /** Mean of max/mean over every second with at least one job a worker; undefined when there was none. */
  readonly imbalance: number | undefined;
  /** Worker-seconds above the target load, and as a part of all. */
  readonly overloadS: number;
  readonly overloadShare: number;
  /** Worker-seconds in which more was asked than the worker can do. */
  readonly saturatedS: number;
  /** The highest load asked of any worker at any moment, and the most jobs. */
  readonly peakLoad: number;
  readonly mostJobs: number;
  readonly looks: readonly Look[];
  /** Sorted, one for each accepted job. */
  readonly waits: readonly number[];
}

/** Jobs of one millisecond from this many on are a burst. */
const BURST = 10;

export class Account {
  readonly #workers: readonly SdkWorker[];
  readonly #jobs: number;
  readonly #burstAtMs: number | undefined;
  readonly #burst = new Map<string, number>();
  readonly #waits: number[] = [];
  readonly #looks: Look[] = [];
  readonly #ratios: number[] = [];
  #dropped = 0;
  #rejections = 0;
  #mostJobs = 0;

  constructor(workers: readonly SdkWorker[], trace: readonly TracedJob[]) {
    this.#workers = workers;
    this.#jobs = trace.length;
    this.#burstAtMs = largestBurst(trace);
  }

  /** `waitedMs` since its arrival. */
  accepted(job: TracedJob, worker: SdkWorker, waitedMs: number): void {
    this.#waits.push(waitedMs);
    this.#mostJobs = Math.max(this.#mostJobs, worker.jobs);
    if (job.atMs !== this.#burstAtMs) return;
    this.#burst.set(worker.id, (this.#burst.get(worker.id) ?? 0) + 1);
  }

  dropped(): void {
    this.#dropped++;
  }

  rejected(): void {
    this.#rejections++;
  }

  look(atMs: number): void {
    const counts = this.#workers.map(({ jobs }) => jobs);
    const jobs = counts.reduce((sum, count) => sum + count, 0);
    const overloaded = this.#workers.filter(({ machine }) => machine.isOverloaded).length;
    this.#looks.push({ atMs, overloaded, jobs });
    if (jobs >= counts.length) this.#ratios.push((Math.max(...counts) * counts.length) / jobs);
  }

  /** `startMs`: when the trace began; what was before does not count, as nothing ran. */
  figures(startMs: number, endMs: number): Figures {
    const waits = [...this.#waits].sort((a, b) => a - b);
    const excess = this.#workers.map(({ machine }) => machine.excess(endMs));
    const overloadMs = excess.reduce((sum, { overloadedMs }) => sum + overloadedMs, 0);
    const saturatedMs = excess.reduce((sum, { saturatedMs }) => sum + saturatedMs, 0);
    const burstJobs = [...this.#burst.values()];
    return {
      jobs: this.#jobs,
      accepted: waits.length,
      dropped: this.#dropped,
      waiting: this.#jobs - waits.length - this.#dropped,
      rejections: this.#rejections,
      waitMs: { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), max: waits.at(-1) ?? 0 },
      burstImbalance:
        burstJobs.length === 0 ? undefined : Math.max(...burstJobs) / (sum(burstJobs) / this.#workers.length),
      imbalance: this.#ratios.length === 0 ? undefined : sum(this.#ratios) / this.#ratios.length,
      overloadS: overloadMs / 1_000,
      overloadShare: overloadMs / (this.#workers.length * Math.max(1, endMs - startMs)),
      saturatedS: saturatedMs / 1_000,
      peakLoad: Math.max(...this.#workers.map(({ machine }) => machine.peak)),
      mostJobs: this.#mostJobs,
      looks: this.#looks,
      waits,
    };
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Nearest rank. */
function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

function largestBurst(trace: readonly TracedJob[]): number | undefined {
  const counts = new Map<number, number>();
  for (const { atMs } of trace) counts.set(atMs, (counts.get(atMs) ?? 0) + 1);
  let [most, largest] = [BURST - 1, undefined as number | undefined];
  for (const [atMs, count] of counts) if (count > most) [most, largest] = [count, atMs];
  return largest;
}
