/**
 * From a fetch handler to bytes, as far as both transports are alike: calling it, 500 when it throws, which headers are
 * passed on, and whether a body goes out whole (with its length) or chunk by chunk as it comes. The server's own response
 * is behind `Outgoing`. Must never write to a peer that has gone, nor keep reading a body for it.
 */
import { STATUS_CODES } from "node:http";
import type { Log } from "@muster/runtime/log";

export interface Head {
  status: number;
  statusText: string;
  headers: [name: string, value: string][];
}

/** One response under way. */
export interface Outgoing {
  /** Aborts when the peer goes before the answer is complete. Made when it is first asked for: it is not cheap. */
  readonly signal: AbortSignal;
  /** Nothing can be written any more: it has ended, or the peer has gone. Every call then does nothing. */
  readonly over: boolean;
  /** The whole answer at once. No body: `contentLength` is what a HEAD answer announces, or 0; undefined announces none. */
  end(head: Head, body: Uint8Array | undefined, contentLength: number | undefined): void;
  begin(head: Head): void;
  /** Resolves when more may be written, or the peer has gone. */
  write(chunk: Uint8Array): Promise<void>;
  finish(): void;
  /** Cuts the connection, so that a half-sent body is not taken for a whole one. */
  cut(): void;
}

/** A body that is complete within one turn of the event loop is sent whole, if it is not larger than this. */
const MAX_WHOLE_BYTES = 1024 * 1024;

/** These describe one connection, not the answer; the server writes its own. */
const HOP_HEADERS = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"]);

export async function answer(
  method: string,
  out: Outgoing,
  respond: () => Promise<Response>,
  log: Log,
): Promise<void> {
  try {
    const response = await responseOf(out, respond, log);
    if (out.over) await response.body?.cancel();
    else await send(method, response, out);
  } catch (error) {
    if (out.over) return;
    log.error({ err: error }, "sending an http answer failed");
    out.cut();
  }
}

async function responseOf(out: Outgoing, respond: () => Promise<Response>, log: Log): Promise<Response> {
  try {
    return await respond();
  } catch (error) {
    // Its reads and writes fail when the peer goes: nothing to report, nobody to tell.
    if (!out.over) log.error({ err: error }, "an http handler failed");
    return textAnswer(500, "internal error");
  }
}

export function textAnswer(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** The signal of a controller that was made only now, perhaps after what it tells of. */
export function signalOf(controller: AbortController, gone: boolean): AbortSignal {
  if (gone) controller.abort();
  return controller.signal;
}

export function headOf(response: Response): Head {
  const headers: [string, string][] = [];
  for (const [name, value] of response.headers) if (!HOP_HEADERS.has(name)) headers.push([name, value]);
  return {
    status: response.status,
    statusText: response.statusText || (STATUS_CODES[response.status] ?? "Unknown"),
    headers,
  };
}

async function send(method: string, response: Response, out: Outgoing): Promise<void> {
  const head = headOf(response);
  if (method === "HEAD") {
    out.end(head, undefined, announcedLength(response));
    await response.body?.cancel();
    return;
  }
  if (response.body === null) {
    // RFC 9110 8.6: no length with these two.
    const hasLength = response.status !== 204 && response.status !== 304;
    out.end(head, undefined, hasLength ? 0 : undefined);
    return;
  }
  await sendBody(head, response.body.getReader(), out);
}

function announcedLength(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  return length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Read = Awaited<ReturnType<Reader["read"]>>;

async function sendBody(head: Head, reader: Reader, out: Outgoing): Promise<void> {
  const ready = await readReady(reader);
  if (!out.over && ready.whole) {
    out.end(head, joined(ready.chunks), undefined);
    return;
  }
  out.begin(head);
  for (const chunk of ready.chunks) await out.write(chunk);
  const gone = new Promise<"gone">((resolve) => out.signal.addEventListener("abort", () => resolve("gone")));
  for (let next = ready.next ?? reader.read(); !out.over; next = reader.read()) {
    // A source may be silent for hours; a peer that goes meanwhile must not keep it open.
    const read = await Promise.race([next, gone]);
    if (read === "gone") break;
    if (read.done) out.finish();
    else await out.write(read.value);
  }
  await reader.cancel();
}

interface Ready {
  chunks: Uint8Array[];
  whole: boolean;
  /** The read that was under way when the turn ended. */
  next?: Promise<Read>;
}

/** What can be read without waiting for anything but this turn of the event loop. */
async function readReady(reader: Reader): Promise<Ready> {
  const turn = new Promise<"later">((resolve) => setImmediate(resolve, "later"));
  const chunks: Uint8Array[] = [];
  for (let bytes = 0; ; ) {
    const next = reader.read();
    const first = await Promise.race([next, turn]);
    if (first === "later") return { chunks, whole: false, next };
    if (first.done) return { chunks, whole: true };
    chunks.push(first.value);
    bytes += first.value.byteLength;
    if (chunks.length > 1 && bytes > MAX_WHOLE_BYTES) return { chunks, whole: false };
  }
}

function joined(chunks: Uint8Array[]): Uint8Array {
  const [only] = chunks;
  return only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks);
}
