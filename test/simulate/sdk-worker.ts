/**
 * Owns how a simulated worker behaves towards its server: as the stock Python SDK does (worker.py of livekit/agents
 * da6af86a). It says how loaded it is and when it is full, and answers each offer by what it then knows of itself. Who asks
 * is not its business: the same worker serves every strategy.
 */
import { Random } from "../cluster/siege/random.js";
import { normal } from "./chance.js";
import type { Machine } from "./machine.js";
import type { TracedJob } from "./trace.js";

export interface SdkWorkerDeps {
  readonly id: string;
  readonly machine: Machine;
  readonly seed: number;
  /** From this load on it says FULL. */
  readonly threshold: number;
  /** It then refuses offers as well, as the Python SDK does and the Node SDK does not. */
  readonly refuses: boolean;
  /** Deviation of what it measures from what is, 0–1. */
  readonly noise: number;
  /** Processes that it keeps ready: without any job, one more is taken to cost the threshold over these. */
  readonly idleProcesses: number;
}

export interface LoadReport {
  readonly status: "available" | "full";
  readonly load: number;
  readonly jobCount: number;
}

export class SdkWorker {
  readonly id: string;
  readonly machine: Machine;
  readonly #deps: SdkWorkerDeps;
  readonly #chance: Random;
  #error = 0;
  /** Jobs that it said yes to and has not launched yet. */
  #reserved = 0;
  #active = 0;

  constructor(deps: SdkWorkerDeps) {
    this.#deps = deps;
    this.id = deps.id;
    this.machine = deps.machine;
    this.#chance = new Random(deps.seed);
  }

  /** Jobs that it has taken and not ended, launched or not. */
  get jobs(): number {
    return this.#reserved + this.#active;
  }

  /** The periodic report. */
  report(nowMs: number): LoadReport {
    this.#error = this.#deps.noise * normal(this.#chance);
    return {
      status: this.#isFull(nowMs) ? "full" : "available",
      load: this.#load(nowMs),
      jobCount: this.#active,
    };
  }

  /** Its answer to an offer. True reserves a slot until launch(). */
  answer(nowMs: number): boolean {
    if (this.#deps.refuses && this.#isFull(nowMs)) return false;
    this.#reserved++;
    return true;
  }

  launch(job: TracedJob, nowMs: number): void {
    this.#reserved--;
    this.#active++;
    this.machine.add(job.cost, nowMs);
  }

  end(job: TracedJob, nowMs: number): void {
    this.#active--;
    this.machine.add(-job.cost, nowMs);
  }

  #load(nowMs: number): number {
    return Math.min(1, Math.max(0, this.machine.measured(nowMs) + this.#error));
  }

  /** A job that it has not launched yet counts as much as its others do on average. */
  #isFull(nowMs: number): boolean {
    const { threshold, idleProcesses } = this.#deps;
    const load = this.#load(nowMs);
    const perJob = this.#active > 0 ? load / this.#active : threshold / idleProcesses;
    return load + this.#reserved * perJob >= threshold;
  }
}
