/** Owns how the trials are written for a reader: one row each, and behind the table what was broken. */
import { table } from "../../test/simulate/table.js";
import type { Trial } from "./trial.js";

export interface Judged extends Trial {
  readonly problems: readonly string[];
}

const HEAD = [
  "attack",
  "orders served",
  "refused, lost",
  "p99 ms",
  "× before",
  "LiveKit p99 ms",
  "gateway, dispatcher, api MiB",
  "log KiB/s",
  "keys",
  "not honest",
  "verdict",
];

export function tableOf(trials: readonly Judged[]): string {
  return table(HEAD, trials.map(rowOf));
}

function rowOf({ name, before, during, peaks, loggedKiBPerS, keys, traces, problems }: Judged): string[] {
  const { orders, livekit } = during;
  return [
    name,
    `${orders.served} of ${orders.asked}`,
    `${orders.refused}, ${orders.lost}`,
    orders.p99Ms.toFixed(0),
    (orders.p99Ms / Math.max(1, before.orders.p99Ms)).toFixed(1),
    livekit.p99Ms.toFixed(0),
    [peaks.gateway, peaks.dispatcher, peaks.api].map((mib) => mib.toFixed(0)).join(", "),
    loggedKiBPerS.toFixed(1),
    String(keys),
    String(traces.length),
    problems.length === 0 ? "holds" : "BROKEN",
  ];
}

/** What each found, and what was broken. */
export function detailsOf(trials: readonly Judged[]): string {
  return trials
    .flatMap(({ name, findings, problems }) => [
      `${name}: ${figuresOf(findings.figures)}`,
      ...problems.map((problem) => `  BROKEN: ${problem}`),
    ])
    .join("\n");
}

function figuresOf(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toFixed(1)}`)
    .join(", ");
}
