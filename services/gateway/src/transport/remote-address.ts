/** One spelling for a peer's ip, whichever library and socket family it came through. */
import { isIPv6 } from "node:net";

const MAPPED_PREFIX = "::ffff:";

/** From text as node gives it: IPv4-mapped addresses become dotted, the rest stays. */
export function addressFromText(text: string): string {
  return text.startsWith(MAPPED_PREFIX) && !isIPv6(text.slice(MAPPED_PREFIX.length))
    ? text.slice(MAPPED_PREFIX.length)
    : text;
}

/** From the 4 or 16 bytes of the address. Anything else (a socket already gone has none) is "". */
export function addressFromBytes(address: ArrayBuffer): string {
  const bytes = new Uint8Array(address);
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return "";
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const view = new DataView(address);
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16));
  // The URL parser writes IPv6 in its one canonical short form (RFC 5952), between brackets.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}
