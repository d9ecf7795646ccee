/**
 * Owns the times that Muster ships with, for the tests that must show what they amount to together: how long a worker
 * really stays away against how long its job really waits. The other tests scale all of them down (timing.ts).
 */
import {
  GRACE_MS,
  HOLD_MS,
  LEASE_MS,
  OFFER_DEADLINE_MS,
  OFFER_TIMEOUT_MAX_MS,
  OFFER_TIMEOUT_MS,
  PRESENCE_RECHECK_MS,
  SILENT_JOB_BOUND_MS,
  START_DEADLINE_MS,
} from "@muster/domain/timing";
import type { ClusterOptions } from "./harness.js";

const of = (settings: Record<string, number>): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));

export const PRODUCTION: Required<ClusterOptions>["env"] = {
  dispatcher: of({
    MUSTER_LEASE_MS: LEASE_MS,
    MUSTER_GRACE_MS: GRACE_MS,
    MUSTER_OFFER_DEADLINE_MS: OFFER_DEADLINE_MS,
    MUSTER_SILENT_JOB_BOUND_MS: SILENT_JOB_BOUND_MS,
    MUSTER_HOLD_MS: HOLD_MS,
    MUSTER_PRESENCE_RECHECK_MS: PRESENCE_RECHECK_MS,
  }),
  gateway: of({
    MUSTER_LEASE_MS: LEASE_MS,
    MUSTER_GRACE_MS: GRACE_MS,
    MUSTER_OFFER_TIMEOUT_MS: OFFER_TIMEOUT_MS,
    MUSTER_OFFER_TIMEOUT_MAX_MS: OFFER_TIMEOUT_MAX_MS,
    MUSTER_START_DEADLINE_MS: START_DEADLINE_MS,
    MUSTER_SAMPLE_FLUSH_MS: 100,
    MUSTER_PING_INTERVAL_MS: 10_000,
    MUSTER_SILENCE_MS: 30_000,
  }),
};

/** Pauses of both SDKs before each attempt: at 2, 6, 12, 20 and 30 s, and Python's also at once. */
export const SDK_REDIAL_MS = {
  python: [0, 2_000, 4_000, 6_000, 8_000, 10_000],
  node: [2_000, 4_000, 6_000, 8_000, 10_000],
} as const;
