/**
 * Owns one direction of a proxied connection: what has come in and is not forwarded yet, and whether it is forwarded,
 * held or swallowed. Forwards in order, or not at all: once a byte was lost nothing after it is let through, since
 * no network delivers a stream with a hole.
 */
import type { Socket } from "node:net";
import { type Frame, FrameScanner } from "./frame-scanner.js";
import type { Direction } from "./triggers.js";

const PUSH = ">".charCodeAt(0);
/** A longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What the proxy does to traffic now; shared by all pipes. */
export interface Weather {
  delayMs: number;
  readonly swallows: Record<Direction, boolean>;
}

export interface PipeDeps {
  direction: Direction;
  source: Socket;
  sink: Socket;
  weather: Weather;
  /** Bytes that may go before somebody must decide anew. */
  bytesUntilNext(): number;
  /** True: frame by frame, each reported before the next goes. */
  isWatched(): boolean;
  forwarded(bytes: number, frames: readonly Frame[]): void;
  swallowed(bytes: number): void;
  /** The source was reset, or could not be reached. */
  onReset(): void;
}

/** The end of the source takes its turn behind its bytes. */
type Item = Buffer | "fin" | "reset";

export class Pipe {
  readonly #deps: PipeDeps;
  readonly #scanner: FrameScanner;
  #queue: { item: Item; arrivedAtMs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isSettling = false;
  #isBroken = false;
  #interceptReply: (() => void) | undefined;

  constructor(deps: PipeDeps) {
    this.#deps = deps;
    this.#scanner = new FrameScanner({ kind: deps.direction === "to-redis" ? "request" : "reply" });
    const { source, sink } = deps;
    source.on("data", (bytes: Buffer) => this.#enqueue(bytes));
    source.on("end", () => this.#enqueue("fin"));
    source.on("close", () => {
      if (!source.readableEnded) this.#enqueue("reset");
    });
    for (const event of ["drain", "close"]) sink.on(event, () => source.resume());
  }

  /** Something on its way was lost: this connection can never be whole again. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Swallows from now on, whatever the weather. */
  shut(): void {
    this.#isBroken = true;
    this.settle();
  }

  /** Runs `act` in place of forwarding the next reply. Pushes are no replies, and pass. */
  interceptReply(act: () => void): void {
    this.#interceptReply = act;
  }

  /** Does what is due under the verbs in force now. */
  settle(): void {
    // An action that a forwarded frame set off; the loop below goes on under what it changed.
    if (this.#isSettling) return;
    this.#isSettling = true;
    clearTimeout(this.#timer);
    try {
      for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
        const { swallows, delayMs } = this.#deps.weather;
        const waitMs = head.arrivedAtMs + delayMs - performance.now();
        if (this.#isBroken || swallows[this.#deps.direction]) this.#swallow(head.item);
        else if (waitMs <= 0) this.#forward(head);
        else {
          this.#wakeIn(waitMs);
          return;
        }
      }
    } finally {
      this.#isSettling = false;
    }
  }

  #wakeIn(waitMs: number): void {
    if (Number.isFinite(waitMs))
      this.#timer = setTimeout(() => this.settle(), Math.min(Math.ceil(waitMs), MAX_TIMER_MS));
  }

  #enqueue(item: Item): void {
    this.#queue.push({ item, arrivedAtMs: performance.now() });
    this.settle();
  }

  #swallow(item: Item): void {
    this.#queue.shift();
    this.#isBroken = true;
    if (typeof item !== "string") this.#deps.swallowed(item.length);
  }

  #forward(head: { item: Item }): void {
    const { item } = head;
    if (item === "fin") this.#deps.sink.end();
    if (item === "reset") this.#deps.onReset();
    const rest = typeof item === "string" ? undefined : this.#forwardSome(item);
    if (rest === undefined) this.#queue.shift();
    else head.item = rest;
  }

  /** Forwards up to where somebody may have something to say; returns what is left. */
  #forwardSome(bytes: Buffer): Buffer | undefined {
    const { source, sink, forwarded, isWatched, bytesUntilNext } = this.#deps;
    if (this.#interceptReply && this.#scanner.isBetweenFrames() && bytes[0] !== PUSH) {
      this.shut();
      this.#interceptReply();
      return bytes;
    }
    const due = bytes.subarray(0, bytesUntilNext());
    const frames: Frame[] = [];
    let length = 0;
    do {
      const scanned = this.#scanner.scan(due.subarray(length));
      length += scanned.length;
      if (scanned.frame) frames.push(scanned.frame);
    } while (length < due.length && !isWatched());
    if (sink.writable && !sink.write(bytes.subarray(0, length))) source.pause();
    forwarded(length, frames);
    return length < bytes.length ? bytes.subarray(length) : undefined;
  }
}
