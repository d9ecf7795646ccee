/**
 * Owns the receiving end of one node's messages: a stream that this node makes at boot, keeps alive while it lives and
 * deletes when it leaves, so that a sender learns from its absence that the node is gone. Messages are handed over in
 * order, each at least once. What was lost (Redis forgot the stream, or the bound on its length cut off what was not
 * read) is told as a gap; messages are hints, and whoever relies on them looks at the facts again then.
 */
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript } from "@muster/runtime/redis/script";
import { isMark, messagesOf, NOTHING_READ, parseEntries, type StreamEntry } from "./inbox-entry.js";
import { inboxKey } from "./keys.js";
import { loadScript, textReply } from "./lua-script.js";
import { messageOf, pause, within } from "./timing.js";

const KEEP_INBOX = loadScript("keep-inbox", 1);
const CLOSE_INBOX = loadScript("close-inbox", 1);

const DEFAULT_KEEP_EVERY_MS = 1_000;
const DEFAULT_TTL_MS = 10_000;
/** Each read ends by itself after this, so that a new stream or a close is noticed without a message. */
const BLOCK_MS = 1_000;
/** A blocked read that is silent for longer sits on a dead socket, of which TCP says nothing for minutes. */
const SILENCE_MS = 4_000;
/** A read that ends takes BLOCK_MS; without one for this long nothing that is sent here arrives. */
const UNREAD_MS = 10_000;
const ENTRIES_PER_READ = 16;
const RETRY_MS = 200;
const DEFAULT_CLOSE_LIMIT_MS = 2_000;

export type InboxGap = "missing" | "overflow";

export interface InboxDeps {
  redis: RedisClient;
  /** A connection of its own, opened as `blocking`; the inbox is its only user, the caller closes it after close(). */
  blocking: RedisClient;
  nodeId: string;
  /** One message, as its sender gave it. What it throws is logged and counted, and the next one follows. */
  handle: (message: unknown) => void;
  /** Messages may have been lost. */
  onGap: (gap: InboxGap) => void;
  clock: Clock;
  log: Log;
  keepEveryMs?: number;
  /** How long the stream outlives a node that no longer keeps it. */
  ttlMs?: number;
}

export class Inbox {
  readonly counts = { entries: 0, messages: 0, malformed: 0, failed: 0, gaps: 0, readErrors: 0 };
  readonly #deps: InboxDeps;
  readonly #key: string;
  #readTo = NOTHING_READ;
  /** The entry that opened the stream, and how many entries of it were read since, itself included. */
  #openedBy = NOTHING_READ;
  #read = 0;
  /** Of this stream, as told to the listener already. */
  #cutOff = 0;
  #lastReadAtMs = Number.NEGATIVE_INFINITY;
  #isClosing = false;
  #cancelKeep = (): void => {};
  #keeping: Promise<void> = Promise.resolve();
  #reading: Promise<void> = Promise.resolve();

  constructor(deps: InboxDeps) {
    this.#deps = deps;
    this.#key = inboxKey(deps.nodeId);
  }

  /** Whether what is sent here arrives: false when no read ended for UNREAD_MS. For readiness. */
  isRead(): boolean {
    return this.#deps.clock.now() - this.#lastReadAtMs < UNREAD_MS;
  }

  /** Makes the stream and begins to read. To be done before the node's lease is taken. Rejects without Redis. */
  async open(): Promise<void> {
    await this.#keep();
    this.#lastReadAtMs = this.#deps.clock.now();
    this.#scheduleKeep();
    this.#reading = this.#readUntilClosed();
  }

  /**
   * Hands over what was still sent and deletes the stream; from then on senders are told "gone". To be done after the
   * lease was released. Never rejects; without Redis it gives up after `limitMs`, and the stream ends by its TTL.
   */
  async close(limitMs: number = DEFAULT_CLOSE_LIMIT_MS): Promise<void> {
    const { clock, log } = this.#deps;
    this.#isClosing = true;
    this.#cancelKeep();
    try {
      const closed = await within(clock, limitMs, this.#readTheRest());
      if (closed.late) throw new Error("Redis did not answer in time");
    } catch (error) {
      log.warn({ error: messageOf(error) }, "inbox not closed; it ends by itself");
    }
  }

  async #readTheRest(): Promise<void> {
    const { redis } = this.#deps;
    // A keep under way would make the stream anew behind the delete.
    await this.#keeping;
    // Wakes the blocked read, which then ends.
    await redis.xadd(this.#key, "NOMKSTREAM", "*", "close", "1");
    await this.#reading;
    const unread = await runScript(redis, CLOSE_INBOX, [this.#key], [this.#readTo]);
    for (const entry of parseEntries(unread)) this.#take(entry);
  }

  #scheduleKeep(): void {
    const { clock, log, keepEveryMs = DEFAULT_KEEP_EVERY_MS } = this.#deps;
    this.#cancelKeep = clock.setTimer(keepEveryMs, () => {
      this.#keeping = this.#keep()
        .catch((error: unknown) =>
          log.warn({ error: messageOf(error) }, "inbox not kept alive; trying again"),
        )
        .then(() => {
          if (!this.#isClosing) this.#scheduleKeep();
        });
    });
  }

  async #keep(): Promise<void> {
    const { redis, ttlMs = DEFAULT_TTL_MS } = this.#deps;
    const reply = await runScript(redis, KEEP_INBOX, [this.#key], [ttlMs, this.#readTo, this.#read]);
    const [status, detail = ""] = textReply(reply, KEEP_INBOX);
    if (status === "created") {
      const isFirst = this.#readTo === NOTHING_READ;
      // The reader may be past the opening already. Where it is not, its place is of a stream that is no more, and may
      // even lie ahead of the new one when the clock of this Redis is behind the old one's.
      if (this.#openedBy !== detail) this.#beginAt(detail);
      if (!isFirst) this.#noteGap("missing");
    } else if (Number(detail) > this.#cutOff) {
      this.#cutOff = Number(detail);
      this.#noteGap("overflow");
    }
  }

  /** A new stream: what was counted of the old one is void. */
  #beginAt(openingId: string): void {
    this.#openedBy = openingId;
    this.#readTo = openingId;
    this.#read = 1;
    this.#cutOff = 0;
  }

  #noteGap(gap: InboxGap): void {
    this.counts.gaps += 1;
    this.#deps.log.warn({ gap }, "inbox has a gap; messages may be lost");
    this.#deps.onGap(gap);
  }

  async #readUntilClosed(): Promise<void> {
    while (!this.#isClosing) {
      try {
        for (const entry of await this.#readOnce()) this.#take(entry);
      } catch (error) {
        if (this.#isClosing) return;
        this.counts.readErrors += 1;
        this.#deps.log.warn({ error: messageOf(error) }, "inbox not read; trying again");
        await pause(this.#deps.clock, RETRY_MS);
      }
    }
  }

  async #readOnce(): Promise<StreamEntry[]> {
    const { blocking, clock } = this.#deps;
    const stopWatching = clock.setTimer(BLOCK_MS + SILENCE_MS, () => {
      // The read itself is not given up: ioredis sends it again or rejects it, and two reads would hand out twice.
      if (blocking.status === "ready") blocking.disconnect(true);
    });
    try {
      const limits = ["COUNT", ENTRIES_PER_READ, "BLOCK", BLOCK_MS] as const;
      const reply = await blocking.xread(...limits, "STREAMS", this.#key, this.#readTo);
      this.#lastReadAtMs = clock.now();
      return parseEntries(reply?.[0]?.[1] ?? []);
    } finally {
      stopWatching();
    }
  }

  #take(entry: StreamEntry): void {
    if (isMark(entry, "open")) {
      this.#beginAt(entry.id);
      return;
    }
    this.#readTo = entry.id;
    this.#read += 1;
    if (isMark(entry, "close")) return;
    this.counts.entries += 1;
    const messages = messagesOf(entry);
    if (messages === undefined) {
      this.counts.malformed += 1;
      this.#deps.log.warn({ entry: entry.id }, "inbox entry is malformed; skipped");
      return;
    }
    for (const message of messages) this.#handOver(message);
  }

  #handOver(message: unknown): void {
    this.counts.messages += 1;
    try {
      this.#deps.handle(message);
    } catch (error) {
      this.counts.failed += 1;
      this.#deps.log.error({ err: error }, "the handler of an inbox message failed");
    }
  }
}
