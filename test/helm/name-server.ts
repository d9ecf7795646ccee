/** Owns a name server for tests, as a cluster has one: says 127.0.0.1 for the names that it was told, and that others are not there. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface NameServer {
  readonly port: number;
  readonly names: Set<string>;
  close(): void;
}

const HEADER_BYTES = 12;
const NO_SUCH_NAME = 3;

export async function startNameServer(): Promise<NameServer> {
  const names = new Set<string>();
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => socket.send(answer(query, names), from.port, from.address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { port: socket.address().port, names, close: () => void socket.close() };
}

/** To one question about an IPv4 address, as nginx asks: RFC 1035, 4.1. */
function answer(query: Buffer, names: ReadonlySet<string>): Buffer {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("ascii", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(HEADER_BYTES, at + 5);
  const isKnown = names.has(labels.join("."));
  const header = Buffer.from(query.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(0x8180 | (isKnown ? 0 : NO_SUCH_NAME), 2);
  header.writeUInt16BE(isKnown ? 1 : 0, 6);
  header.fill(0, 8);
  // The name again by its place, type A, class IN, for a second, four bytes.
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
  return Buffer.concat([header, question, ...(isKnown ? [record] : [])]);
}
