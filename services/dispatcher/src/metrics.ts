/**
 * What a dispatcher counts, as verbs of its domain. Names and help are in runtime/metric-names.
 */

import type { JobOutcome } from "@muster/domain/job";
import { EMPTY_POOL, type PoolSize } from "@muster/domain/scaling";
import type { EjectionMetrics } from "@muster/ledger/tell-ejection";
import type { Metrics } from "@muster/runtime/metrics";
import type { PresenceVerdict } from "./presence.js";

export type RedispatchReason =
  | "undelivered"
  | "never_started"
  | "gateway_lost"
  | "worker_lost"
  | "agent_left";
export type HoldCause = "start" | "lease" | "generation" | "reconnect" | "silence";

/** The pools of one agent together. */
export interface AgentPools extends PoolSize {
  workersNeeded: number;
}

const NOTHING: AgentPools = { ...EMPTY_POOL, workersNeeded: 0 };

export interface DispatcherMetrics extends EjectionMetrics {
  jobClaimed(): void;
  jobParked(): void;
  /** On to the next agent that its order names. */
  jobFellBack(): void;
  /** Its room never opened. */
  orderExpired(): void;
  /** Ended by a timer: expired, failed, unknown. */
  jobEnded(outcome: string): void;
  /** Too many jobs of the deployment that was tried out went badly. */
  deploymentRolledBack(): void;
  /** Back among the waiting, to be given to a worker anew. */
  redispatched(reason: RedispatchReason, jobs?: number): void;
  orphanSettled(verdict: PresenceVerdict, outcome: "resumed" | "kept" | "ended"): void;
  /** So many sessions vanished at once that nothing is resumed without evidence for now. */
  guardRaised(): void;
  held(cause: HoldCause): void;
  /** Its agent was in a room that it had no business in any more, and was put out. */
  agentRemoved(reason: "stopped" | "resumed"): void;
  /** Redis was flushed or rolled back. */
  generationChanged(): void;
  /** What each agent's pools have to do, and who is there for it. Who is not named any more has nothing. */
  poolsMeasured(agents: ReadonlyMap<string, AgentPools>): void;
  /** Run when somebody wants to read the metrics, who waits for it. Must not reject. */
  beforeRead(refresh: () => Promise<void>): void;
  /** Ended records whose time of keeping was over. */
  forgotten(jobs: number, orders: number): void;
}

export function dispatcherMetrics(metrics: Metrics): DispatcherMetrics {
  const claimed = metrics.counter("jobs_claimed_total");
  const parked = metrics.counter("jobs_parked_total");
  const fellBack = metrics.counter("jobs_fell_back_total");
  const ordersExpired = metrics.counter("orders_expired_total");
  const rollbacks = metrics.counter("deployment_rollbacks_total");
  const ended = metrics.counter("jobs_ended_total");
  const ejections = metrics.counter("worker_ejections_total");
  const lastEjections = metrics.counter("worker_ejections_last_of_pool_total");
  const redispatches = metrics.counter("redispatches_total");
  const orphans = metrics.counter("orphans_settled_total");
  const guards = metrics.counter("guards_raised_total");
  const holds = metrics.counter("holds_total");
  const removed = metrics.counter("agents_removed_total");
  const generations = metrics.counter("generation_changes_total");
  const expirations = metrics.counter("retention_expirations_total");
  const named = new Set<string>();
  return {
    jobClaimed: () => claimed.add({}),
    jobParked: () => parked.add({}),
    jobFellBack: () => fellBack.add({}),
    orderExpired: () => ordersExpired.add({}),
    deploymentRolledBack: () => rollbacks.add({}),
    jobEnded: (outcome) => ended.add({ outcome: outcome as JobOutcome }),
    redispatched: (reason, jobs = 1) => redispatches.add({ reason }, jobs),
    orphanSettled: (verdict, outcome) => orphans.add({ verdict, outcome }),
    guardRaised: () => guards.add({}),
    held: (cause) => holds.add({ cause }),
    agentRemoved: (reason) => removed.add({ reason }),
    workerEjected(reason, isLast) {
      ejections.add({ reason });
      if (isLast) lastEjections.add({});
    },
    generationChanged: () => generations.add({}),
    poolsMeasured(agents) {
      for (const agent of agents.keys()) named.add(agent);
      for (const agent of named) setPools(metrics, agent, agents.get(agent) ?? NOTHING);
    },
    beforeRead: (refresh) => metrics.beforeRender(refresh),
    forgotten(jobs, orders) {
      expirations.add({ kind: "job" }, jobs);
      expirations.add({ kind: "order" }, orders);
    },
  };
}

function setPools(metrics: Metrics, agent: string, pools: AgentPools): void {
  const slots = metrics.gauge("agent_slots");
  slots.set({ agent, state: "used" }, pools.used);
  slots.set({ agent, state: "draining" }, pools.leaving);
  slots.set({ agent, state: "free" }, pools.free);
  const workers = metrics.gauge("agent_workers");
  for (const state of ["available", "full", "cooling", "draining", "drained"] as const)
    workers.set({ agent, state }, pools[state]);
  metrics.gauge("agent_jobs_waiting").set({ agent }, pools.queued);
  metrics.gauge("agent_workers_needed").set({ agent }, pools.workersNeeded);
}
