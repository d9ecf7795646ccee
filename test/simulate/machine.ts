/**
 * Owns the CPU of one simulated worker: what its jobs ask of it at each moment, what an SDK would measure of that, and for
 * how long it was asked too much. Knows nothing of who placed what; a demand above 1 is what its callers would hear.
 */

export interface MachineDeps {
  /** How many times as much it gets done as one of speed 1. */
  readonly speed: number;
  /** Its load without any job, 0–1. */
  readonly baseLoad: number;
  /** Above this it counts as overloaded. */
  readonly targetLoad: number;
  /** Offset of its measurements on the virtual clock, so that not all machines look at the same moment. */
  readonly phaseMs: number;
}

/** As the Python SDK measures: the mean of its last five samples, each of half a second. */
const SAMPLE_MS = 500;
const SAMPLES = 5;
/** Sums of costs are not exact: seven jobs of 0.1 are no more than 0.7. */
const ROUNDING = 1e-9;

export class Machine {
  readonly #deps: MachineDeps;
  readonly #samples: number[] = [];
  #jobLoad = 0;
  #sinceMs = 0;
  /** The end of the sample that is being taken, and the area under the load in it so far. */
  #sampleEndMs: number;
  #area = 0;
  #overloadedMs = 0;
  #saturatedMs = 0;
  #peak = 0;

  constructor(deps: MachineDeps) {
    this.#deps = deps;
    this.#sampleEndMs = deps.phaseMs % SAMPLE_MS;
  }

  /** What is asked of it now; above 1 it cannot keep up. */
  get demand(): number {
    return this.#deps.baseLoad + Math.max(0, this.#jobLoad) / this.#deps.speed;
  }

  get isOverloaded(): boolean {
    return this.demand > this.#deps.targetLoad + ROUNDING;
  }

  /** Its worst moment so far. */
  get peak(): number {
    return this.#peak;
  }

  /** `cost` is what the job costs a machine of speed 1; negative when it ends. */
  add(cost: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#jobLoad += cost;
    this.#peak = Math.max(this.#peak, this.demand);
  }

  /** What the SDK's load function answers at this time, 0–1; 0 before its first sample. */
  measured(nowMs: number): number {
    this.#advance(nowMs);
    if (this.#samples.length === 0) return 0;
    return this.#samples.reduce((sum, sample) => sum + sample, 0) / this.#samples.length;
  }

  /** For how long so far it was above the target load, and above what it can do at all. */
  excess(nowMs: number): { overloadedMs: number; saturatedMs: number } {
    this.#advance(nowMs);
    return { overloadedMs: this.#overloadedMs, saturatedMs: this.#saturatedMs };
  }

  #advance(nowMs: number): void {
    const passedMs = nowMs - this.#sinceMs;
    if (this.isOverloaded) this.#overloadedMs += passedMs;
    if (this.demand > 1 + ROUNDING) this.#saturatedMs += passedMs;
    const load = Math.min(1, this.demand);
    while (this.#sampleEndMs <= nowMs) {
      this.#area += load * (this.#sampleEndMs - this.#sinceMs);
      this.#samples.push(this.#area / SAMPLE_MS);
      if (this.#samples.length > SAMPLES) this.#samples.shift();
      this.#area = 0;
      this.#sinceMs = this.#sampleEndMs;
      this.#sampleEndMs += SAMPLE_MS;
    }
    this.#area += load * (nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }
}
