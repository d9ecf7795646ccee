/**
 * The port to every fact kept in Redis: one method a script, named like it. Callers see typed arguments and unions,
 * never keys, positions or Redis. INVARIANTS.md says what each script keeps true.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";
import { type BoundScripts, bindScripts } from "./generated/scripts.js";

export type Ledger = BoundScripts;

/** One Redis client serves all namespaces; the ledger holds no state of its own. */
export function createLedger(redis: RedisClient): Ledger {
  return bindScripts(redis);
}
