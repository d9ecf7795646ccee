/**
 * The settings of a dispatcher, with their defaults and what they mean. The only file here that knows of them by name.
 */

import {
  COOL_DOWN_MS,
  DOUBT_BOUND_MS,
  EARLY_FAILURE_MS,
  GRACE_MS,
  GUARD_MS,
  HOLD_MS,
  LEASE_MS,
  OFFER_DEADLINE_MS,
  PRESENCE_RECHECK_MS,
  REPORT_BOUND_MS,
  RETENTION_MS,
  RETRY_MS,
  SILENT_JOB_BOUND_MS,
  START_DEADLINE_MS,
  STOP_BOUND_MS,
} from "@muster/domain/timing";
import { type LivekitSettings, livekitFields } from "@muster/livekit/settings";
import {
  durationMs,
  flag,
  hasMetricsPort,
  host,
  keys,
  logLevel,
  metricsFields,
  NO_METRICS_PORT,
  port,
  redisUrl,
} from "@muster/runtime/config-fields";
import { checkCoupledTimes } from "@muster/runtime/coupled-times";
import { z } from "zod";
import type { DispatchPolicy } from "./policy.js";

export const placementFields = {
  offerDeadlineMs: durationMs({ minMs: 500, maxMs: 60_000 })
    .default(OFFER_DEADLINE_MS)
    .describe(
      "When an offer ends in the ledger, at the soonest: never before its worker's time at the gateway is over.",
    ),
  graceMs: durationMs({ minMs: 1_000, maxMs: 600_000 })
    .default(GRACE_MS)
    .describe("How long a job waits for its worker to come back after the socket was lost."),
  startDeadlineMs: durationMs({ minMs: 1_000, maxMs: 600_000 })
    .default(START_DEADLINE_MS)
    .describe(
      "From the assignment until the job must have been seen to run, or its agent to have joined: longer than the slowest start of an agent. Later attempts, and pools known to be slow, have up to four times as long.",
    ),
  silentJobBoundMs: durationMs({ minMs: 60_000, maxMs: 604_800_000 })
    .default(SILENT_JOB_BOUND_MS)
    .describe("How long a job of a worker that never reports is taken to run."),
  neverJoined: z
    .enum(["failed", "success"], { error: "must be failed or success" })
    .default("failed")
    .describe(
      "What becomes of a job whose worker reports success although its agent never joined its room, where a LiveKit is known: failed, or success, as the worker says.",
    ),
  resumeWithoutEvidence: flag
    .default(false)
    .describe(
      "Give the job of a lost worker that never reports to another one after graceMs, though the first may still run it.",
    ),
  presenceRecheckMs: durationMs({ minMs: 1_000, maxMs: 600_000 })
    .default(PRESENCE_RECHECK_MS)
    .describe("How soon it is asked again whether the agent of a lost worker still is in its room."),
  holdMs: durationMs({ minMs: 0, maxMs: 60_000 })
    .default(HOLD_MS)
    .describe("After a start, a lost Redis or a lapsed lease: how long nothing is timed out."),
  retentionMs: durationMs({ minMs: 1_000, maxMs: 2_592_000_000 })
    .default(RETENTION_MS)
    .describe("How long ended jobs and orders are kept, and with them the memory of request ids."),
};

const fields = z.object({
  redisUrl: redisUrl.describe("Redis, Sentinel or Cluster that holds all state."),
  host: host.default("0.0.0.0").describe("Address that /healthz, /readyz and /metrics listen on."),
  port: port.default(7882).describe("Port that /healthz, /readyz and /metrics listen on."),
  ...metricsFields,
  logLevel: logLevel.default("info").describe("Lines below this level are not written."),
  leaseMs: durationMs({ minMs: 300, maxMs: 60_000 })
    .default(LEASE_MS)
    .describe("How long this node counts as live after its last renewal."),
  drainMs: durationMs({ minMs: 0, maxMs: 600_000 })
    .default(5_000)
    .describe("How long a stopping dispatcher may take to hand its namespaces over."),
  ...placementFields,
  ...livekitFields,
  keys: keys
    .optional()
    .describe('Muster\'s API keys, lines of "key: secret"; only for livekitUrl, where livekitKeys is unset.'),
});

export const dispatcherSchema = fields
  .refine(hasMetricsPort, NO_METRICS_PORT)
  .refine((config) => config.livekitUrl === undefined || livekitFrom(config).keys.size > 0, {
    path: ["livekitKeys"],
    message: "must be given with livekitUrl, or keys: LiveKit is asked for the agents of lost workers",
    // Said together with the other problems, not after them.
    when: () => true,
  })
  .superRefine(checkCoupledTimes);

type LivekitConfig = Pick<z.output<typeof fields>, "livekitUrl" | "livekitKeys" | "keys">;

export function livekitFrom({ livekitUrl: url, livekitKeys, keys: own }: LivekitConfig): LivekitSettings {
  return { url, keys: livekitKeys ?? own ?? new Map() };
}

/** The settings that placement reads, whichever service they were given to. */
export type PlacementConfig = z.output<z.ZodObject<typeof placementFields>>;

/** Sessions looked at in one claim; the first is nearly always taken. */
const SCAN = 32;
/** Parked jobs looked at when a pool got room: the first may be waiting out a back-off. */
const HEADS = 16;
/** Presence decides within the 2 s in which a job should be elsewhere; what is not known by then is unknown. */
const PRESENCE_LIMIT_MS = 2_000;

export function policyFrom(config: PlacementConfig): DispatchPolicy {
  return {
    claim: { offerMs: config.offerDeadlineMs, retryMs: RETRY_MS, scan: SCAN },
    heads: HEADS,
    guardMs: GUARD_MS,
    graceMs: config.graceMs,
    holdMs: config.holdMs,
    presenceLimitMs: PRESENCE_LIMIT_MS,
    recheckMs: config.presenceRecheckMs,
    startMs: config.startDeadlineMs,
    resumeUnproven: config.resumeWithoutEvidence,
    doubtsReports: config.neverJoined === "failed",
    stopMs: STOP_BOUND_MS,
    coolMs: COOL_DOWN_MS,
    earlyMs: EARLY_FAILURE_MS,
    silentJobMs: config.silentJobBoundMs,
    reportMs: REPORT_BOUND_MS,
    doubtMs: DOUBT_BOUND_MS,
    retainMs: config.retentionMs,
  };
}
