/** Owns what a siege of rooms says at its end. */
import { lines, section } from "../siege/report.js";
import type { Nature } from "./agents.js";
import type { Callers } from "./callers.js";
import type { RoomSiegePlan } from "./plan.js";

export interface RoomSiegeReport {
  readonly plan: RoomSiegePlan;
  /** The longest time that an api took for a webhook. */
  readonly longestWebhookMs: number;
  readonly calls: Callers["counts"];
  readonly natures: ReadonlyMap<Nature, number>;
  readonly workers: { started: number; died: number; cut: number };
  readonly faults: ReadonlyMap<string, number>;
  readonly outcomes: ReadonlyMap<string, number>;
  /** All of it must be empty. */
  readonly unanswered: readonly string[];
  readonly violations: readonly string[];
  readonly lost: readonly string[];
  readonly leaked: readonly string[];
  readonly traces: readonly string[];
}

export function roomTableOf(report: RoomSiegeReport): string {
  const { plan, calls, workers } = report;
  return [
    `Siege of rooms: seed ${plan.seed}, ${Math.round(plan.faultsMs / 1_000)} s, ${plan.store} Redis`,
    `calls ${calls.calls}: served ${calls.served}, hung up while they waited ${calls.hungUpWaiting}, came back ${calls.cameBack}, called again ${calls.calledAgain}, gave up ${calls.gaveUp}`,
    `workers started ${workers.started}, died ${workers.died}, lost a socket ${workers.cut}`,
    `a webhook took ${Math.round(report.longestWebhookMs)} ms at most`,
    "agents",
    ...lines(report.natures),
    "faults",
    ...lines(report.faults),
    "outcomes",
    ...lines(report.outcomes),
    ...section("unanswered", report.unanswered),
    ...section("violations", report.violations),
    ...section("lost", report.lost),
    ...section("leaked", report.leaked),
    ...report.traces,
    "",
  ].join("\n");
}
