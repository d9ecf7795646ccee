/**
 * What the transport suites share: a transport of either kind that records what it tells, and peers that behave badly on
 * purpose. Every transport and peer made here is ended by `cleanUp`.
 */
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Log } from "@muster/runtime/log";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import WebSocket, { type ClientOptions } from "ws";
import type { AgentSocket, Transport, TransportDeps, UpgradeRequest } from "../src/transport/transport.js";
import { startUwsTransport } from "../src/transport/uws-transport.js";
import { startWsTransport } from "../src/transport/ws-transport.js";

export const STARTS = { "uWebSockets.js": startUwsTransport, ws: startWsTransport } as const;
export type Kind = keyof typeof STARTS;
export const KINDS = Object.keys(STARTS) as Kind[];

/** One socket as the gateway sees it. */
export interface Seen {
  socket: AgentSocket;
  context: string;
  messages: (Uint8Array | string)[];
  drained: number;
  closed: { code: number; reason: string }[];
}

export interface Served {
  transport: Transport;
  port: number;
  seen: Seen[];
  requests: UpgradeRequest[];
  lines: { level: string; msg: string; fields: object }[];
}

export interface ServeOptions extends Partial<TransportDeps<string>> {
  onMessage?: (seen: Seen, data: Uint8Array | string) => void;
  onOpen?: (seen: Seen) => void;
}

const ends: (() => void | Promise<void>)[] = [];

export async function cleanUp(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

export function atEnd(end: () => void | Promise<void>): void {
  ends.push(end);
}

export async function serve(
  kind: Kind,
  { onMessage, onOpen, ...options }: ServeOptions = {},
): Promise<Served> {
  const seen: Seen[] = [];
  const requests: UpgradeRequest[] = [];
  const lines: Served["lines"] = [];
  const authorize = options.authorize ?? (() => ({ accept: true, context: "default" }) as const);
  const transport = await STARTS[kind]<string>({
    host: "127.0.0.1",
    port: await freePort(),
    open: (socket, context) => {
      const one: Seen = { socket, context, messages: [], drained: 0, closed: [] };
      seen.push(one);
      onOpen?.(one);
      return {
        message: (data) => {
          one.messages.push(typeof data === "string" ? data : Uint8Array.from(data));
          onMessage?.(one, data);
        },
        drained: () => {
          one.drained++;
        },
        closed: (code, reason) => {
          one.closed.push({ code, reason });
        },
      };
    },
    http: async (request) => new Response(`${request.method} ${new URL(request.url).pathname}`),
    pingIntervalMs: 10_000,
    silenceMs: 30_000,
    maxFrameBytes: 64 * 1024,
    maxBufferedBytes: 1024 * 1024,
    maxUnsentBytes: 64 * 1024 * 1024,
    maxBodyBytes: 256 * 1024,
    log: recordingLog(lines),
    ...options,
    authorize: (request) => {
      requests.push(request);
      return authorize(request);
    },
  });
  atEnd(() => transport.close());
  return { transport, port: transport.port, seen, requests, lines };
}

function recordingLog(lines: Served["lines"]): Log {
  const at = (level: string) => (fields: object, msg: string) => void lines.push({ level, msg, fields });
  const log: Log = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => log,
  };
  return log;
}

/** A client that is told everything: what it received and how it ended. */
export interface Client {
  ws: WebSocket;
  received: (Buffer | string)[];
  pings: number;
  pongs: string[];
  closed: Promise<{ code: number; reason: string }>;
}

export async function dial(served: Served, path = "/agent", options: ClientOptions = {}): Promise<Client> {
  const ws = new WebSocket(`ws://127.0.0.1:${served.port}${path}`, options);
  atEnd(() => ws.terminate());
  const client: Client = {
    ws,
    received: [],
    pings: 0,
    pongs: [],
    closed: new Promise((resolve) => {
      ws.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    }),
  };
  ws.on("message", (data: Buffer, isBinary) => client.received.push(isBinary ? data : data.toString()));
  ws.on("ping", () => {
    client.pings++;
  });
  ws.on("pong", (data) => client.pongs.push(data.toString()));
  await new Promise<void>((resolve, reject) => {
    ws.once("open", () => resolve());
    ws.once("error", reject);
  });
  ws.on("error", () => {});
  return client;
}

/** Dials and returns the client with what the server made of it. */
export async function dialled(served: Served, path?: string): Promise<{ client: Client; seen: Seen }> {
  const before = served.seen.length;
  const client = await dial(served, path);
  const seen = await waitUntil("the socket is open at the server", () => served.seen[before]);
  return { client, seen };
}

/** The HTTP answer to a refused upgrade. */
export function refusal(served: Served, path = "/agent"): Promise<{ status: number; text: string }> {
  const ws = new WebSocket(`ws://127.0.0.1:${served.port}${path}`);
  return new Promise((resolve, reject) => {
    ws.once("open", () => reject(new Error("was not refused")));
    ws.once("error", reject);
    ws.once("unexpected-response", async (_request, response) => {
      let text = "";
      for await (const part of response.setEncoding("utf8")) text += part;
      resolve({ status: response.statusCode ?? 0, text });
    });
  });
}

/** A peer below the WebSocket library: never pongs, and sends whatever bytes it is told to. */
export class RawPeer {
  readonly tcp: Socket;
  readonly #received: Buffer[] = [];
  ended = false;

  private constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.on("data", (bytes: Buffer) => this.#received.push(bytes));
    tcp.on("error", () => {});
    tcp.on("close", () => {
      this.ended = true;
    });
  }

  static async connect(port: number): Promise<RawPeer> {
    const tcp = connect({ host: "127.0.0.1", port });
    atEnd(() => void tcp.destroy());
    await new Promise((resolve, reject) => tcp.once("connect", resolve).once("error", reject));
    return new RawPeer(tcp);
  }

  static async upgraded(served: Served): Promise<RawPeer> {
    const peer = await RawPeer.connect(served.port);
    peer.sendUpgrade();
    await waitUntil("the upgrade is answered", () => peer.text.includes("\r\n\r\n"));
    return peer;
  }

  sendUpgrade(path = "/agent", headers: string[] = []): void {
    const key = randomBytes(16).toString("base64");
    this.send(
      `GET ${path} HTTP/1.1`,
      "host: 127.0.0.1",
      "connection: Upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      `sec-websocket-key: ${key}`,
      ...headers,
    );
  }

  /** An HTTP head of these lines. */
  send(...lines: string[]): void {
    this.tcp.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  /** A masked frame with a payload below 126 bytes. */
  sendFrame(opcode: number, payload: string): void {
    const mask = randomBytes(4);
    const body = Buffer.from(payload).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    this.tcp.write(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | body.length]), mask, body]));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#received);
  }

  get text(): string {
    return this.bytes.toString("latin1");
  }

  /** Empty pings of the server among what came. */
  get pings(): number {
    return this.text.split("\x89\x00").length - 1;
  }
}

export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export const echo = (seen: Seen, data: Uint8Array | string) => void seen.socket.send(data);

/** Proves that a socket still works, and that everything sent before has been dealt with. */
export async function roundTrip(client: Client, text: string): Promise<void> {
  client.ws.send(text);
  await waitUntil(`"${text}" comes back`, () => client.received.includes(text));
}

/** Everything the server had to do before this has been done. */
export async function httpRoundTrip(served: Served): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${served.port}/ping`);
  if (status !== 200) throw new Error(`http answered ${status}`);
}
