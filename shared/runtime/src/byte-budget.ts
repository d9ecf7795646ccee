/**
 * Owns a count of the bytes that something keeps in memory, and the bound on it. Nothing waits here: what does not fit is
 * refused, and the caller decides who goes. What was taken must be given back, once, whatever became of the work.
 */

import { invariant } from "@muster/domain/assert";

export class ByteBudget {
  readonly most: number;
  #used = 0;

  /** `most`: bytes that may be taken at a time. */
  constructor(most: number) {
    this.most = most;
  }

  get used(): number {
    return this.#used;
  }

  /** False, and nothing is taken, where it would go above the bound. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.most) return false;
    this.#used += bytes;
    return true;
  }

  /** Throws where more is given than was taken: a bound that drifts is none. */
  give(bytes: number): void {
    invariant(bytes <= this.#used, "more bytes given back than were taken");
    this.#used -= bytes;
  }
}
