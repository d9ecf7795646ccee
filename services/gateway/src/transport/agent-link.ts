/**
 * One agent socket, as far as both transports are alike: the bounds on frames and on what waits, closing exactly once,
 * and keeping a throwing handler from taking the process down. The library's own socket is behind `Wire`, and is never
 * touched again once this is closed (uWebSockets.js throws on that). Knows nothing of what the frames mean.
 */
import { invariant } from "@muster/domain/assert";
import type { Log } from "@muster/runtime/log";
import type { AgentSocket, SocketHandlers } from "./transport.js";
import type { Reader, Unsent } from "./unsent.js";

/** What a WebSocket library must offer. */
export interface Wire {
  /** False: no longer open, nothing was sent. */
  send(data: Uint8Array | string): boolean;
  bufferedBytes(): number;
  ping(): void;
  /** Starts the close handshake. */
  end(code: number, reason: string): void;
  /** Cuts the connection. */
  terminate(): void;
}

export interface LinkDeps {
  wire: Wire;
  remoteAddress: string;
  maxFrameBytes: number;
  maxBufferedBytes: number;
  /** Of all sockets of the transport. */
  unsent: Unsent;
  nowMs: () => number;
  /** The link is closed and needs no more care. */
  gone: (link: AgentLink) => void;
  log: Log;
}

const MAX_REASON_BYTES = 123;

export class AgentLink implements AgentSocket, Reader {
  readonly #deps: LinkDeps;
  #handlers: SocketHandlers | undefined;
  #closed = false;
  #waitsForDrain = false;
  #heardAtMs: number;

  constructor(deps: LinkDeps) {
    this.#deps = deps;
    this.#heardAtMs = deps.nowMs();
  }

  get remoteAddress(): string {
    return this.#deps.remoteAddress;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get bufferedBytes(): number {
    return this.#closed ? 0 : this.#deps.wire.bufferedBytes();
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** `open` may already send, or close. */
  start(open: (socket: AgentSocket) => SocketHandlers): void {
    try {
      this.#handlers = open(this);
    } catch (error) {
      this.#deps.log.error({ err: error }, "opening an agent socket failed");
      this.close(1011, "internal error");
    }
  }

  send(data: Uint8Array | string): "sent" | "buffered" | "dropped" {
    if (this.#closed) return "dropped";
    const waiting = this.#deps.wire.bufferedBytes();
    const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
    if (waiting > 0 && waiting + bytes > this.#deps.maxBufferedBytes) {
      this.#deps.log.warn(
        { bufferedBytes: waiting, remoteAddress: this.remoteAddress },
        "agent reads too slowly",
      );
      this.close(1013, "reads too slowly");
      return "dropped";
    }
    // The peer's close may be under way before it is reported.
    if (!this.#deps.wire.send(data)) return "dropped";
    const left = this.#deps.wire.bufferedBytes();
    if (left === 0) {
      if (this.#waitsForDrain) this.#deps.unsent.set(this, 0);
      return "sent";
    }
    this.#waitsForDrain = true;
    this.#deps.unsent.set(this, left);
    // Of all that wait, this one may have been the greediest.
    return this.closed ? "dropped" : "buffered";
  }

  close(code: number, reason: string): void {
    invariant(maySend(code), "close code that must not be sent");
    if (this.#closed) return;
    this.#closed = true;
    const text = cutReason(reason);
    const { wire, unsent } = this.#deps;
    if (unsent.mayLinger(this, wire.bufferedBytes())) wire.end(code, text);
    else wire.terminate();
    this.#report(code, text);
  }

  cutUnread(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deps.unsent.left(this);
    this.#deps.log.warn(
      { remoteAddress: this.remoteAddress },
      "too much waits for agents that do not read; one is cut",
    );
    this.#deps.wire.terminate();
    this.#report(1013, "reads too slowly, and most of what waits here is its");
  }

  ping(): void {
    this.#deps.wire.ping();
  }

  /** For a peer that is silent: there is nobody to shake hands with. */
  cut(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deps.unsent.left(this);
    this.#deps.wire.terminate();
    this.#report(1006, reason);
  }

  /** The peer gave a sign of life. */
  heard(): void {
    this.#heardAtMs = this.#deps.nowMs();
  }

  received(frame: Uint8Array, isBinary: boolean): void {
    if (this.#closed) return;
    this.heard();
    if (frame.byteLength > this.#deps.maxFrameBytes) {
      this.close(1009, `frame above ${this.#deps.maxFrameBytes} bytes`);
      return;
    }
    try {
      this.#handlers?.message(isBinary ? frame : utf8(frame));
    } catch (error) {
      this.#deps.log.error({ err: error }, "handling an agent frame failed");
      this.close(1011, "internal error");
    }
  }

  /** Some of what waited has left. */
  flushed(): void {
    if (this.#closed || !this.#waitsForDrain) return;
    const left = this.#deps.wire.bufferedBytes();
    this.#deps.unsent.set(this, left);
    if (left > 0) return;
    this.#waitsForDrain = false;
    this.#guarded("drained", () => this.#handlers?.drained());
  }

  /** The wire is gone, by the peer's doing or the network's; after our own `close` this is the echo and means nothing. */
  wireClosed(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deps.unsent.left(this);
    this.#report(code, reason);
  }

  /** In a microtask: who calls `send` or `close` must not find itself inside its own `closed`. */
  #report(code: number, reason: string): void {
    this.#deps.gone(this);
    queueMicrotask(() => this.#guarded("closed", () => this.#handlers?.closed(code, reason)));
  }

  #guarded(handler: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#deps.log.error({ err: error, handler }, "an agent socket handler failed");
    }
  }
}

function utf8(frame: Uint8Array): string {
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("utf8");
}

/** RFC 6455 7.4: 1004-1006 and 1015 only ever describe, they are not sent. */
function maySend(code: number): boolean {
  return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

/** A close frame holds 125 bytes, two of them the code. Cut between characters. */
function cutReason(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  const bytes = Buffer.from(reason).subarray(0, MAX_REASON_BYTES);
  return new TextDecoder("utf-8").decode(bytes, { stream: true });
}
