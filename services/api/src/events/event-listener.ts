/**
 * One listener of the live stream: its lines, in a buffer that is bounded in bytes, and how far it was sent events. Says
 * when there is no room, and when there is again; what to do about it is for others. Its last line says why it ended.
 */

import type { JobEvent } from "@muster/domain/job-event";
import type { Clock } from "@muster/runtime/clock";
import type { FeedEntry } from "@muster/runtime/events/event-feed";
import { compareStreamIds } from "@muster/runtime/events/stream-id";
import { jobEventJson } from "@muster/wire/job-event-json";
import type { ListenerOwner } from "./listener-shares.js";

export interface EventListenerDeps {
  /** Nothing up to it is sent. */
  cursor: string;
  owner: ListenerOwner;
  matches: (event: JobEvent) => boolean;
  bufferBytes: number;
  clock: Clock;
  /** Once, however it ends. */
  onEnd: () => void;
}

/** How soon a browser, or a library of its kind, comes back. */
const RECONNECT_MS = 1_000;
const utf8 = new TextEncoder();

export class EventListener {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #deps: EventListenerDeps;
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  #cursor: string;
  #hasEnded = false;
  #roomWanted: (() => void) | undefined;

  constructor(deps: EventListenerDeps) {
    this.#deps = deps;
    this.#cursor = deps.cursor;
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (given) => {
          controller = given;
        },
        pull: () => this.#tellOfRoom(),
        cancel: () => this.#end(),
      },
      { highWaterMark: deps.bufferBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    // `start` is called by the constructor.
    this.#controller = controller as unknown as ReadableStreamDefaultController<Uint8Array>;
    this.#write(`retry: ${RECONNECT_MS}\n\n`);
  }

  get owner(): ListenerOwner {
    return this.#deps.owner;
  }

  get cursor(): string {
    return this.#cursor;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** False when there is no room for it now. What it was sent already, or did not ask for, is passed over. */
  send({ cursor, event }: FeedEntry): boolean {
    if (this.#hasEnded || compareStreamIds(cursor, this.#cursor) <= 0) return true;
    if (this.#deps.matches(event)) {
      const data = JSON.stringify(jobEventJson(event));
      if (!this.#write(`id: ${cursor}\nevent: ${event.event}\ndata: ${data}\n\n`)) return false;
    }
    this.#cursor = cursor;
    return true;
  }

  /** A line that no client sees, which keeps proxies from taking the connection for dead. */
  heartbeat(): void {
    if (!this.#hasEnded) this.#write(": still here\n\n");
  }

  /** What it asked for is no longer kept in full. */
  tellOfGap(): void {
    const message = "some events after your last-event-id are no longer kept";
    this.#write(`event: gap\ndata: ${JSON.stringify({ message })}\n\n`);
  }

  /** The last line, also when the buffer is full; then the stream ends as soon as what is in it was read. */
  close(reason: "too_slow" | "stopping" | "displaced", message: string): void {
    if (this.#hasEnded) return;
    this.#controller.enqueue(utf8.encode(`event: closed\ndata: ${JSON.stringify({ reason, message })}\n\n`));
    this.#controller.close();
    this.#end();
  }

  /** Resolves with true when half of the buffer is free, with false when that took longer, or it has ended. */
  async room(withinMs: number): Promise<boolean> {
    const { clock, bufferBytes } = this.#deps;
    let isLate = false;
    const cancel = clock.setTimer(withinMs, () => {
      isLate = true;
      this.#tellOfRoom();
    });
    while (!this.#hasEnded && !isLate && (this.#controller.desiredSize ?? 0) < bufferBytes / 2) {
      await new Promise<void>((resolve) => {
        this.#roomWanted = resolve;
      });
    }
    cancel();
    return !this.#hasEnded && !isLate;
  }

  #write(text: string): boolean {
    const bytes = utf8.encode(text);
    const free = this.#controller.desiredSize ?? 0;
    // One that is larger than all of the buffer goes alone.
    if (free < bytes.byteLength && free < this.#deps.bufferBytes) return false;
    this.#controller.enqueue(bytes);
    return true;
  }

  #tellOfRoom(): void {
    const wanted = this.#roomWanted;
    this.#roomWanted = undefined;
    wanted?.();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#tellOfRoom();
    this.#deps.onEnd();
  }
}
