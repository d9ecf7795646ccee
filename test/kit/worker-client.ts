/**
 * Owns a worker for tests that says exactly what it is told to: the agent protocol over one real WebSocket, binary or
 * JSON. Decides nothing by itself (simulated-worker.ts does) and can send what no SDK would.
 */
import {
  decodeServerMessage,
  decodeServerMessageJson,
  encodeWorkerMessage,
  encodeWorkerMessageJson,
  type ServerMessage,
  type WorkerMessageDraft,
} from "@muster/wire/agent-codec";
import type {
  AvailabilityResponse,
  ParticipantInfo,
  RegisterWorkerRequest,
  RegisterWorkerResponse,
  Room,
} from "@muster/wire/generated/livekit";
import WebSocket from "ws";
import { waitUntil } from "./wait-until.js";

export interface WorkerOptions {
  /** ws:// or http:// url of the gateway, with or without /agent. */
  url: string;
  /** Sent as `Authorization: Bearer`. */
  token?: string;
  /** Sent as `User-Agent`; none without. */
  userAgent?: string;
  /** Sent as `X-Forwarded-For`, as a proxy does; none without. */
  forwardedFor?: string;
  /** Sent as `Origin`, as browsers do; none without. */
  origin?: string;
  /** Speaks JSON text frames. */
  json?: boolean;
  /** Behind the url: "access_token=…". */
  query?: string;
  /** How long the upgrade may take; absent: as long as it takes. */
  handshakeMs?: number;
}

export interface Closed {
  code: number;
  reason: string;
}

type Known = Exclude<ServerMessage, { case: "unknown" }>;
export type ServerCase = Known["case"];
type ValueOf<C extends ServerCase> = Extract<Known, { case: C }>["value"];

/** Resolves once the socket is open. Rejects with the HTTP status and text when it is refused. */
export async function connectWorker(options: WorkerOptions): Promise<WorkerClient> {
  const { token, query, userAgent, forwardedFor, origin } = options;
  const base = options.url.replace(/^http/, "ws").replace(/\/(agent)?$/, "");
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(userAgent !== undefined && { "user-agent": userAgent }),
    ...(forwardedFor !== undefined && { "x-forwarded-for": forwardedFor }),
    ...(origin !== undefined && { origin }),
  };
  const socket = new WebSocket(`${base}/agent${query === undefined ? "" : `?${query}`}`, {
    headers,
    handshakeTimeout: options.handshakeMs,
  });
  const client = new WorkerClient(socket, options.json ?? false);
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += String(chunk);
      });
      // Also when whoever refuses dies in the middle of it: "end" never comes then.
      response.once("close", () => reject(new UpgradeRefused(response.statusCode ?? 0, text)));
    });
  });
  return client;
}

export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  readonly status: number;
  readonly text: string;

  constructor(status: number, text: string) {
    super(`upgrade refused with ${status}: ${text}`);
    this.status = status;
    this.text = text;
  }
}

/** Who the agent will be, and what else an answer may say. */
export type Answer = Partial<Omit<AvailabilityResponse, "jobId" | "available">>;

export class WorkerClient {
  /** All that came, in order. */
  readonly received: Known[] = [];
  readonly #socket: WebSocket;
  readonly #json: boolean;
  /** How many of each case `next` has handed out. */
  readonly #taken = new Map<ServerCase, number>();
  readonly #listeners = new Set<(message: Known) => void>();
  readonly #closeListeners = new Set<(closed: Closed) => void>();
  #closed: Closed | undefined;
  #id = "";

  constructor(socket: WebSocket, json: boolean) {
    this.#socket = socket;
    this.#json = json;
    socket.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    socket.once("close", (code, reason) => {
      this.#closed = { code, reason: reason.toString() };
      for (const listener of this.#closeListeners) listener(this.#closed);
    });
    // What goes wrong shows as a close; without a listener it would end the process.
    socket.on("error", () => {});
  }

  /** The session id that the gateway gave; "" before registration. */
  get id(): string {
    return this.#id;
  }

  get isOpen(): boolean {
    return this.#closed === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  /** What was sent and has not left yet. */
  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** From now on nothing that comes is read: a peer whose window fills. */
  pauseReading(): void {
    this.#socket.pause();
  }

  /** Registers and waits for the answer. */
  async register(
    request: Partial<RegisterWorkerRequest> = {},
    deadlineMs = 5_000,
  ): Promise<RegisterWorkerResponse> {
    this.send({ case: "register", value: { version: "1.0.0", ...request } });
    const response = await this.next("register", deadlineMs);
    this.#id = response.workerId;
    return response;
  }

  send(message: WorkerMessageDraft): void {
    this.sendRaw(this.#json ? encodeWorkerMessageJson(message) : encodeWorkerMessage(message));
  }

  /** Any frame at all: bytes as binary, a string as text. */
  sendRaw(frame: Uint8Array | string): void {
    if (this.isOpen) this.#socket.send(frame);
  }

  /** The next message of this case that was not handed out yet; waits for it. */
  async next<C extends ServerCase>(kind: C, deadlineMs = 5_000): Promise<ValueOf<C>> {
    const index = this.#taken.get(kind) ?? 0;
    this.#taken.set(kind, index + 1);
    const found = await waitUntil(
      `the worker receives message ${index + 1} of kind ${kind}`,
      () => this.received.filter((candidate) => candidate.case === kind)[index],
      {
        deadlineMs,
        everyMs: 2,
        // Nothing comes any more, so nobody waits for it until the deadline.
        invariant: () => {
          if (this.#closed === undefined) return;
          throw new Error(`closed with ${this.#closed.code} ${this.#closed.reason}`);
        },
      },
    );
    return found.value as ValueOf<C>;
  }

  count(kind: ServerCase): number {
    return this.received.filter((message) => message.case === kind).length;
  }

  /** Calls `listener` with each message as it comes. */
  onMessage(listener: (message: Known) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls `listener` once, when the socket is gone, by whomever. */
  onClose(listener: (closed: Closed) => void): void {
    this.#closeListeners.add(listener);
  }

  accept(wire: string, answer: Answer = {}): void {
    this.send({ case: "availability", value: { jobId: wire, available: true, ...answer } });
  }

  reject(wire: string, { terminate = false }: { terminate?: boolean } = {}): void {
    this.send({ case: "availability", value: { jobId: wire, available: false, terminate } });
  }

  sample(report: {
    status?: number | null;
    load?: number;
    jobCount?: number;
    draining?: boolean;
    seq?: bigint;
  }): void {
    this.send({ case: "updateWorker", value: { status: 0, load: 0, jobCount: 0, ...report } });
  }

  /** JS_RUNNING = 1, JS_SUCCESS = 2, JS_FAILED = 3. */
  report(wire: string, status: number, error = ""): void {
    this.send({ case: "updateJob", value: { jobId: wire, status, error } });
  }

  simulate(room: Partial<Room> | null, participant: Partial<ParticipantInfo> | null = null): void {
    this.send({
      case: "simulateJob",
      value: { room: room as Room | null, participant: participant as ParticipantInfo | null },
    });
  }

  migrate(wires: string[]): void {
    this.send({ case: "migrateJob", value: { jobIds: wires } });
  }

  /** Sends a ping and waits for its answer: all that was sent before has then been read. */
  async ping(timestamp = 1n): Promise<{ lastTimestamp: bigint; timestamp: bigint }> {
    this.send({ case: "ping", value: { timestamp } });
    return await this.next("pong");
  }

  /** Waits until the socket is closed, by whomever. */
  async closed(deadlineMs = 5_000): Promise<Closed> {
    return await waitUntil("the worker's socket is closed", () => this.#closed, { deadlineMs, everyMs: 2 });
  }

  /** Closes as an SDK does that leaves. */
  async close(code = 1000): Promise<Closed> {
    this.#socket.close(code);
    return await this.closed();
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.#socket.terminate();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? decodeServerMessage(data) : decodeServerMessageJson(data.toString());
    if (message.case === "unknown") throw new Error("the gateway sent a message that no worker knows");
    this.received.push(message);
    for (const listener of this.#listeners) listener(message);
  }
}
