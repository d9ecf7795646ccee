/** Work under way that somebody may wait for, but only so long. What is handed in must deal with its own failures. */
export class Errands {
  #open = 0;
  #whenNone: (() => void)[] = [];

  run(errand: Promise<void>): void {
    this.#open++;
    void errand.finally(() => {
      this.#open--;
      if (this.#open === 0) for (const resolve of this.#whenNone.splice(0)) resolve();
    });
  }

  /** Resolves when nothing is under way, at the latest after `withinMs`. */
  done(withinMs: number): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#whenNone.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
