/**
 * Owns what is on its way to one node: the queue, the one XADD under way, and its retries. The next XADD begins when the
 * last is settled, which is what keeps the order and makes the batches.
 */
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { BATCH_FIELD, batchOf } from "./inbox-entry.js";
import { messageOf, pause, within } from "./timing.js";

const MAX_MESSAGES_PER_ENTRY = 256;
/** A message that is larger by itself travels alone. */
const MAX_BYTES_PER_ENTRY = 1024 * 1024;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 250;

export interface OutboxCounts {
  messages: number;
  /** XADDs issued, those that were tried again among them. */
  entries: number;
  gone: number;
  retries: number;
  rejected: number;
}

export interface OutboxLaneDeps {
  redis: RedisClient;
  clock: Clock;
  log: Log;
  key: string;
  maxStreamEntries: number;
  counts: OutboxCounts;
  onEmpty: () => void;
}

interface Waiting {
  text: string;
  bytes: number;
  deadlineMs: number;
  resolve: (outcome: "sent" | "gone") => void;
  reject: (error: unknown) => void;
}

export class OutboxLane {
  waitingBytes = 0;
  readonly #deps: OutboxLaneDeps;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(deps: OutboxLaneDeps) {
    this.#deps = deps;
  }

  send(text: string, bytes: number, deadlineMs: number): Promise<"sent" | "gone"> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, bytes, deadlineMs, resolve, reject });
      this.waitingBytes += bytes;
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        const outcome = await this.#sendBatch(batch);
        if (outcome === "gone") this.#deps.counts.gone += batch.length;
        for (const message of batch) message.resolve(outcome);
      } catch (error) {
        this.#deps.counts.rejected += batch.length;
        this.#deps.log.warn(
          { error: messageOf(error), messages: batch.length },
          "messages to a node given up",
        );
        const refusal = new DispatchError("unavailable", "Redis did not take the message in time; try again");
        for (const message of batch) message.reject(refusal);
      }
    }
    this.#isRunning = false;
    this.#deps.onEmpty();
  }

  #nextBatch(): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const message of this.#waiting) {
      if (count === MAX_MESSAGES_PER_ENTRY || (count > 0 && bytes + message.bytes > MAX_BYTES_PER_ENTRY))
        break;
      count += 1;
      bytes += message.bytes;
    }
    this.waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  /** Tries until the oldest of the batch is out of time. */
  async #sendBatch(batch: readonly Waiting[]): Promise<"sent" | "gone"> {
    const { redis, clock, key, maxStreamEntries, counts } = this.#deps;
    const text = batchOf(batch.map((message) => message.text));
    const deadlineMs = batch[0]?.deadlineMs ?? 0;
    for (let retry = 0; ; retry++) {
      const leftMs = deadlineMs - clock.now();
      if (leftMs <= 0) throw new Error("out of time before it could be sent");
      counts.entries += 1;
      const added = redis.xadd(key, "NOMKSTREAM", "MAXLEN", "~", maxStreamEntries, "*", BATCH_FIELD, text);
      try {
        const outcome = await within(clock, leftMs, added);
        if (outcome.late) break;
        return outcome.value === null ? "gone" : "sent";
      } catch (error) {
        const waitMs = Math.min(FIRST_RETRY_MS * 2 ** retry, LONGEST_RETRY_MS);
        if (clock.now() + waitMs >= deadlineMs) throw error;
        counts.retries += 1;
        await pause(clock, waitMs);
      }
    }
    throw new Error("no answer from Redis in time");
  }
}
