/**
 * Raw connections for who says what no client would: heads and bodies as bytes, sent as fast or as slowly as told, and
 * what came back. Owns no knowledge of HTTP but where an answer's status stands.
 */
import { connect, type Socket } from "node:net";

export interface RawConnection {
  readonly socket: Socket;
  /** What came so far. */
  answer(): string;
  /** Resolves when the other side is done with it, or it is destroyed. */
  readonly closed: Promise<void>;
}

const KEPT = 16_384;

/** Resolves once it is connected. */
export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (chunk) => {
    if (answer.length < KEPT) answer += chunk.toString("latin1");
  });
  // What goes wrong shows as a close.
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("close", () => reject(new Error("the connection was refused")));
  });
  return { socket, answer: () => answer, closed };
}

/** The status of the first answer; 0 while there is none. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.\d (\d{3})/.exec(answer)?.[1] ?? 0);
}

/** Sends one request and waits for the answer's head, or for the end; at most so long. */
export async function rawRequest(url: string, bytes: string | Buffer, deadlineMs = 3_000): Promise<string> {
  const connection = await openRaw(url);
  const { socket } = connection;
  const answered = new Promise<void>((resolve) => {
    socket.on("data", () => {
      if (connection.answer().includes("\r\n\r\n")) resolve();
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  await Promise.race([answered, connection.closed, late]);
  clearTimeout(timer);
  socket.destroy();
  return connection.answer();
}

/** Writes until the peer takes no more, then waits for it; answers false once it is closed. */
export async function writeAll(socket: Socket, bytes: Uint8Array): Promise<boolean> {
  if (socket.destroyed) return false;
  if (socket.write(bytes)) return true;
  await new Promise<void>((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
  return !socket.destroyed;
}

/** A time of an attack is a part of it. Ends early when it is over. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
