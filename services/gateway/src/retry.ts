/**
 * Owns trying again while Redis is away. Only for calls that answer the same when repeated, as every script does.
 */

import { pause } from "@muster/actor/timing";
import type { Clock } from "@muster/runtime/clock";

const RETRY_MS = 250;

/** Calls `attempt` until it succeeds, for as long as `isWanted`. undefined: it was not wanted any more. */
export async function untilDone<T>(
  clock: Clock,
  isWanted: () => boolean,
  attempt: () => Promise<T>,
  onFailure: (error: unknown) => void,
): Promise<T | undefined> {
  while (isWanted()) {
    try {
      return await attempt();
    } catch (error) {
      onFailure(error);
      await pause(clock, RETRY_MS);
    }
  }
  return undefined;
}
