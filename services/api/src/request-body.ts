/**
 * Reads a request's body, up to a bound and never beyond it. Owns nothing else; what the bytes mean is the codecs', how many
 * of them all calls may hold together is bodies.ts's.
 */

import { DispatchError } from "@muster/domain/errors";

export interface BodyBounds {
  maxBytes: number;
  /** Before so many bytes are held. Throws when there is no room for them. */
  take(bytes: number): void;
  /** Rejects when the body has had its time. Never resolves. */
  late: Promise<never>;
}

/** Announced bodies up to this are counted before they come: they are not worth a look at each part. */
const WHOLE_BYTES = 16 * 1024;

/** @throws DispatchError `too_large`, `malformed` when the body broke off, and whatever the bounds throw */
export async function readBody(
  request: Request,
  { maxBytes, take, late }: BodyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) > maxBytes) throw tooLarge(maxBytes);
  const isWhole = announced !== null && !request.headers.has("transfer-encoding");
  if (isWhole && Number(announced) <= WHOLE_BYTES) {
    take(Number(announced));
    // HTTP gives no more than was announced. Measured: 0.44 ms of CPU a call, by a stream 0.7.
    const reading = request.arrayBuffer().catch(brokenOff);
    return new Uint8Array(await Promise.race([reading, late]));
  }
  let isLate = false;
  const reading = readStream(request, { maxBytes, take: (bytes) => (isLate ? brokenOff() : take(bytes)) });
  try {
    // Once for the whole of it: each race leaves something at the loser.
    return await Promise.race([reading, late]);
  } finally {
    isLate = true;
    reading.catch(() => undefined);
  }
}

async function readStream(
  request: Request,
  { maxBytes, take }: Pick<BodyBounds, "maxBytes" | "take">,
): Promise<Uint8Array<ArrayBuffer>> {
  if (request.body === null) return new Uint8Array();
  // Parts are copied together as they come: kept one by one, a byte in a part of its own is held at a hundred times its size.
  let held = Buffer.alloc(0);
  let bytes = 0;
  const reader = request.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(brokenOff);
      if (done) return new Uint8Array(held.buffer, held.byteOffset, bytes);
      const needed = bytes + value.byteLength;
      if (needed > maxBytes) throw tooLarge(maxBytes);
      const size =
        needed <= held.byteLength
          ? 0
          : Math.min(maxBytes, Math.max(needed, 2 * held.byteLength, WHOLE_BYTES));
      take(Math.max(0, size - held.byteLength));
      if (size > 0) {
        const larger = Buffer.allocUnsafeSlow(size);
        held.copy(larger, 0, 0, bytes);
        held = larger;
      }
      held.set(value, bytes);
      bytes = needed;
    }
  } catch (error) {
    // Not awaited: what is left of the body is the transport's to drop.
    void reader.cancel().catch(() => undefined);
    throw error;
  }
}

function brokenOff(): never {
  throw new DispatchError("malformed", "failed to read the request body", "body");
}

function tooLarge(maxBytes: number): DispatchError {
  return new DispatchError("too_large", `at most ${maxBytes} bytes are taken`, "body");
}
