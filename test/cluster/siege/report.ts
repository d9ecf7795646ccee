/** Owns what a siege says at its end: the table for a reader, and the figures that a test asks for. */
import type { JobFate } from "../invariants.js";
import { BOUNDS } from "../timing.js";
import type { Overlap } from "../witness.js";
import type { SiegePlan } from "./plan.js";
import type { Recovery } from "./recoveries.js";

export interface SiegeReport {
  readonly plan: SiegePlan;
  readonly faults: ReadonlyMap<string, number>;
  readonly recoveries: readonly Recovery[];
  readonly orders: { accepted: number; unanswered: number; repeatedCalls: number };
  readonly outcomes: ReadonlyMap<string, number>;
  readonly starts: number;
  readonly redispatches: number;
  /** Begun although an earlier execution had ended well: its report did not arrive, or was not taken. */
  readonly repeated: number;
  readonly adoptions: { brought: number; adopted: number; elsewhere: number };
  readonly workers: { started: number; died: number; returns: number };
  readonly overlaps: readonly Overlap[];
  readonly polls: number;
  /** All of it must be empty. */
  readonly violations: readonly string[];
  readonly lost: readonly string[];
  readonly leaked: readonly string[];
  /** What the services wrote about the first jobs that something is wrong with. */
  readonly traces: readonly string[];
}

export function outcomesOf(fates: ReadonlyMap<string, JobFate>): Map<string, number> {
  const outcomes = new Map<string, number>();
  for (const { state, outcome, cause } of fates.values()) {
    const word = state === "ended" ? `${outcome} (${cause})` : state;
    outcomes.set(word, (outcomes.get(word) ?? 0) + 1);
  }
  return outcomes;
}

export function tableOf(report: SiegeReport): string {
  const { plan, orders, adoptions, workers, overlaps } = report;
  const faultCount = [...report.faults.values()].reduce((sum, count) => sum + count, 0);
  return [
    `Siege: seed ${plan.seed}, ${Math.round(plan.faultsMs / 1_000)} s of faults, ${plan.zones.length} namespaces, ${plan.store} Redis`,
    "",
    `faults ${faultCount}`,
    ...lines(report.faults),
    "",
    "recovery (worst, ms)                                count    worst    bound   design",
    ...report.recoveries.map(recoveryLine),
    "",
    `orders accepted ${orders.accepted}, unanswered ${orders.unanswered}, calls repeated ${orders.repeatedCalls}`,
    ...lines(report.outcomes),
    `executions started ${report.starts}, of them again after the first ${report.redispatches}, after one that ended well ${report.repeated}`,
    `jobs brought back ${adoptions.brought}, re-adopted ${adoptions.adopted}, given to others meanwhile ${adoptions.elsewhere}`,
    `workers started ${workers.started}, died ${workers.died}, came back ${workers.returns}`,
    `looks at the invariants ${report.polls}`,
    `overlaps with a worker out of reach ${overlaps.filter(({ cause }) => cause !== undefined).length}`,
    ...overlaps.map(overlapLine),
    ...section("violations", report.violations),
    ...section("lost", report.lost),
    ...section("leaked", report.leaked),
    ...report.traces,
    "",
  ].join("\n");
}

export function lines(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort().map(([word, count]) => `  ${word.padEnd(48)} ${String(count).padStart(6)}`);
}

function recoveryLine({ kind, bound, count, worstMs }: Recovery): string {
  const { scaledMs, designMs } = BOUNDS[bound];
  const figures = [count, Math.round(worstMs), scaledMs, designMs].map((figure) =>
    String(figure).padStart(8),
  );
  return `  ${kind.padEnd(48)}${figures.join(" ")}`;
}

function overlapLine({ job, earlier, later, startedAtMs, endedAtMs, cause }: Overlap): string {
  const lasted = endedAtMs === undefined ? "not over" : `${Math.round(endedAtMs - startedAtMs)} ms`;
  return `  ${job}: ${earlier}, then ${later}, ${lasted}; ${cause ?? "NO FAULT EXPLAINS IT"}`;
}

export function section(name: string, found: readonly string[]): string[] {
  return [`${name} ${found.length}`, ...found.map((line) => `  ${line}`)];
}
