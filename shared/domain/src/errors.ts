/**
 * The closed set of reasons for which Muster refuses what somebody asked for.
 * Outcomes that are normal under contention (no capacity, stale answer) are values of the call instead, never errors.
 * One exhaustive table per edge maps a code to HTTP status, Twirp code or WebSocket close code.
 */

export const DISPATCH_ERROR_CODES = [
  "invalid_argument",
  "malformed",
  "too_large",
  "unauthenticated",
  "permission_denied",
  "not_found",
  "already_exists",
  "failed_precondition",
  "too_many_namespaces",
  "resource_exhausted",
  "unavailable",
  "internal",
] as const;

export type DispatchErrorCode = (typeof DISPATCH_ERROR_CODES)[number];

export class DispatchError extends Error {
  override readonly name = "DispatchError";
  readonly code: DispatchErrorCode;
  /** The field that is at fault, named as the caller wrote it ("register.deployment"); absent when no single one is. */
  readonly field: string | undefined;

  constructor(code: DispatchErrorCode, message: string, field?: string) {
    super(field === undefined ? message : `${field}: ${message}`);
    this.code = code;
    this.field = field;
  }
}
