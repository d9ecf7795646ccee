/**
 * How findings are told: a list for people, one JSON document for scripts. Both have the same in them, and both come out
 * of what was examined alone.
 */

import { styleText } from "node:util";
import type { Examined } from "./examine.js";
import type { Verdict } from "./finding.js";

const LABELS: Readonly<Record<Verdict, string>> = { ok: "ok", warn: "WARN", fail: "FAIL", skipped: "skip" };
const STYLES = { ok: "green", warn: "yellow", fail: "red", skipped: "gray" } as const;
const LABEL_WIDTH = 6;
const NAME_WIDTH = 20;

export interface Counts {
  ok: number;
  warn: number;
  fail: number;
  skipped: number;
}

export function countsOf(all: readonly Examined[]): Counts {
  const counts = { ok: 0, warn: 0, fail: 0, skipped: 0 };
  for (const { verdict } of all) counts[verdict]++;
  return counts;
}

/** 0, or 1 when something failed; with `strict` also for a warning. */
export function exitCodeOf(all: readonly Examined[], strict: boolean): 0 | 1 {
  const { fail, warn } = countsOf(all);
  return fail > 0 || (strict && warn > 0) ? 1 : 0;
}

/** A line for each finding, and one more for what to do about it. */
export function textOf({ name, findings }: Examined, isColored: boolean): string {
  const indent = " ".repeat(LABEL_WIDTH + NAME_WIDTH + 2);
  return findings
    .flatMap(({ verdict, says, fix }) => {
      const label = LABELS[verdict].padEnd(LABEL_WIDTH);
      const shown = isColored ? styleText(STYLES[verdict], label, { validateStream: false }) : label;
      const line = `  ${shown}${name.padEnd(NAME_WIDTH)}${says}`;
      return fix === undefined ? [line] : [line, `${indent}fix: ${fix.replaceAll("\n", `\n${indent}     `)}`];
    })
    .join("\n");
}

export function summaryOf(all: readonly Examined[]): string {
  const { ok, warn, fail, skipped } = countsOf(all);
  const warnings = warn === 1 ? "1 warning" : `${warn} warnings`;
  return `${ok} ok, ${warnings}, ${fail} failed, ${skipped} skipped`;
}

export function jsonOf(all: readonly Examined[], about: { version: string; exitCode: number }): string {
  return JSON.stringify({ ...about, counts: countsOf(all), checks: all }, undefined, 2);
}
