/**
 * Waits for something no longer than a time. What it waits for goes on.
 */

import type { Clock } from "@muster/runtime/clock";

/** undefined: it takes longer. Rejects as `work` does, if that is in time. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  let cancel = (): void => {};
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.setTimer(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
