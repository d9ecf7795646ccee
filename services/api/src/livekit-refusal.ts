/**
 * Why LiveKit did not do what a caller asked Muster for, in the words for callers: what they can mend, what passes, and
 * what only whoever runs Muster can set right.
 */

import { assertNever } from "@muster/domain/assert";
import { DispatchError } from "@muster/domain/errors";
import { LivekitError } from "@muster/livekit/livekit-error";

/** Any other error as it is. */
export function livekitRefusal(error: unknown): unknown {
  if (!(error instanceof LivekitError)) return error;
  const { code, message } = error;
  switch (code) {
    case "unreachable":
    case "timed_out":
    case "unavailable":
    case "canceled":
      return new DispatchError("unavailable", `${message}; repeat the call`);
    case "invalid_argument":
      return new DispatchError("invalid_argument", message);
    case "unauthenticated":
    case "permission_denied":
      return new DispatchError(
        "failed_precondition",
        `${message}; MUSTER_LIVEKIT_KEYS must be keys of that LiveKit`,
      );
    case "not_found":
    case "malformed":
    case "too_large":
    case "refused":
      return new DispatchError("failed_precondition", message);
    default:
      return assertNever(code, "LiveKit error code");
  }
}
