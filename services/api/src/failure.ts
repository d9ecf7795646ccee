/**
 * What went wrong, as one of the closed codes. Owns telling "Redis is away, try again" from a bug of ours; must never
 * let the text of an unexpected error out to a caller.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Log } from "@muster/runtime/log";

const REDIS_AWAY_NAMES = new Set([
  "MaxRetriesPerRequestError",
  "ClusterAllFailedError",
  "AbortError",
  "ETIMEDOUT",
]);
const REDIS_AWAY_TEXT =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS)\b|^Connection is closed|^connect E|^read E|^write E|^Socket timeout|^Stream isn't writeable/;

export function asDispatchError(error: unknown, log: Log): DispatchError {
  if (error instanceof DispatchError) {
    // Its text is ours, but nobody who asks for a dispatch can do anything about it.
    if (error.code === "internal") log.error({ error: error.message }, "a request failed");
    return error;
  }
  if (isRedisAway(error)) {
    log.warn({ error: error.message }, "a request failed for want of Redis");
    return new DispatchError(
      "unavailable",
      "the ledger (Redis) cannot be reached; repeat the call with the same request id",
    );
  }
  log.error({ err: error }, "a request failed unexpectedly");
  return new DispatchError("internal", "internal error; the log has its cause");
}

function isRedisAway(error: unknown): error is Error {
  return error instanceof Error && (REDIS_AWAY_NAMES.has(error.name) || REDIS_AWAY_TEXT.test(error.message));
}
