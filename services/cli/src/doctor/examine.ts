/**
 * Runs checks, one after the other: some measure, and none should meet the noise of another. Each is bounded in time; one
 * that throws is a finding like any other, since it is then that help is needed. Must never reject.
 */

import { setMaxListeners } from "node:events";
import type { Check } from "./check.js";
import { type Finding, fail, Skip, type Verdict, verdictOf } from "./finding.js";
import type { Surroundings } from "./surroundings.js";

export interface Examined {
  name: string;
  looksAt: string;
  verdict: Verdict;
  tookMs: number;
  findings: Finding[];
}

export interface ExamineOptions {
  surroundings: Surroundings;
  timeoutMs: number;
  /** Told as soon as a check is over. */
  onExamined?: (examined: Examined) => void;
  /** When it fires the check under way is ended, and no other one begun. */
  signal?: AbortSignal;
}

/** For a check that ran out of time to take away what it made. */
const CLEAN_UP_MS = 3_000;

export async function examine(
  checks: readonly Check[],
  { surroundings, timeoutMs, onExamined, signal }: ExamineOptions,
): Promise<Examined[]> {
  const all: Examined[] = [];
  for (const check of checks) {
    if (signal?.aborted === true) break;
    const startedAt = performance.now();
    const findings = await bounded(check, surroundings, timeoutMs, signal);
    const tookMs = Math.round(performance.now() - startedAt);
    const { name, looksAt } = check;
    const examined = { name, looksAt, verdict: verdictOf(findings), tookMs, findings };
    all.push(examined);
    onExamined?.(examined);
  }
  return all;
}

async function bounded(
  check: Check,
  surroundings: Surroundings,
  timeoutMs: number,
  above: AbortSignal | undefined,
): Promise<Finding[]> {
  const controller = new AbortController();
  // As many as the check has questions under way; they go with it.
  setMaxListeners(0, controller.signal);
  const end = () => controller.abort();
  above?.addEventListener("abort", end, { once: true });
  const running = settled(check, surroundings, controller.signal);
  let timer = setTimeout(end, timeoutMs);
  const ended = new Promise<undefined>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  try {
    const findings = await Promise.race([running, ended]);
    if (findings !== undefined) return findings;
    clearTimeout(timer);
    const grace = new Promise((resolve) => {
      timer = setTimeout(resolve, CLEAN_UP_MS);
    });
    await Promise.race([running, grace]);
    return [
      fail(
        above?.aborted === true
          ? "the check was broken off"
          : `the check had no result within ${timeoutMs} ms`,
        `something it asks does not answer; give it longer by --timeout ${Math.ceil((3 * timeoutMs) / 1000)}s, or leave it out by --skip ${check.name}`,
      ),
    ];
  } finally {
    clearTimeout(timer);
    above?.removeEventListener("abort", end);
  }
}

async function settled(check: Check, surroundings: Surroundings, signal: AbortSignal): Promise<Finding[]> {
  try {
    return await check.run(surroundings, signal);
  } catch (error) {
    if (error instanceof Skip) return [{ verdict: "skipped", says: error.message }];
    const what = error instanceof Error ? error.message : String(error);
    return [
      fail(
        `the check itself failed: ${what}`,
        `what it says may name the cause; --skip ${check.name} leaves it out`,
      ),
    ];
  }
}
