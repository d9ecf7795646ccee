/**
 * The settings of a dispatcher, with their defaults and what they mean. The only file here that knows of them by name.
 */

import {
  COOL_DOWN_MS,
  GRACE_MS,
  GUARD_MS,
  LEASE_MS,
  OFFER_DEADLINE_MS,
  RETENTION_MS,
  RETRY_MS,
  SILENT_JOB_BOUND_MS,
  STOP_BOUND_MS,
} from "@muster/domain/timing";
import { durationMs, host, logLevel, port, redisUrl, wholeNumber } from "@muster/runtime/config-fields";
import { z } from "zod";
import type { DispatchPolicy } from "./policy.js";

export const placementFields = {
  offerDeadlineMs: durationMs({ minMs: 500, maxMs: 60_000 })
    .default(OFFER_DEADLINE_MS)
    .describe("When an offer ends in the ledger; longer than the gateway's offerTimeoutMs."),
  graceMs: durationMs({ minMs: 1_000, maxMs: 600_000 })
    .default(GRACE_MS)
    .describe("How long a job waits for its worker to come back after the socket was lost."),
  silentJobBoundMs: durationMs({ minMs: 60_000, maxMs: 604_800_000 })
    .default(SILENT_JOB_BOUND_MS)
    .describe("How long a job of a worker that never reports is taken to run."),
  retentionMs: durationMs({ minMs: 1_000, maxMs: 2_592_000_000 })
    .default(RETENTION_MS)
    .describe("How long ended jobs and orders are kept, and with them the memory of request ids."),
  maxAttempts: wholeNumber({ min: 1, max: 100 })
    .default(3)
    .describe("Starts that may fail before a job does."),
};

export const dispatcherSchema = z.object({
  redisUrl: redisUrl.describe("Redis, Sentinel or Cluster that holds all state."),
  host: host.default("0.0.0.0").describe("Address that /healthz, /readyz and /metrics listen on."),
  port: port.default(7882).describe("Port that /healthz, /readyz and /metrics listen on."),
  logLevel: logLevel.default("info").describe("Lines below this level are not written."),
  leaseMs: durationMs({ minMs: 300, maxMs: 60_000 })
    .default(LEASE_MS)
    .describe("How long this node counts as live after its last renewal."),
  drainMs: durationMs({ minMs: 0, maxMs: 600_000 })
    .default(5_000)
    .describe("How long a stopping dispatcher may take to hand its namespaces over."),
  ...placementFields,
});

/** The settings that placement reads, whichever service they were given to. */
export type PlacementConfig = z.output<z.ZodObject<typeof placementFields>>;

/** Sessions looked at in one claim; the first is nearly always taken. */
const SCAN = 32;
/** Parked jobs looked at when a pool got room: the first may be waiting out a back-off. */
const HEADS = 16;

export function policyFrom(config: PlacementConfig): DispatchPolicy {
  return {
    claim: { offerMs: config.offerDeadlineMs, retryMs: RETRY_MS, scan: SCAN },
    heads: HEADS,
    guardMs: GUARD_MS,
    graceMs: config.graceMs,
    stopMs: STOP_BOUND_MS,
    coolMs: COOL_DOWN_MS,
    silentJobMs: config.silentJobBoundMs,
    retainMs: config.retentionMs,
    maxAttempts: config.maxAttempts,
  };
}
