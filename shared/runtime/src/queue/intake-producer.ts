/**
 * Owns putting entries into the intake: one Redis command each, durable once add() resolves, the same entry added again
 * changing nothing. Wakes nobody; tell the namespace's owner afterwards, never before.
 *
 * Any number of namespaces, with no connection of its own and a bounded memory of those used last.
 */
import type { JobsOptions } from "bullmq";
import type { Clock } from "../clock.js";
import type { Log } from "../log.js";
import type { RedisClient } from "../redis/connect.js";
import { checkNewEntry, type NewIntakeEntry } from "./intake-entry.js";
import { type IntakeQueue, onReconnect, openQueue, shareConnection } from "./shared-connection.js";

export interface IntakeProducerDeps {
  redis: RedisClient;
  log: Log;
  clock: Clock;
  /** Namespaces that are remembered; one that is forgotten costs a second command at its next entry. */
  maxNamespaces?: number;
}

export interface IntakeProducer {
  /** Throws DispatchError for an entry out of bounds. When it throws anything else, call it again with the same id. */
  add(namespace: string, entry: NewIntakeEntry): Promise<void>;
  close(): Promise<void>;
}

const MAX_NAMESPACES = 2_000;
const ENTRY_NAME = "entry";
const WEEK_SECONDS = 7 * 24 * 60 * 60;

/** Ten tries over about two minutes, first after 125-250 ms; then a dead letter, of which the newest hundred are kept. */
const ENTRY_OPTIONS: JobsOptions = {
  attempts: 10,
  backoff: { type: "exponential", delay: 250, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: { count: 100, age: WEEK_SECONDS },
  stackTraceLimit: 1,
};

/** BullMQ writes an event stream that nobody reads. Left alone it keeps 10,000 events: 466 KB a busy namespace. */
const META = { "opts.maxLenEvents": 100 };

interface KnownNamespace {
  queue: IntakeQueue;
  hasMeta: boolean;
}

export function createIntakeProducer({
  redis,
  log,
  clock,
  maxNamespaces = MAX_NAMESPACES,
}: IntakeProducerDeps): IntakeProducer {
  const connection = shareConnection(redis, log);
  /** In order of use, the least recent first. */
  const known = new Map<string, KnownNamespace>();
  // It may be another server now, or one that lost what we wrote.
  const stopListening = onReconnect(redis, () => {
    for (const each of known.values()) each.hasMeta = false;
  });

  const use = (namespace: string): KnownNamespace => {
    const found = known.get(namespace) ?? { queue: openQueue(connection, namespace), hasMeta: false };
    known.delete(namespace);
    known.set(namespace, found);
    if (known.size > maxNamespaces) {
      for (const leastRecent of known.keys()) {
        known.delete(leastRecent);
        break;
      }
    }
    return found;
  };

  /** Beside the first entry, not before it: which of them is first makes no difference, and no entry fails for it. */
  const writeMeta = async (namespace: string, target: KnownNamespace): Promise<void> => {
    target.hasMeta = true;
    try {
      await target.queue.getBackend().setQueueMeta(META);
    } catch (error) {
      target.hasMeta = false;
      log.warn(
        { namespace, error: String(error) },
        "intake settings not written, are tried with the next entry",
      );
    }
  };

  return {
    async add(namespace, entry) {
      checkNewEntry(entry);
      const target = use(namespace);
      const meta = target.hasMeta ? undefined : writeMeta(namespace, target);
      const { id, priority, data } = entry;
      await target.queue.add(ENTRY_NAME, data, {
        ...ENTRY_OPTIONS,
        jobId: id,
        priority,
        timestamp: clock.now(),
      });
      await meta;
    },
    async close() {
      stopListening();
      known.clear();
      await connection.close();
    },
  };
}
