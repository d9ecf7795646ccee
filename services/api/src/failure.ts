/**
 * What went wrong, as one of the closed codes. Owns telling "Redis is away, try again" and "Redis is full" from a bug of ours;
 * must never let the text of an unexpected error out to a caller.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Log } from "@muster/runtime/log";
import { isRedisFull, REDIS_FULL } from "@muster/runtime/redis/full";

/** Of a refusal that may be none a moment later; in seconds, as the header has it. */
export const RETRY_AFTER_S = "1";

export function isForLater({ code }: DispatchError): boolean {
  return code === "unavailable" || code === "resource_exhausted";
}

const REDIS_AWAY_NAMES = new Set([
  "MaxRetriesPerRequestError",
  "ClusterAllFailedError",
  "AbortError",
  "ETIMEDOUT",
]);
const REDIS_AWAY_TEXT =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS)\b|^Connection is closed|^connect E|^read E|^write E|^Socket timeout|^Stream isn't writeable/;

export function asDispatchError(error: unknown, log: Log): DispatchError {
  if (error instanceof DispatchError) {
    // Its text is ours, but nobody who asks for a dispatch can do anything about it.
    if (error.code === "internal") log.error({ error: error.message }, "a request failed");
    return error;
  }
  if (isRedisFull(error)) {
    log.warn({}, REDIS_FULL);
    return new DispatchError("unavailable", `${REDIS_FULL}; repeat the call then, with the same request id`);
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
