/**
 * Lives of rooms that this process has dealt with, so that not every word of a room leads to the same questions. Only
 * spares work: forgetting one costs a look, nothing else.
 */

const MAX_REMEMBERED = 10_000;

export class LivesSeen {
  /** Sids, the oldest first. */
  readonly #sids = new Set<string>();

  has(sid: string): boolean {
    return this.#sids.has(sid);
  }

  delete(sid: string): void {
    this.#sids.delete(sid);
  }

  add(sid: string): void {
    this.#sids.add(sid);
    const [oldest] = this.#sids;
    if (this.#sids.size > MAX_REMEMBERED && oldest !== undefined) this.#sids.delete(oldest);
  }
}
