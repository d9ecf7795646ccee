/**
 * The live stream of one project's events: one reader of the feed, however many listen, and none while nobody does. Each
 * listener first catches up from where it left off, at the pace at which it reads, and then gets what comes together with
 * the others; one that falls behind catches up again. Who makes no room for too long is dropped. Says on the board that
 * somebody listens, as long as somebody does. Keeps nothing: a lost listener comes back, here or at another process.
 */

import { DispatchError } from "@muster/domain/errors";
import type { JobEvent } from "@muster/domain/job-event";
import type { Clock } from "@muster/runtime/clock";
import type { EventFeed, FeedEntry } from "@muster/runtime/events/event-feed";
import type { ListenerBoard } from "@muster/runtime/events/listener-board";
import { compareStreamIds, FIRST_ID } from "@muster/runtime/events/stream-id";
import type { Log } from "@muster/runtime/log";
import { DOOR_DEFAULTS } from "../door-policy.js";
import { EventListener } from "./event-listener.js";
import type { EventMetrics } from "./event-metrics.js";
import { type ListenerBounds, type ListenerOwner, verdictOn } from "./listener-shares.js";

export interface LivePolicy extends ListenerBounds {
  lookEveryMs: number;
  heartbeatMs: number;
  /** Of each listener, beyond what the operating system holds for it. */
  bufferBytes: number;
  /** Who takes nothing for so long, with its buffer full, is dropped. */
  stallMs: number;
}

export const LIVE_POLICY: LivePolicy = {
  lookEveryMs: 200,
  heartbeatMs: 15_000,
  bufferBytes: 256 * 1024,
  stallMs: 10_000,
  eventStreams: DOOR_DEFAULTS.eventStreams,
  eventStreamsPerToken: DOOR_DEFAULTS.eventStreamsPerToken,
  eventStreamsPerKey: DOOR_DEFAULTS.eventStreamsPerKey,
};

/** Without us saying it again, nobody listens. Longer than two heartbeats, at each of which it is said. */
const LISTEN_MS = 60_000;
const READ_AT_ONCE = 200;

export interface LiveEventsDeps {
  feed: EventFeed;
  board: ListenerBoard;
  policy: LivePolicy;
  metrics: Pick<EventMetrics, "listeners" | "listenerDropped">;
  clock: Clock;
  log: Log;
}

export interface ListenRequest {
  /** Where it left off; undefined = from now on. */
  after: string | undefined;
  matches: (event: JobEvent) => boolean;
  /** Whose share of the places it takes. */
  owner: ListenerOwner;
}

export class LiveEvents {
  readonly #deps: LiveEventsDeps;
  readonly #all = new Set<EventListener>();
  /** Those that have caught up. */
  readonly #live = new Set<EventListener>();
  #cursor = FIRST_ID;
  #isClosed = false;
  #cancelLook: (() => void) | undefined;
  #cancelHeartbeat: (() => void) | undefined;

  constructor(deps: LiveEventsDeps) {
    this.#deps = deps;
  }

  /** @throws DispatchError `unavailable` when too many listen here, or it is stopping */
  async open({ after, matches, owner }: ListenRequest): Promise<ReadableStream<Uint8Array>> {
    const { feed, board, policy, clock } = this.#deps;
    this.#placeFor(owner);
    await board.keep(feed.project, LISTEN_MS);
    const cursor = after ?? (await feed.end());
    const hasLost = after !== undefined && (await feed.hasLost(after));
    this.#displace(this.#placeFor(owner));
    const listener = new EventListener({
      cursor,
      matches,
      owner,
      bufferBytes: policy.bufferBytes,
      clock,
      onEnd: () => this.#forget(listener),
    });
    this.#all.add(listener);
    this.#count();
    this.#cancelHeartbeat ??= this.#armHeartbeat();
    if (hasLost) listener.tellOfGap();
    void this.#catchUp(listener);
    return listener.stream;
  }

  /** Each listener is told that it ends, and that it may come back. */
  close(): void {
    this.#isClosed = true;
    for (const listener of [...this.#all]) listener.close("stopping", "this process stops; connect again");
    this.#cancelLook?.();
    this.#cancelHeartbeat?.();
  }

  /** The listener whose place it is to have, if there is none that is free. @throws DispatchError `unavailable` */
  #placeFor(owner: ListenerOwner): EventListener | undefined {
    const { policy } = this.#deps;
    if (this.#isClosed) throw new DispatchError("unavailable", "this process is stopping; connect again");
    const verdict = verdictOn([...this.#all], owner, policy);
    if (verdict.status === "displaces") return verdict.listener;
    if (verdict.status === "free") return undefined;
    throw new DispatchError(
      "unavailable",
      `${policy.eventStreams} listen here already (MUSTER_EVENT_STREAMS); close one, or run another api process`,
    );
  }

  #displace(listener: EventListener | undefined): void {
    if (listener === undefined) return;
    listener.close("displaced", "another stream took its place; close those that nobody reads");
    this.#deps.metrics.listenerDropped("displaced");
  }

  async #catchUp(listener: EventListener): Promise<void> {
    const { feed, log } = this.#deps;
    try {
      for (let cursor = listener.cursor; !listener.hasEnded; ) {
        const entries = await feed.after(cursor, READ_AT_ONCE);
        const isFarBehind = entries.length === READ_AT_ONCE;
        if (isFarBehind && (await feed.hasLost(cursor))) listener.tellOfGap();
        if (!(await this.#sendAll(listener, entries))) return;
        cursor = entries.at(-1)?.cursor ?? cursor;
        // The reader may be behind it, for what it then brings is passed over; never ahead of it.
        if (!isFarBehind && this.#join(listener, cursor)) return;
      }
    } catch (error) {
      log.warn({ error: String(error) }, "a listener could not be brought up to date");
      listener.close("stopping", "events cannot be read now; connect again");
    }
  }

  /** At the pace at which it reads. False when it has ended. */
  async #sendAll(listener: EventListener, entries: readonly FeedEntry[]): Promise<boolean> {
    const { policy, metrics } = this.#deps;
    for (const entry of entries) {
      while (!listener.send(entry)) {
        if (await listener.room(policy.stallMs)) continue;
        if (listener.hasEnded) return false;
        listener.close("too_slow", "you did not read fast enough; come back with the header last-event-id");
        metrics.listenerDropped("too_slow");
        return false;
      }
    }
    return !listener.hasEnded;
  }

  #join(listener: EventListener, cursor: string): boolean {
    if (listener.hasEnded) return true;
    if (this.#live.size === 0) this.#cursor = cursor;
    if (compareStreamIds(cursor, this.#cursor) < 0) return false;
    this.#live.add(listener);
    this.#cancelLook ??= this.#armLook();
    return true;
  }

  #armLook(): () => void {
    return this.#deps.clock.setTimer(this.#deps.policy.lookEveryMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { feed, log } = this.#deps;
    try {
      while (this.#live.size > 0) {
        const entries = await feed.after(this.#cursor, READ_AT_ONCE);
        for (const entry of entries) {
          for (const listener of [...this.#live]) if (!listener.send(entry)) this.#fallBehind(listener);
          this.#cursor = entry.cursor;
        }
        if (entries.length < READ_AT_ONCE) break;
      }
    } catch (error) {
      log.warn({ error: String(error) }, "events were not read for the live stream; tried again");
    }
    this.#cancelLook = this.#live.size > 0 && !this.#isClosed ? this.#armLook() : undefined;
  }

  #fallBehind(listener: EventListener): void {
    this.#live.delete(listener);
    void this.#catchUp(listener);
  }

  #armHeartbeat(): () => void {
    return this.#deps.clock.setTimer(this.#deps.policy.heartbeatMs, () => {
      const { board, feed, log } = this.#deps;
      for (const listener of this.#all) listener.heartbeat();
      this.#cancelHeartbeat = this.#all.size > 0 ? this.#armHeartbeat() : undefined;
      if (this.#all.size === 0) return;
      board.keep(feed.project, LISTEN_MS).catch((error: unknown) => {
        log.warn({ error: String(error) }, "the board was not told that somebody listens; told again");
      });
    });
  }

  #forget(listener: EventListener): void {
    this.#all.delete(listener);
    this.#live.delete(listener);
    this.#count();
  }

  #count(): void {
    this.#deps.metrics.listeners(this.#all.size);
  }
}
