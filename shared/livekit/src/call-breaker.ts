/**
 * Decides whether LiveKit is asked at all, for questions that somebody waits for. After a call that failed nobody asks for
 * a while, and longer each time; then one call tries. Owns no call: whoever asks says how it went.
 */

import type { Clock } from "@muster/runtime/clock";

export interface CallBreakerDeps {
  clock: Clock;
  /** The first pause, in ms; each further one is twice as long. Default: 1 s. */
  firstPauseMs?: number;
  /** No pause is longer. Default: 30 s. */
  longestPauseMs?: number;
  /** Told when a pause begins, and when LiveKit answers again. */
  onChange?: (isPaused: boolean) => void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export class CallBreaker {
  readonly #deps: CallBreakerDeps;
  /** 0: LiveKit answers. */
  #pauseMs = 0;
  #pausedUntilMs = 0;
  #isTrying = false;

  constructor(deps: CallBreakerDeps) {
    this.#deps = deps;
  }

  /** Whoever gets true asks, and must call `succeeded` or `failed` when that is over. */
  allows(): boolean {
    if (this.#pauseMs === 0) return true;
    if (this.#isTrying || this.#deps.clock.now() < this.#pausedUntilMs) return false;
    this.#isTrying = true;
    return true;
  }

  succeeded(): void {
    this.#isTrying = false;
    if (this.#pauseMs === 0) return;
    this.#pauseMs = 0;
    this.#deps.onChange?.(false);
  }

  /** Calls that were under way together count once. */
  failed(): void {
    const { clock, firstPauseMs = FIRST_PAUSE_MS, longestPauseMs = LONGEST_PAUSE_MS, onChange } = this.#deps;
    const wasPaused = this.#pauseMs > 0;
    if (wasPaused && !this.#isTrying) return;
    this.#isTrying = false;
    this.#pauseMs = wasPaused ? Math.min(longestPauseMs, 2 * this.#pauseMs) : firstPauseMs;
    this.#pausedUntilMs = clock.now() + this.#pauseMs;
    if (!wasPaused) onChange?.(true);
  }
}
