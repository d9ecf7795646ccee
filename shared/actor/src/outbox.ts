/**
 * Owns the sending end: messages to the inboxes of other nodes, in order for each destination. Batches by itself: what
 * is sent while an XADD to the same node is under way travels together in the next one, so a lone message never waits
 * and a burst costs few commands. Never creates an inbox: where there is none, the node is gone.
 *
 * A message arrives at least once when "sent", and not at all when "gone". One that was rejected may still arrive:
 * Redis may have taken it without our hearing so.
 */
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { inboxKey } from "./keys.js";
import { type OutboxCounts, OutboxLane } from "./outbox-lane.js";

const DEFAULT_MAX_STREAM_ENTRIES = 10_000;
const DEFAULT_RETRY_FOR_MS = 2_000;
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export interface OutboxDeps {
  redis: RedisClient;
  clock: Clock;
  log: Log;
  /** About how many entries an inbox may hold before the oldest are cut off; its reader is told of the gap. */
  maxStreamEntries?: number;
  /** How long one message is tried before its promise rejects. */
  retryForMs?: number;
}

export interface Outbox {
  /**
   * Sends any value that JSON can hold. Rejects with DispatchError: `too_large` (message), or `unavailable` when Redis
   * did not take it in time or too much waits for that node already.
   */
  send(nodeId: string, message: unknown): Promise<"sent" | "gone">;
  readonly counts: Readonly<OutboxCounts>;
}

export function createOutbox({
  redis,
  clock,
  log,
  maxStreamEntries = DEFAULT_MAX_STREAM_ENTRIES,
  retryForMs = DEFAULT_RETRY_FOR_MS,
}: OutboxDeps): Outbox {
  const counts: OutboxCounts = { messages: 0, entries: 0, gone: 0, retries: 0, rejected: 0 };
  /** Only the destinations that something is on its way to. */
  const lanes = new Map<string, OutboxLane>();

  function laneTo(nodeId: string): OutboxLane {
    const existing = lanes.get(nodeId);
    if (existing !== undefined) return existing;
    const onEmpty = () => void lanes.delete(nodeId);
    const lane = new OutboxLane({
      redis,
      clock,
      log,
      key: inboxKey(nodeId),
      maxStreamEntries,
      counts,
      onEmpty,
    });
    lanes.set(nodeId, lane);
    return lane;
  }

  return {
    counts,
    async send(nodeId, message) {
      // Written down at once: what the caller does to the message afterwards is not sent.
      const text = JSON.stringify(message) as string | undefined;
      if (text === undefined)
        throw new DispatchError("invalid_argument", "is not a value that JSON can hold", "message");
      const bytes = Buffer.byteLength(text);
      if (bytes > MAX_MESSAGE_BYTES) {
        throw new DispatchError(
          "too_large",
          `${bytes} bytes; at most ${MAX_MESSAGE_BYTES} can be sent`,
          "message",
        );
      }
      const lane = laneTo(nodeId);
      if (lane.waitingBytes + bytes > MAX_WAITING_BYTES) {
        counts.rejected += 1;
        throw new DispatchError("unavailable", "too much waits to be sent to this node; try again later");
      }
      counts.messages += 1;
      return await lane.send(text, bytes, clock.now() + retryForMs);
    },
  };
}
