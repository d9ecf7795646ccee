/**
 * Owns one run: the trace arrives, the workers report and run what they are given, somebody places. Ends when the last job
 * would have ended had each started at once, so that all strategies are judged over the same time.
 */
import { Account, type Figures } from "./account.js";
import { Agenda } from "./agenda.js";
import { buildFleet, type FleetPlan } from "./fleet.js";
import type { Arrival, Placement, World } from "./placement.js";
import type { SdkWorker } from "./sdk-worker.js";
import { type TracedJob, traceEndMs } from "./trace.js";

export interface SimulationPlan {
  readonly fleet: FleetPlan;
  readonly trace: readonly TracedJob[];
  /** From the offer at the worker to its answer; from the assignment to the running job. */
  readonly answerMs: number;
  readonly launchMs: number;
}

export interface Run {
  readonly plan: SimulationPlan;
  readonly placement: Placement;
  /** Told now and then which part is done, 0–1. */
  readonly progress?: (part: number) => void;
}

/** One way between two processes of a data centre, with what each does about it. */
const HOP_MS = 2;
const LOOK_EVERY_MS = 1_000;

export async function simulate({ plan, placement, progress = () => {} }: Run): Promise<Figures> {
  const members = buildFleet(plan.fleet);
  const workers = members.map(({ worker }) => worker);
  const account = new Account(workers, plan.trace);
  const agenda = new Agenda(HOP_MS);
  // Every worker has reported twice before the first job comes.
  const startMs = 2 * plan.fleet.reportMs;
  const endMs = startMs + traceEndMs(plan.trace);
  const world: World = { agenda, account, workers, answerMs: plan.answerMs, assign };

  function assign(arrival: Arrival, worker: SdkWorker, nowMs: number): void {
    account.accepted(arrival.job, worker, nowMs - startMs - arrival.job.atMs);
    agenda.at(nowMs + Math.max(HOP_MS, plan.launchMs), (atMs) => {
      worker.launch(arrival.job, atMs);
      agenda.at(atMs + Math.max(HOP_MS, arrival.job.durationMs), (overAtMs) => {
        worker.end(arrival.job, overAtMs);
        return placement.ended(arrival, worker, overAtMs);
      });
      return placement.launched(arrival, worker, atMs);
    });
  }

  function reports(worker: SdkWorker, atMs: number): void {
    agenda.at(atMs, (nowMs) => {
      reports(worker, nowMs + plan.fleet.reportMs);
      return placement.report(worker, nowMs);
    });
  }

  /** One at a time: a trace may have a great many. */
  function arrives(index: number): void {
    const job = plan.trace[index];
    if (job === undefined) return;
    agenda.at(startMs + job.atMs, (nowMs) => {
      arrives(index + 1);
      return placement.arrive({ index, job }, nowMs);
    });
  }

  function looks(atMs: number): void {
    agenda.at(atMs, (nowMs): undefined => {
      account.look(nowMs - startMs);
      looks(nowMs + LOOK_EVERY_MS);
    });
  }

  await placement.start(world, 0);
  for (const { worker, firstReportMs } of members) reports(worker, Math.max(HOP_MS, firstReportMs));
  arrives(0);
  looks(startMs);
  await agenda.runUntil(endMs, (nowMs) => progress(nowMs / endMs));
  return account.figures(startMs, endMs);
}
