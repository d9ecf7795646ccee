/**
 * Owns the process's sense of time, so that code with timers can be given another one in tests.
 * Deadlines that outlive a process are never kept here: those are in Redis, whose TIME rules them.
 */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `run` once after `delayMs`; the returned function cancels it and may be called at any time. */
  setTimer(delayMs: number, run: () => void): () => void;
}

/** The longest delay that setTimeout can hold; above it Node fires at once, so longer ones are waited for in steps. */
const MAX_STEP_MS = 2 ** 31 - 1;

/** Pending timers never keep the process alive: what drains must be able to end. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(delayMs, run) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number) => {
      const stepMs = Math.min(leftMs, MAX_STEP_MS);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : run()), stepMs);
      timer.unref();
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};
