/**
 * Why Muster closes a worker's socket: the code, its short name, and what it means. The table stands in
 * proto/PROTOCOL.md too, held against this one by a test. Both SDKs reconnect after any of them.
 */

import type { DispatchErrorCode } from "@muster/domain/errors";

export const CLOSE_CODES = {
  normal: { code: 1000, meaning: "the worker left, or its drain is complete" },
  draining: { code: 1001, meaning: "the server drains; dial again and land on another one" },
  too_large: { code: 1009, meaning: "a frame over 2 MiB" },
  internal: { code: 1011, meaning: "a fault of the server" },
  too_slow: {
    code: 1013,
    meaning: "the worker reads too slowly: the back-pressure bound was hit; or the ledger is out of reach",
  },
  malformed: {
    code: 4400,
    meaning: "a message that is not valid protobuf or JSON, or has a field of the wrong type",
  },
  expired: {
    code: 4401,
    meaning: "the token that opened the socket has expired; dial again with a fresh one",
  },
  not_registered: { code: 4408, meaning: "not registered within 10 s" },
  registered_twice: { code: 4409, meaning: "a second register on one connection" },
  replaced: {
    code: 4410,
    meaning: "the session was replaced by a newer one, or lost its place in the ledger",
  },
  too_many_namespaces: {
    code: 4423,
    meaning:
      "a new namespace, and as many of the project have workers as may, or had some within 3 minutes; see MUSTER_MAX_NAMESPACES",
  },
  refused: { code: 4422, meaning: "understood and refused; the reason names the field" },
  over_limit: {
    code: 4429,
    meaning: "more than one worker may have in memory here, or ask for in a while; the reason says what",
  },
} as const satisfies Record<string, { code: number; meaning: string }>;

export type CloseName = keyof typeof CLOSE_CODES;

/** How a DispatchError that reaches the socket ends it. */
const BY_ERROR: Readonly<Record<DispatchErrorCode, CloseName>> = {
  invalid_argument: "refused",
  malformed: "malformed",
  too_large: "too_large",
  // Keys and grants are checked before the upgrade, with HTTP status; past it only a withdrawn key can lead here.
  unauthenticated: "refused",
  permission_denied: "refused",
  not_found: "refused",
  already_exists: "registered_twice",
  failed_precondition: "refused",
  too_many_namespaces: "too_many_namespaces",
  resource_exhausted: "too_slow",
  unavailable: "too_slow",
  internal: "internal",
};

export function closeNameOf(error: DispatchErrorCode): CloseName {
  return BY_ERROR[error];
}

export function closeCodeOf(error: DispatchErrorCode): number {
  return CLOSE_CODES[BY_ERROR[error]].code;
}

const MAX_REASON_BYTES = 123;

/** A close reason that fits its frame (RFC 6455: 125 bytes with the code), cut between characters. */
export function closeReason(text: string): string {
  if (Buffer.byteLength(text) <= MAX_REASON_BYTES) return text;
  let cut = "";
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_REASON_BYTES) break;
    cut += character;
  }
  return cut;
}
