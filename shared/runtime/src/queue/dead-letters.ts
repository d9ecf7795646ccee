/**
 * Owns the view of entries that failed for good: thrown out by their handler, tried too often, or abandoned too often.
 * Reads only. BullMQ drops the oldest itself (see intake-producer.ts).
 */
import type { RedisConnection } from "bullmq";
import type { DeadLetter } from "./intake-entry.js";
import { openQueue } from "./shared-connection.js";

/** Newest first. */
export async function listDeadLetters(
  connection: RedisConnection,
  namespace: string,
  limit: number,
): Promise<DeadLetter[]> {
  if (limit < 1) return [];
  const failed = await openQueue(connection, namespace).getFailed(0, limit - 1);
  return failed.map((job) => ({
    id: String(job.id),
    data: job.data,
    reason: job.failedReason,
    attempts: job.attemptsMade,
    failedAtMs: job.finishedOn ?? job.timestamp,
  }));
}
