/**
 * The times that the fault tests run with, short so that runs are short, and the bounds that follow from them by the
 * table of the design ("when things die"). The first part is what services are given; nothing else may set it.
 */
import type { ServiceKind } from "./conditions.js";

export const LEASE_MS = 1_000;
/** Longer than a worker of the tests takes to come back, shorter than most outages here. */
export const GRACE_MS = 3_000;
export const OFFER_TIMEOUT_MS = 600;
export const OFFER_TIMEOUT_MAX_MS = 2_000;
export const START_DEADLINE_MS = 6_000;
/** The dispatcher takes no less. */
export const SILENT_JOB_BOUND_MS = 60_000;
export const JOBS_PER_WORKER = 6;
/** How long sweeps wait after a gap for the gateways to say what they hold. */
export const HOLD_MS = 1_500;
const DESIGN_HOLD_MS = 5_000;
/** What the bounds of the design leave beside the lease of 3 s. */
const BESIDE_LEASE_MS = 2_000;

export interface Bound {
  /** As the design states it, with the default times. */
  readonly designMs: number;
  /** With the times of these tests. */
  readonly scaledMs: number;
}

/** How soon work that is ordered at that moment must be assigned. */
export const BOUNDS = {
  /** A gateway or dispatcher is gone without a word: its lease runs out, its work goes elsewhere. */
  loss: { designMs: 5_000, scaledMs: LEASE_MS + BESIDE_LEASE_MS },
  /** It said so before: nobody waits for anything. */
  drain: { designMs: 5_000, scaledMs: LEASE_MS + BESIDE_LEASE_MS },
  /** Cut off, or frozen, and back. */
  partition: { designMs: 3_000 + DESIGN_HOLD_MS, scaledMs: LEASE_MS + HOLD_MS },
  /** From when Redis answers again. */
  redis: { designMs: 5_000 + DESIGN_HOLD_MS, scaledMs: LEASE_MS + BESIDE_LEASE_MS + HOLD_MS },
  flush: { designMs: 10_000, scaledMs: 10_000 },
  /** A worker that is back has its jobs again, counted from its registration; on a machine that all of this shares. */
  adoption: { designMs: 100, scaledMs: 500 },
  /** A loss while those who would see it still hold, after a gap of their own. */
  lossInHold: { designMs: 5_000 + DESIGN_HOLD_MS, scaledMs: LEASE_MS + BESIDE_LEASE_MS + HOLD_MS },
} as const satisfies Record<string, Bound>;
export type BoundName = keyof typeof BOUNDS;

/** From when both can be reached until one of two executions has stopped: a renewal, and time to do it. */
export const OVERLAP_BOUND_MS = LEASE_MS + BESIDE_LEASE_MS;
/** Something that can be reached again is not asked before its next renewal. */
export const SETTLE_MS = LEASE_MS + 500;

const DISPATCHER = {
  MUSTER_LEASE_MS: LEASE_MS,
  MUSTER_GRACE_MS: GRACE_MS,
  MUSTER_OFFER_DEADLINE_MS: OFFER_TIMEOUT_MS + 1_000,
  MUSTER_SILENT_JOB_BOUND_MS: SILENT_JOB_BOUND_MS,
  MUSTER_HOLD_MS: HOLD_MS,
  MUSTER_PRESENCE_RECHECK_MS: 1_000,
  MUSTER_DRAIN_MS: 3_000,
};
const GATEWAY = {
  MUSTER_LEASE_MS: LEASE_MS,
  MUSTER_GRACE_MS: GRACE_MS,
  MUSTER_OFFER_TIMEOUT_MS: OFFER_TIMEOUT_MS,
  MUSTER_OFFER_TIMEOUT_MAX_MS: OFFER_TIMEOUT_MAX_MS,
  MUSTER_START_DEADLINE_MS: START_DEADLINE_MS,
  MUSTER_DRAIN_MS: 1_000,
  MUSTER_MAX_JOBS_PER_WORKER: JOBS_PER_WORKER,
  MUSTER_SAMPLE_FLUSH_MS: 50,
  MUSTER_PING_INTERVAL_MS: 1_000,
  MUSTER_SILENCE_MS: 4_000,
};
const API = { MUSTER_DRAIN_MS: 200 };

export function settingsOf(kind: ServiceKind, retentionMs: number): Record<string, string> {
  const settings = { gateway: GATEWAY, dispatcher: DISPATCHER, api: API }[kind];
  const all = { ...settings, MUSTER_RETENTION_MS: retentionMs };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, String(value)]));
}
