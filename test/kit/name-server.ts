/**
 * Owns a name server for tests, on a port of 127.0.0.1: says of each name that it was given that its address is 127.0.0.1,
 * as an engine's does of its services, and a cluster's, and of all others that they do not exist.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface NameServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly port: number;
  readonly known: Set<string>;
  stop(): Promise<void>;
}

const HEADER_BYTES = 12;
const ANSWERED = 0x8180;
const NO_SUCH_NAME = 0x8183;
/** A pointer to the question's name, type A, class IN, 1 s to live, 4 bytes: 127.0.0.1. */
const LOOPBACK = Buffer.from([0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);

export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket("udp4");
  const known = new Set<string>();
  socket.on("message", (query, peer) => {
    const { name, end } = questionIn(query);
    const isKnown = known.has(name);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    header.writeUInt16BE(isKnown ? ANSWERED : NO_SUCH_NAME, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(isKnown ? 1 : 0, 6);
    const parts = [header, query.subarray(HEADER_BYTES, end), ...(isKnown ? [LOOPBACK] : [])];
    socket.send(Buffer.concat(parts), peer.port, peer.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  return {
    address: `127.0.0.1:${port}`,
    port,
    known,
    async stop() {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** The one question's name, and where it ends: its labels, each behind its length, then type and class. */
function questionIn(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 5 };
}
