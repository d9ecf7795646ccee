/**
 * What a dispatcher counts, as verbs of its domain. Names and help are in runtime/metric-names.
 */

import type { EndedAs } from "@muster/domain/job";
import { EMPTY_POOL, type PoolSize } from "@muster/domain/scaling";
import type { BlameMetrics } from "@muster/ledger/tell-blame";
import { ACTOR_EVENTS, type ActorEvent } from "@muster/runtime/metric-names";
import type { Metrics } from "@muster/runtime/metrics";
import type { PresenceVerdict } from "./presence.js";

export type RedispatchReason =
  | "undelivered"
  | "never_started"
  | "never_joined"
  | "gateway_lost"
  | "worker_lost"
  | "agent_left";
export type HoldCause = "start" | "lease" | "generation" | "reconnect" | "silence";

/** The pools of one agent together. */
export interface AgentPools extends PoolSize {
  workersNeeded: number;
}

/** The counts are since the process began. */
export interface DispatcherState {
  actors: number;
  mailboxMessages: number;
  counts: Record<ActorEvent, number>;
  liveNodes: number;
  intakeQueued: number;
  /** Of the figures of agents; undefined before there are any. */
  figuresAgeMs: number | undefined;
}

const NOTHING: AgentPools = { ...EMPTY_POOL, workersNeeded: 0 };

export interface DispatcherMetrics extends BlameMetrics {
  /** Of a dispatch: waiting in the queue, for a worker, and the claim. */
  stageTook(stage: "queue" | "wait" | "match", ms: number): void;
  jobClaimed(): void;
  jobParked(): void;
  /** On to the next agent that its order names. */
  jobFellBack(): void;
  /** Its room never opened. */
  orderExpired(): void;
  /** Ended by a timer, or by presence; `never_joined` where nobody waited for the agent. */
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
  /** Run when somebody wants to read the metrics: what there is of actors here now. */
  beforeRead(look: () => DispatcherState): void;
  /** Ended records whose time of keeping was over. */
  forgotten(jobs: number, orders: number): void;
}

export function dispatcherMetrics(metrics: Metrics): DispatcherMetrics {
  const stages = metrics.histogram("dispatch_stage_duration_seconds");
  const claimed = metrics.counter("jobs_claimed_total");
  const parked = metrics.counter("jobs_parked_total");
  const fellBack = metrics.counter("jobs_fell_back_total");
  const ordersExpired = metrics.counter("orders_expired_total");
  const rollbacks = metrics.counter("deployment_rollbacks_total");
  const ended = metrics.counter("jobs_ended_total");
  const ejections = metrics.counter("worker_ejections_total");
  const lastEjections = metrics.counter("worker_ejections_last_of_pool_total");
  const suspects = metrics.counter("jobs_suspected_total");
  const redispatches = metrics.counter("redispatches_total");
  const orphans = metrics.counter("orphans_settled_total");
  const guards = metrics.counter("guards_raised_total");
  const holds = metrics.counter("holds_total");
  const removed = metrics.counter("agents_removed_total");
  const prevented = metrics.counter("duplicates_prevented_total");
  const generations = metrics.counter("generation_changes_total");
  const expirations = metrics.counter("retention_expirations_total");
  const named = new Set<string>();
  return {
    stageTook: (stage, ms) => stages.observe({ stage }, Math.max(0, ms) / 1_000),
    jobClaimed: () => claimed.add({}),
    jobParked: () => parked.add({}),
    jobFellBack: () => fellBack.add({}),
    orderExpired: () => ordersExpired.add({}),
    deploymentRolledBack: () => rollbacks.add({}),
    jobEnded: (outcome) => ended.add({ outcome: outcome as EndedAs }),
    redispatched: (reason, jobs = 1) => redispatches.add({ reason }, jobs),
    orphanSettled: (verdict, outcome) => orphans.add({ verdict, outcome }),
    guardRaised: () => guards.add({}),
    held: (cause) => holds.add({ cause }),
    agentRemoved(reason) {
      removed.add({ reason });
      if (reason === "resumed") prevented.add({ by: "agent_removed" });
    },
    workerEjected(reason, isLast) {
      if (isLast) lastEjections.add({});
      else ejections.add({ reason });
    },
    jobSuspected: (reason) => suspects.add({ reason }),
    generationChanged: () => generations.add({}),
    poolsMeasured(agents) {
      for (const agent of agents.keys()) named.add(agent);
      for (const agent of named) setPools(metrics, agent, agents.get(agent) ?? NOTHING);
    },
    beforeRead(look) {
      const told: Partial<Record<ActorEvent, number>> = {};
      metrics.beforeRender(async () => setState(metrics, look(), told));
    },
    forgotten(jobs, orders) {
      expirations.add({ kind: "job" }, jobs);
      expirations.add({ kind: "order" }, orders);
    },
  };
}

/** `told`: the counts as of the last reading. */
function setState(metrics: Metrics, state: DispatcherState, told: Partial<Record<ActorEvent, number>>): void {
  metrics.gauge("actors_hosted").set({}, state.actors);
  metrics.gauge("actor_mailbox_messages").set({}, state.mailboxMessages);
  metrics.gauge("nodes_live").set({}, state.liveNodes);
  metrics.gauge("intake_queued").set({}, state.intakeQueued);
  if (state.figuresAgeMs !== undefined)
    metrics.gauge("agent_figures_age_seconds").set({}, state.figuresAgeMs / 1_000);
  const events = metrics.counter("actor_events_total");
  for (const event of ACTOR_EVENTS) {
    events.add({ event }, state.counts[event] - (told[event] ?? 0));
    told[event] = state.counts[event];
  }
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
  metrics.gauge("agent_jobs_suspect").set({ agent }, pools.suspect);
  metrics.gauge("agent_oldest_wait_seconds").set({ agent }, pools.oldestWaitMs / 1_000);
  metrics.gauge("agent_workers_needed").set({ agent }, pools.workersNeeded);
}
