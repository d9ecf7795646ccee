/**
 * Owns what the tests of the intake share: a log that is kept, hubs and producers that are closed with the test, a
 * record of what was handled, and the names of the BullMQ scripts that were run.
 */
import { randomUUID } from "node:crypto";
import { systemClock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { IntakeConsumer, IntakeTiming } from "@muster/runtime/queue/intake-consumer";
import type { IntakeEntry } from "@muster/runtime/queue/intake-entry";
import { createIntakeHub, type IntakeHub } from "@muster/runtime/queue/intake-hub";
import { createIntakeProducer, type IntakeProducer } from "@muster/runtime/queue/intake-producer";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { waitUntil } from "@muster/test/kit/wait-until";
import { RedisQueueBackend } from "bullmq";
import { onTestFinished, vi } from "vitest";

/** Abandoned entries come back soon enough for a test to see it, and by nothing but the sweep. */
export const SHORT: IntakeTiming = { lockMs: 400, sweepMs: 200, pollMs: 60_000 };

export interface LogLine {
  level: "debug" | "info" | "warn" | "error";
  fields: object;
  msg: string;
}

export function keptLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const make = (base: object): Log => {
    const at = (level: LogLine["level"]) => (fields: object, msg: string) => {
      lines.push({ level, fields: { ...base, ...fields }, msg });
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => make({ ...base, ...fields }),
    };
  };
  return { log: make({}), lines };
}

export const freshNamespace = (): string => `test-${randomUUID()}`;

export function testHub(redis: RedisClient, timing?: IntakeTiming, log: Log = keptLog().log): IntakeHub {
  const hub = createIntakeHub({
    redis,
    log,
    clock: systemClock,
    ...(timing === undefined ? {} : { timing }),
  });
  onTestFinished(() => hub.close());
  return hub;
}

export function testProducer(redis: RedisClient, maxNamespaces?: number): IntakeProducer {
  const bound = maxNamespaces === undefined ? {} : { maxNamespaces };
  const producer = createIntakeProducer({ redis, log: keptLog().log, clock: systemClock, ...bound });
  onTestFinished(() => producer.close());
  return producer;
}

/** A handler that keeps what it was given. */
export function recorder(): { handled: IntakeEntry[]; handler: (entry: IntakeEntry) => Promise<void> } {
  const handled: IntakeEntry[] = [];
  return { handled, handler: async (entry) => void handled.push(entry) };
}

export const untilIdle = (consumer: IntakeConsumer): Promise<unknown> =>
  waitUntil(`${consumer.namespace} is idle`, () => consumer.idle(), { everyMs: 1 });

/** Counts the scripts that BullMQ runs in this process, by BullMQ's names of them, until the test ends. */
export function countScripts(): { counts: Record<string, number>; reset(): void } {
  const counts: Record<string, number> = {};
  const run = RedisQueueBackend.prototype.execCommand;
  const spy = vi.spyOn(RedisQueueBackend.prototype, "execCommand").mockImplementation(function (
    this: RedisQueueBackend,
    ...args: Parameters<typeof run>
  ) {
    counts[args[1]] = (counts[args[1]] ?? 0) + 1;
    return run.apply(this, args);
  });
  onTestFinished(() => spy.mockRestore());
  return {
    counts,
    reset() {
      for (const name of Object.keys(counts)) delete counts[name];
    },
  };
}
