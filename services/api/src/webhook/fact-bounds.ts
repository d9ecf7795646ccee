/**
 * The bounds on what LiveKit says, and its times in milliseconds. Refusals name the field and never repeat its value.
 */

import { DispatchError } from "@muster/domain/errors";
import { MAX_FRAME_BYTES } from "@muster/domain/limits";

/** The end of the year 9999. */
const LAST_MS = 253_402_300_799_999n;

/** @throws DispatchError `invalid_argument` when it is empty or too long */
export function requireText(field: string, text: string, maxBytes: number): void {
  if (text === "") throw new DispatchError("invalid_argument", "is required", field);
  checkBytes(field, text, maxBytes);
}

/** @throws DispatchError `invalid_argument` */
export function checkBytes(field: string, text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new DispatchError("invalid_argument", `${bytes} bytes; at most ${maxBytes} are taken`, field);
}

/** A message in base64, which goes to workers within one frame. @throws DispatchError `invalid_argument` */
export function checkInfo(field: string, info: string): void {
  if (Buffer.byteLength(info, "base64") <= MAX_FRAME_BYTES) return;
  throw new DispatchError("invalid_argument", `more than ${MAX_FRAME_BYTES} bytes`, field);
}

/** From the two fields that LiveKit has for most times. 0 when it is not said, or is none: Go's zero time is in the year 1. */
export function unixMsOf(ms: bigint, seconds: bigint): number {
  const time = ms > 0n ? ms : seconds * 1_000n;
  return time > 0n && time <= LAST_MS ? Number(time) : 0;
}
