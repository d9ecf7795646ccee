/**
 * DispatchError codes as Twirp errors. The names and their statuses are the Twirp specification's; HTTP routes that are
 * not Twirp take the status alone.
 */

import type { DispatchErrorCode } from "@muster/domain/errors";

export type TwirpCode =
  | "invalid_argument"
  | "malformed"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "already_exists"
  | "failed_precondition"
  | "resource_exhausted"
  | "unavailable"
  | "internal";

export interface TwirpError {
  readonly twirpCode: TwirpCode;
  readonly httpStatus: number;
}

export const TWIRP_ERRORS: Readonly<Record<DispatchErrorCode, TwirpError>> = {
  invalid_argument: { twirpCode: "invalid_argument", httpStatus: 400 },
  malformed: { twirpCode: "malformed", httpStatus: 400 },
  // Twirp has no code for it; 413 is what livekit-server answers to a body over its bound.
  too_large: { twirpCode: "invalid_argument", httpStatus: 413 },
  unauthenticated: { twirpCode: "unauthenticated", httpStatus: 401 },
  permission_denied: { twirpCode: "permission_denied", httpStatus: 403 },
  not_found: { twirpCode: "not_found", httpStatus: 404 },
  already_exists: { twirpCode: "already_exists", httpStatus: 409 },
  failed_precondition: { twirpCode: "failed_precondition", httpStatus: 412 },
  too_many_namespaces: { twirpCode: "failed_precondition", httpStatus: 412 },
  // The caller's own share is used up; for what all have together it is `unavailable`.
  resource_exhausted: { twirpCode: "resource_exhausted", httpStatus: 429 },
  unavailable: { twirpCode: "unavailable", httpStatus: 503 },
  internal: { twirpCode: "internal", httpStatus: 500 },
};
