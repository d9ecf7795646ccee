/**
 * Bounds how many calls are under way at once; who comes later waits in line, first come first served, until its turn or
 * until it gives up. Owns no time limit: whoever waits brings a signal that has one.
 */

export class CallLine {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Rejects with the signal's reason when that comes before its turn; `work` is then never started. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const takeTurn = () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(takeTurn);
        reject(signal.reason);
      };
      this.#waiting.add(takeTurn);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** The place goes straight to the first in line, so that nobody who comes just now is served before it. */
  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(first);
    first();
  }
}
