/**
 * A livekit-server without media: its RoomService, ListDispatch and webhooks over real sockets, over rooms that a test
 * plays (livekit-stand-in/rooms.ts). Answers what its source answers, stale rows included. Owns the HTTP server, the list
 * of what was told and asked, and faults on demand. What else comes under /twirp/ is echoed, to test who passes it on.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { assertNever } from "@muster/domain/assert";
import { DispatchError } from "@muster/domain/errors";
import type { WebhookEvent } from "@muster/wire/generated/livekit";
import type { LivekitMethod } from "@muster/wire/livekit-calls";
import type { Encoding } from "@muster/wire/twirp-body";
import { type ApiCall, type Endpoint, endpointsOf, grantOf, Refusal } from "./livekit-stand-in/api.js";
import { answerJoin, deleteRoom } from "./livekit-stand-in/doors.js";
import { LivekitRooms } from "./livekit-stand-in/rooms.js";
import { WebhookSender } from "./livekit-stand-in/webhooks.js";
import { freePort } from "./ports.js";

export interface LivekitStandInOptions {
  apiKey?: string;
  apiSecret?: string;
  /** Where each webhook is posted as it happens; without, they are only listed. */
  webhookUrl?: string;
  /** Another one than the machine's, for what the rooms say. */
  nowMs?: () => number;
  /** livekit-server answers after about 3 s that no node has the room. */
  nodeTimeoutMs?: number;
  webhookMaxAgeMs?: number;
  /** A path before all others, as behind a proxy: "/livekit". */
  pathPrefix?: string;
  /** Takes a connection that is to become a WebSocket, as /rtc is; without, it is closed. */
  upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Whether a room is made for whoever joins it: room.auto_create. On when not given. */
  autoCreate?: boolean;
  /** The text of each refusal, in words of another livekit-server. */
  words?: (text: string) => string;
}

/** What happens to a call instead of its answer, or before it. */
export type Fault =
  | { kind: "answer"; status: number; contentType: string; body: string | Uint8Array }
  | { kind: "twirp"; status: number; code: string; msg: string }
  /** Then as without a fault. */
  | { kind: "hold"; until: Promise<unknown> }
  /** The connection breaks: before the answer, or in the midst of it. */
  | { kind: "cut"; when: "before" | "midst" };

export class LivekitStandIn {
  readonly apiKey: string;
  readonly apiSecret: string;
  /** The one for clients; it stays the same over `goDown` and `comeBack`. */
  readonly url: string;
  readonly rooms: LivekitRooms;
  /** Every webhook that was told so far, in the order of what happened. */
  readonly events: WebhookEvent[] = [];
  /** Every call that was let in to the API, refused ones included, faults not. */
  readonly calls: ApiCall[] = [];
  /** The most calls that were under way at once. */
  peakUnderWay = 0;
  #underWay = 0;
  readonly #options: LivekitStandInOptions;
  readonly #port: number;
  readonly #server: Server;
  readonly #sender: WebhookSender;
  readonly #endpoints: ReadonlyMap<string, Endpoint>;
  readonly #faults: { method: LivekitMethod | "any"; fault: Fault }[] = [];

  constructor(port: number, options: LivekitStandInOptions) {
    const { apiKey = "devkey", apiSecret = "secret", nowMs = Date.now, pathPrefix = "" } = options;
    const { webhookUrl, nodeTimeoutMs = 20, webhookMaxAgeMs = 30_000 } = options;
    this.apiKey = apiKey;
    this.apiSecret = apiSecret;
    this.url = `http://127.0.0.1:${port}${pathPrefix}`;
    this.#port = port;
    this.#options = options;
    this.#sender = new WebhookSender({ key: { apiKey, apiSecret }, nowMs, maxAgeMs: webhookMaxAgeMs });
    this.rooms = new LivekitRooms({
      nowMs,
      tell: (event) => {
        this.events.push(event);
        if (webhookUrl !== undefined) this.#sender.queue(webhookUrl, event);
      },
    });
    this.#endpoints = endpointsOf({ rooms: this.rooms, nodeTimeout: () => delay(nodeTimeoutMs) });
    this.#server = createServer((request, response) => void this.#serve(request, response));
    if (options.upgrade !== undefined) this.#server.on("upgrade", options.upgrade);
  }

  /** The next `times` calls of this method meet it. Faults are used up in the order in which they were given. */
  fail(method: LivekitMethod | "any", fault: Fault, times = 1): void {
    for (let count = 0; count < times; count++) this.#faults.push({ method, fault });
  }

  /** Posts them one after the other in the order given, each once. The statuses of the answers; 0 for none. */
  async deliver(events: readonly WebhookEvent[], url: string): Promise<number[]> {
    const statuses = [];
    for (const event of events) statuses.push(await this.#sender.send(url, event));
    return statuses;
  }

  /** Those that were given up: nobody took them in time. */
  get droppedWebhooks(): readonly WebhookEvent[] {
    return this.#sender.dropped;
  }

  /** Until every webhook so far has been delivered or dropped. */
  async webhooksSettled(): Promise<void> {
    await this.#sender.settled();
  }

  async comeBack(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** The API is gone, its connections too; the rooms go on. */
  async goDown(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.goDown();
    await this.#sender.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#underWay++;
    this.peakUnderWay = Math.max(this.peakUnderWay, this.#underWay);
    response.once("close", () => this.#underWay--);
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, this.#worded(asRefusal(error)));
    }
  }

  #worded({ status, code, message }: Refusal): Refusal {
    return new Refusal(status, code, this.#options.words?.(message) ?? message);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathPrefix = "" } = this.#options;
    const { pathname } = new URL(request.url ?? "/", this.url);
    const path = pathname.startsWith(pathPrefix) ? pathname.slice(pathPrefix.length) : "";
    if (path === "/") return void response.end("OK");
    const { apiKey, apiSecret, rooms } = this;
    const door = {
      keys: new Map([[apiKey, apiSecret]]),
      rooms,
      autoCreate: this.#options.autoCreate ?? true,
    };
    if (path.startsWith("/rtc")) return answerJoin(path, request, response, door);
    if (path === "/twirp/livekit.RoomService/DeleteRoom") {
      return deleteRoom(request, await bodyOf(request), response, door);
    }
    if (!path.startsWith("/twirp/")) throw new Refusal(404, "", "404 page not found\n");
    if (path.startsWith("/twirp/echo.Raw/")) return echoRaw(request, response);

    const endpoint = this.#endpoints.get(path);
    const body = await bodyOf(request);
    if (endpoint === undefined) return echo(request, body, response);
    if (await this.#faultOf(endpoint.method, response)) return;

    // The machine's time: tokens are made by who lives in it.
    const grant = grantOf(request.headers.authorization, door.keys, Date.now());
    const encoding = encodingOf(request);
    const decoded = endpoint.read(encoding, body);
    this.calls.push({
      method: endpoint.method,
      request: { ...decoded },
      grant,
      headers: { ...request.headers },
    });
    const answer = await endpoint.answer(decoded, grant, encoding);
    response.setHeader("content-type", `application/${encoding}`).end(answer);
  }

  /** True when the fault was the answer. */
  async #faultOf(method: LivekitMethod, response: ServerResponse): Promise<boolean> {
    const index = this.#faults.findIndex((entry) => entry.method === "any" || entry.method === method);
    const [entry] = index < 0 ? [] : this.#faults.splice(index, 1);
    if (entry === undefined) return false;
    const { fault } = entry;
    switch (fault.kind) {
      case "answer":
        response.writeHead(fault.status, { "content-type": fault.contentType }).end(fault.body);
        return true;
      case "twirp":
        refuse(response, new Refusal(fault.status, fault.code, fault.msg));
        return true;
      case "hold":
        await fault.until;
        return false;
      case "cut":
        if (fault.when === "midst") {
          response.writeHead(200, { "content-type": "application/protobuf", "content-length": "1000" });
          await new Promise((resolve) => response.write("begun", resolve));
        }
        response.destroy();
        return true;
      default:
        return assertNever(fault, "fault");
    }
  }
}

export async function startLivekitStandIn(options: LivekitStandInOptions = {}): Promise<LivekitStandIn> {
  const standIn = new LivekitStandIn(await freePort(), options);
  await standIn.comeBack();
  return standIn;
}

function encodingOf(request: IncomingMessage): Encoding {
  const [contentType = ""] = (request.headers["content-type"] ?? "").split(";");
  if (contentType === "application/protobuf") return "protobuf";
  if (contentType === "application/json") return "json";
  throw new Refusal(404, "bad_route", `unexpected Content-Type: "${request.headers["content-type"]}"`);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What came: method, url, headers and body (base64), as JSON. */
function echo(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const { method, url, headers } = request;
  response.setHeader("content-type", "application/json").setHeader("x-livekit-stand-in", "echo");
  response.end(JSON.stringify({ method, url, headers, body: body.toString("base64") }));
}

/** The body as it comes in, piece by piece, under its own content type. */
function echoRaw(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("content-type", request.headers["content-type"] ?? "application/octet-stream");
  response.setHeader("x-livekit-stand-in", "echo").flushHeaders();
  request.pipe(response);
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof DispatchError) return new Refusal(400, "malformed", error.message);
  return new Refusal(500, "internal", String(error));
}

function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  if (code === "") return void response.writeHead(status, { "content-type": "text/plain" }).end(message);
  const body = JSON.stringify({ code, msg: message });
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}
