/**
 * Owns what became of the honest ones' asking of one kind: begun, taken or refused, served after so long, done. One that
 * was taken and is not done at the end is lost.
 */
import { Times } from "../percentiles.js";

export interface LineFigures {
  readonly asked: number;
  readonly served: number;
  readonly refused: number;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the last that was refused. */
  readonly refusal: string;
}

export class Line {
  readonly #times = new Times();
  readonly #open = new Map<string, { sinceMs: number; isServed: boolean }>();
  #asked = 0;
  #done = 0;
  #refused = 0;
  #refusal = "";

  get open(): number {
    return this.#open.size;
  }

  /** `ask` rejects when it is refused; the rest is told by served() and done(). */
  async try(name: string, ask: () => Promise<void>): Promise<void> {
    this.#asked++;
    this.#open.set(name, { sinceMs: performance.now(), isServed: false });
    try {
      await ask();
    } catch (error) {
      this.#refused++;
      this.#refusal = error instanceof Error ? error.message : String(error);
      this.#open.delete(name);
    }
  }

  /** It is served and done by the answer to it. */
  async whole(name: string, ask: () => Promise<void>): Promise<void> {
    await this.try(name, async () => {
      await ask();
      this.served(name);
    });
    this.done(name);
  }

  served(name: string): void {
    const one = this.#open.get(name);
    if (one === undefined || one.isServed) return;
    one.isServed = true;
    this.#times.add(performance.now() - one.sinceMs);
  }

  done(name: string): void {
    if (this.#open.delete(name)) this.#done++;
  }

  figures(): LineFigures {
    return {
      asked: this.#asked,
      served: this.#done,
      refused: this.#refused,
      lost: this.#open.size,
      p50Ms: this.#times.at(0.5),
      p99Ms: this.#times.at(0.99),
      refusal: this.#refusal,
    };
  }
}
