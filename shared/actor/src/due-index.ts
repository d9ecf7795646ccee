/**
 * Owns the index by which a name that nobody hosts is found: in one of 16 buckets, by the time it is next due.
 *
 * The rule that makes it safe: a name is marked *before* the fact that needs it is written, and unmarked only by a sweep
 * that looked at the facts and finds the mark as it was before it looked. A process that dies between mark and fact
 * leaves a mark too many, which costs one look; the other way round a fact would wait for ever. Every mark is a new
 * score, so a mark made while somebody looks is never taken away with the old one.
 *
 * A look made between mark and fact sees neither. So a mark is settled only once it is older than any writer takes (see
 * due-sweep.ts); a writer that took longer marks again.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript, type Script } from "@muster/runtime/redis/script";
import { dueKey } from "./keys.js";
import { loadScript, textReply } from "./lua-script.js";
import { hashOf } from "./rendezvous.js";

export const DUE_BUCKETS = 16;

const MARK_DUE = loadScript("mark-due", 1);
const DUE_NAMES = loadScript("due-names", 1);
const RESCHEDULE_DUE = loadScript("reschedule-due", 1);
const REMOVE_DUE = loadScript("remove-due", 1);

export interface DueName {
  name: string;
  /** As Redis wrote it; handed back to say which mark was seen. */
  score: string;
  /** How long it has been due. */
  overdueMs: number;
}

export interface DueIndex {
  /** To be awaited before the fact is written. */
  markDue(name: string): Promise<void>;
  /** What is due now by Redis time: at most `limitPerBucket` of each bucket, the longest due of each first. */
  due(limitPerBucket: number): Promise<DueName[]>;
  /** Whatever is in it, due or not, the next due of each bucket first; at most so many of each. Changes nothing. */
  listed(limitPerBucket: number): Promise<string[]>;
  /** `dueAtMs` is Redis time. */
  reschedule(name: string, seenScore: string, dueAtMs: number): Promise<"rescheduled" | "changed">;
  remove(name: string, seenScore: string): Promise<"removed" | "changed">;
}

export function createDueIndex({ redis }: { redis: RedisClient }): DueIndex {
  const run = async (script: Script, bucket: number, args: (string | number)[]): Promise<string[]> =>
    textReply(await runScript(redis, script, [dueKey(bucket)], args), script);

  async function dueIn(bucket: number, limit: number): Promise<DueName[]> {
    const [nowMs, ...pairs] = await run(DUE_NAMES, bucket, [limit]);
    const names: DueName[] = [];
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const score = pairs[index + 1] ?? "";
      names.push({ name: pairs[index] ?? "", score, overdueMs: Number(nowMs) - Number(score) });
    }
    return names;
  }

  return {
    async markDue(name) {
      await run(MARK_DUE, bucketOf(name), [name]);
    },
    async due(limitPerBucket) {
      // Issued together, so they travel together; on Cluster each goes to the master of its bucket.
      const buckets = Array.from({ length: DUE_BUCKETS }, (_, bucket) => dueIn(bucket, limitPerBucket));
      return (await Promise.all(buckets)).flat();
    },
    async listed(limitPerBucket) {
      const buckets = Array.from({ length: DUE_BUCKETS }, (_, bucket) =>
        redis.zrange(dueKey(bucket), "0", String(limitPerBucket - 1)),
      );
      return (await Promise.all(buckets)).flat();
    },
    async reschedule(name, seenScore, dueAtMs) {
      const [status] = await run(RESCHEDULE_DUE, bucketOf(name), [name, seenScore, dueAtMs]);
      return status === "rescheduled" ? "rescheduled" : "changed";
    },
    async remove(name, seenScore) {
      const [status] = await run(REMOVE_DUE, bucketOf(name), [name, seenScore]);
      return status === "removed" ? "removed" : "changed";
    },
  };
}

function bucketOf(name: string): number {
  return hashOf(name) % DUE_BUCKETS;
}
