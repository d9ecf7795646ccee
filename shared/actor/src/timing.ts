/**
 * Owns waiting with a bound, on a clock that is passed in. Never cancels what is waited for: a promise that is late
 * goes on by itself, and what it says afterwards is nobody's.
 */
import type { Clock } from "@muster/runtime/clock";

export type Within<T> = { late: false; value: T } | { late: true };

/** Waits for `promise`, but no longer than `limitMs`. Rejects when it rejects in time. */
export async function within<T>(clock: Clock, limitMs: number, promise: Promise<T>): Promise<Within<T>> {
  let cancel = (): void => {};
  const late = new Promise<Within<T>>((resolve) => {
    cancel = clock.setTimer(limitMs, () => resolve({ late: true }));
  });
  try {
    return await Promise.race([promise.then((value): Within<T> => ({ late: false, value })), late]);
  } finally {
    cancel();
  }
}

export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(delayMs, resolve));
}

/** What a log line may say of something thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
