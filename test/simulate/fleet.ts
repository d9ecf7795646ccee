/** Owns the workers of a simulation: how many, how fast, and each with chance of its own. One seed, one fleet. */
import { Random } from "../cluster/siege/random.js";
import { Machine } from "./machine.js";
import { SdkWorker } from "./sdk-worker.js";

export interface FleetPlan {
  readonly seed: number;
  readonly workers: number;
  /** The part of the workers that is fast, 0–1, and how many times as fast as the others these are. */
  readonly fastShare: number;
  readonly fastSpeed: number;
  readonly baseLoad: number;
  /** Deviation of what a worker measures from what is, 0–1. */
  readonly noise: number;
  /** Load from which on a worker says FULL; whether it then refuses offers; above which load it counts as overloaded. */
  readonly threshold: number;
  readonly refuses: boolean;
  readonly targetLoad: number;
  /** From one load report of a worker to its next. */
  readonly reportMs: number;
}

export interface Member {
  readonly worker: SdkWorker;
  /** When its first report is due. */
  readonly firstReportMs: number;
}

/** What the Python SDK keeps ready on a machine of four cores or more. */
const IDLE_PROCESSES = 4;

export function buildFleet(plan: FleetPlan): Member[] {
  const chance = new Random(plan.seed);
  const fast = Math.round(plan.workers * plan.fastShare);
  return Array.from({ length: plan.workers }, (_, index) => {
    const own = chance.fork();
    // Fast ones are spread over the fleet, and so over the nodes of a cluster of livekit-servers.
    const isFast =
      Math.floor(((index + 1) * fast) / plan.workers) > Math.floor((index * fast) / plan.workers);
    const machine = new Machine({
      speed: isFast ? plan.fastSpeed : 1,
      baseLoad: plan.baseLoad,
      targetLoad: plan.targetLoad,
      phaseMs: own.between(0, plan.reportMs - 1),
    });
    const worker = new SdkWorker({
      id: `AW_${index}`,
      machine,
      seed: own.between(0, 2 ** 31),
      threshold: plan.threshold,
      refuses: plan.refuses,
      noise: plan.noise,
      idleProcesses: IDLE_PROCESSES,
    });
    return { worker, firstReportMs: own.between(0, plan.reportMs - 1) };
  });
}
