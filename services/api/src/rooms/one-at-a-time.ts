/**
 * Does something for one key at a time. Who comes while it is under way waits for the next time, together with all others
 * who came: what began before they came may have missed what they know of.
 */

interface Turn<T> {
  now: Promise<T>;
  next: Promise<T> | undefined;
}

export class OneAtATime<T> {
  readonly #work: (key: string) => Promise<T>;
  readonly #turns = new Map<string, Turn<T>>();

  /** `work` must never reject. */
  constructor(work: (key: string) => Promise<T>) {
    this.#work = work;
  }

  /** Keys for which something is under way. */
  get size(): number {
    return this.#turns.size;
  }

  /** Resolves with the result of a turn that began no earlier than this call. */
  run(key: string): Promise<T> {
    const turn = this.#turns.get(key);
    if (turn === undefined) return this.#begin(key);
    turn.next ??= turn.now.then(() => this.#begin(key));
    return turn.next;
  }

  async settled(): Promise<void> {
    while (this.#turns.size > 0) await Promise.all([...this.#turns.values()].map(({ now }) => now));
  }

  #begin(key: string): Promise<T> {
    const turn: Turn<T> = {
      now: this.#work(key).finally(() => {
        // Whoever waits for the next turn begins it in this very moment.
        if (turn.next === undefined) this.#turns.delete(key);
      }),
      next: undefined,
    };
    this.#turns.set(key, turn);
    return turn.now;
  }
}
