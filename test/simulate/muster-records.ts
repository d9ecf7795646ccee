/** Owns what is ordinary in the records of a simulation: who the sessions are, and what an order for a job looks like. */
import { poolName } from "@muster/domain/pool";
import type { NewJob, OrderFacts } from "@muster/ledger/shapes";
import type { Arrival } from "./placement.js";

/** What the gateway's settings say of every worker. */
export interface SessionPolicy {
  /** Load that one more job is taken to cost until it shows in a report, 0–1. */
  readonly cost: number;
  /** Projected load from which on no more is offered, 0–1. */
  readonly maxLoad: number;
  /** Jobs at a time; 0 for no bound. */
  readonly cap: number;
}

export const GATEWAY = "NO_simulated";
const AGENT = "agent";
const POOL = poolName({ agentName: AGENT, type: "room", deployment: "" });
/** Longer than any trace. */
const LEASE_MS = 10 * 86_400_000;
const MAX_ATTEMPTS = 3;

export function sessionArgs(session: string, { cost, maxLoad, cap }: SessionPolicy) {
  const who = { agent: AGENT, type: "room", deployment: "", version: "1.9.0", permissions: "" };
  const facts = { ...who, client_ip: "127.0.0.1", api_key: "key", cost, max_load: maxLoad, cap };
  return { session, gateway: GATEWAY, pool: POOL, facts, leaseMs: LEASE_MS };
}

export function orderArgs({ index, job }: Arrival): {
  order: string;
  room: string;
  facts: OrderFacts;
  newJobs: NewJob[];
} {
  const facts: OrderFacts = {
    ...{ agent: AGENT, deployment: "", metadata: "", attributes: "{}", priority: job.priority },
    ...{ restart_policy: "on_failure", target: "room" },
  };
  const newJob = { id: jobIdOf(index), type: "room", pool: POOL, room_sid: "", participant_info: "" };
  return {
    order: `AD_${index}`,
    room: `room-${index}`,
    facts,
    newJobs: [{ ...newJob, max_attempts: MAX_ATTEMPTS }],
  };
}

export function jobIdOf(index: number): string {
  return `AJ_${index}`;
}
