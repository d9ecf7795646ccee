/**
 * The three HTTP servers that Muster listens with, each with a handler that writes down what reaches it: the gateway's on
 * uWebSockets.js, its other one, and the one of api and dispatcher.
 */
import { startUwsTransport } from "@muster/gateway/transport/uws-transport";
import { startWsTransport } from "@muster/gateway/transport/ws-transport";
import type { Log } from "@muster/runtime/log";
import { serveHttp } from "@muster/runtime/serve-http";

export interface Door {
  port: number;
  /** "POST /x?y abc" of each request that was read whole, "upgrade /agent" of each handshake. */
  seen: string[];
  /** Of agent sockets. */
  messages: string[];
  close(): Promise<void>;
}

export type DoorName = "uws" | "ws" | "node";
export const DOORS: readonly DoorName[] = ["uws", "ws", "node"];

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export async function openDoor(name: DoorName, requestMs?: number): Promise<Door> {
  const seen: string[] = [];
  const messages: string[] = [];
  const answer = async (request: Request) => {
    const body = await request.text();
    const { host, pathname, search } = new URL(request.url);
    seen.push(`${request.method} ${pathname}${search} ${body}`.trim());
    return new Response(host);
  };
  const bounds = { host: "127.0.0.1", port: 0, log: quiet, ...(requestMs !== undefined && { requestMs }) };
  if (name === "node") {
    const http = await serveHttp({ ...bounds, fetch: answer });
    return { port: http.port, seen, messages, close: () => http.close() };
  }
  const start = name === "uws" ? startUwsTransport : startWsTransport;
  const transport = await start<undefined>({
    ...bounds,
    authorize({ path }) {
      seen.push(`upgrade ${path}`);
      return { accept: true, context: undefined };
    },
    open: () => ({
      message: (data) => void messages.push(typeof data === "string" ? data : Buffer.from(data).toString()),
      drained() {},
      closed() {},
    }),
    http: answer,
    ...{ pingIntervalMs: 10_000, silenceMs: 30_000 },
    ...{
      maxFrameBytes: 64 * 1024,
      maxBufferedBytes: 1024 * 1024,
      maxUnsentBytes: 1024 * 1024,
      maxBodyBytes: 256 * 1024,
    },
  });
  return { port: transport.port, seen, messages, close: () => transport.close() };
}
