/** Owns what the model knows of how long agents take to join their rooms. */
import { LONGEST_JOIN } from "@muster/domain/timing";
import type { ModelJob } from "./ledger-model-types.js";
import { START_MS } from "./scene.js";

/** Who comes sooner needs no lesson. */
export const SLOW_MS = 5_000;
const ALLOWANCE = 1.25;
export const LONGEST_JOIN_MS = LONGEST_JOIN * START_MS;

export class JoinTimes {
  readonly #taught = new Map<string, number>();

  learn(pool: string, tookMs: number): void {
    if (tookMs <= SLOW_MS) return;
    this.#taught.set(pool, Math.max(this.#taught.get(pool) ?? 0, Math.ceil(tookMs * ALLOWANCE)));
  }

  deadline(job: ModelJob, pool: string): number {
    const givenMs = START_MS * 2 ** Math.max(0, job.attempts - 1);
    return job.startedAt + Math.min(LONGEST_JOIN_MS, Math.max(givenMs, this.#taught.get(pool) ?? 0));
  }
}
