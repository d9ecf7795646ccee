/**
 * Owns waiting in tests: polls until something holds, with a deadline, and says on failure what it saw last.
 * Tests never sleep; they wait for what they are about.
 */
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

export interface WaitOptions {
  deadlineMs?: number;
  everyMs?: number;
  /** What must hold all the while, checked at each poll: throws, and the wait ends with its error. */
  invariant?: () => void | Promise<void>;
}

/**
 * Calls `check` until it returns something truthy, and returns that. A check that throws is one that does not hold yet,
 * so that an `expect` can be polled. Throws at the deadline, with the last value or error.
 */
export async function waitUntil<T>(
  description: string,
  check: () => T | Promise<T>,
  { deadlineMs = 5_000, everyMs = 10, invariant }: WaitOptions = {},
): Promise<Exclude<Awaited<T>, false | null | undefined | 0 | "">> {
  const startedAt = performance.now();
  for (let polls = 1; ; polls++) {
    let seen: string;
    try {
      const value = await check();
      if (value) return value as Exclude<Awaited<T>, false | null | undefined | 0 | "">;
      seen = `last value: ${inspect(value, { depth: 6 })}`;
    } catch (error) {
      seen = `last error: ${error instanceof Error ? error.message : inspect(error)}`;
    }
    await invariant?.();
    const waitedMs = Math.round(performance.now() - startedAt);
    if (waitedMs >= deadlineMs) {
      throw new Error(`waited ${waitedMs} ms (${polls} polls) in vain until ${description}; ${seen}`);
    }
    await delay(everyMs);
  }
}
