/** Owns what a walk says at its end: the table for a reader, and the figures that a test asks for. */
import type { Recovery } from "../siege/recoveries.js";
import type { Overlap } from "../witness.js";

export interface WalkReport {
  readonly seed: number;
  /** From the first process that was replaced to the last. */
  readonly tookMs: number;
  readonly recoveries: readonly Recovery[];
  /** The longest time in which no job started anywhere. */
  readonly longestPauseMs: number;
  readonly orders: { accepted: number; unanswered: readonly string[]; repeatedCalls: number };
  readonly outcomes: ReadonlyMap<string, number>;
  readonly starts: number;
  /** Begun although an earlier execution had ended well. */
  readonly repeated: number;
  readonly returns: number;
  readonly adoptions: { brought: number; adopted: number; elsewhere: number };
  readonly overlaps: readonly Overlap[];
  readonly polls: number;
  readonly deliveries: number;
  /** All of these must be empty. */
  readonly violations: readonly string[];
  readonly lost: readonly string[];
  readonly leaked: readonly string[];
  readonly untold: readonly string[];
  readonly errors: readonly string[];
}

export function tableOf(report: WalkReport): string {
  const { orders, adoptions, overlaps } = report;
  return [
    `Rolling upgrade and back: seed ${report.seed}, ${(report.tookMs / 1_000).toFixed(1)} s`,
    "",
    "until new orders were assigned (worst, ms)          count    worst",
    ...report.recoveries.map(
      ({ kind, count, worstMs }) =>
        `  ${kind.padEnd(48)}${[count, Math.round(worstMs)].map((figure) => String(figure).padStart(8)).join(" ")}`,
    ),
    `longest time in which no job started ${Math.round(report.longestPauseMs)} ms`,
    "",
    `orders accepted ${orders.accepted}, unanswered ${orders.unanswered.length}, calls repeated ${orders.repeatedCalls}`,
    ...[...report.outcomes]
      .sort()
      .map(([word, count]) => `  ${word.padEnd(48)} ${String(count).padStart(6)}`),
    `executions started ${report.starts}, after one that ended well ${report.repeated}`,
    `workers came back ${report.returns} times, with ${adoptions.brought} jobs; re-adopted ${adoptions.adopted}, given to others meanwhile ${adoptions.elsewhere}`,
    `webhooks delivered ${report.deliveries}; looks at the invariants ${report.polls}`,
    `overlaps with a worker out of reach ${overlaps.filter(({ cause }) => cause !== undefined).length}`,
    ...(["violations", "lost", "leaked", "untold", "errors"] as const).flatMap((name) => [
      `${name} ${report[name].length}`,
      ...report[name].slice(0, 40).map((line) => `  ${line}`),
    ]),
    "",
  ].join("\n");
}
