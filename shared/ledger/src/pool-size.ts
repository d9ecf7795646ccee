/**
 * Measures pools page by page, each page one script, so that one of many workers holds up nobody. Owns no number: what
 * counts as what is lua/measure-pool's, what follows from it domain/scaling's.
 */

import { addSizes, EMPTY_POOL, type PoolSize } from "@muster/domain/scaling";
import type { Ledger } from "./ledger.js";
import type { PoolCounts } from "./shapes.js";

/** A page has Redis for about half a millisecond, on a slow machine. */
const SESSIONS_PER_CALL = 64;
/** A job is placed, or parked, within milliseconds; what is not is among the newest. */
const NEWEST_JOBS = 64;
const NEWEST = -1;

/** All zero for a pool that was never seen. Where it has many workers, the sum is not of one moment. */
export async function measurePool(
  ledger: Pick<Ledger, "measurePool">,
  namespace: string,
  pool: string,
): Promise<PoolSize> {
  let size = EMPTY_POOL;
  for (let below = NEWEST; below !== 0; ) {
    const page = { namespace, pool, below, limit: SESSIONS_PER_CALL, newest: NEWEST_JOBS };
    const { counts, next } = await ledger.measurePool(page);
    size = addSizes(size, sizeOf(counts));
    below = next;
  }
  return size;
}

function sizeOf({ drained_busy: drainedBusy, oldest_wait: oldestWaitMs, ...counts }: PoolCounts): PoolSize {
  return { ...counts, drainedBusy, oldestWaitMs };
}
