/**
 * Why livekit-server's API did not answer a call. A closed set, so that callers can tell "not now" (asked again later
 * anyway) from "never so" (a setting is wrong), and metrics can count by it.
 */

export const LIVEKIT_ERROR_CODES = [
  /** No connection, or it broke. */
  "unreachable",
  /** No answer within the bound. */
  "timed_out",
  /** It answered that it cannot now: HTTP 5xx, 429, or Twirp's `unavailable`. */
  "unavailable",
  /** Key, secret or clock are wrong. */
  "unauthenticated",
  "permission_denied",
  "invalid_argument",
  "not_found",
  /** What answers there is not livekit-server, or its answer cannot be read. */
  "malformed",
  /** An answer above MAX_BODY_BYTES. */
  "too_large",
  /** The caller gave up. */
  "canceled",
  /** Any other refusal. */
  "refused",
] as const;

export type LivekitErrorCode = (typeof LIVEKIT_ERROR_CODES)[number];

export class LivekitError extends Error {
  override readonly name = "LivekitError";
  readonly code: LivekitErrorCode;
  /** As in the API: "ListRooms". */
  readonly method: string;
  /** Of the last answer; 0 when there was none. */
  readonly httpStatus: number;

  constructor(code: LivekitErrorCode, method: string, message: string, httpStatus = 0) {
    super(`LiveKit ${method}: ${message}`);
    this.code = code;
    this.method = method;
    this.httpStatus = httpStatus;
  }
}
