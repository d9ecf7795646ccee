/**
 * How bytes and text from outside become values: bounded first, and whatever goes wrong inside a decoder leaves as one
 * DispatchError. Decoders' own messages are passed on, the input never is: it may hold metadata and tokens.
 */

import { DispatchError } from "@muster/domain/errors";

export function refuseTooLarge(actualBytes: number, maxBytes: number, field: string): void {
  if (actualBytes > maxBytes) {
    throw new DispatchError("too_large", `${actualBytes} bytes, at most ${maxBytes} are taken`, field);
  }
}

/** Runs a protobuf decoder; its errors of any kind become `malformed`. */
export function decodeProtobuf<T>(field: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DispatchError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DispatchError("malformed", `not a valid protobuf message (${reason})`, field);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

export function decodeUtf8(bytes: Uint8Array, field: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new DispatchError("malformed", "not valid UTF-8", field);
  }
}
