/**
 * A signal that fires when a time is over or when the signal above it fires, whichever is first, with the reason of that.
 * Must be ended by its owner in every case, or timer and listener stay.
 */

import type { Clock } from "@muster/runtime/clock";

export interface TimeLimitOptions {
  clock: Clock;
  ms: number;
  /** Made when the time is over. */
  timedOut: () => Error;
  above?: AbortSignal | undefined;
  /** What the one above says, as the reason of this one; its own reason when not given. */
  given?: () => Error;
}

export class TimeLimit {
  readonly #controller = new AbortController();
  readonly #options: TimeLimitOptions;
  readonly #cancelTimer: () => void;

  constructor(options: TimeLimitOptions) {
    const { clock, ms, timedOut, above } = options;
    this.#options = options;
    this.#cancelTimer = clock.setTimer(ms, () => this.#controller.abort(timedOut()));
    if (above?.aborted) this.#pass();
    else above?.addEventListener("abort", this.#pass, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    this.#cancelTimer();
    this.#options.above?.removeEventListener("abort", this.#pass);
  }

  readonly #pass = (): void => {
    const { above, given } = this.#options;
    this.#controller.abort(given === undefined ? above?.reason : given());
  };
}
