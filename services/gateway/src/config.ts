/**
 * The settings of a gateway, with their defaults and what they mean. The only file here that knows of them by name.
 */

import { BlockList } from "node:net";
import { MOST_NAMESPACES } from "@muster/domain/limits";
import { encodeLabels } from "@muster/domain/preferences";
import {
  COOL_DOWN_MS,
  EARLY_FAILURE_MS,
  GRACE_MS,
  GUARD_MS,
  LEASE_MS,
  OFFER_TIMEOUT_MAX_MS,
  OFFER_TIMEOUT_MS,
  RETENTION_MS,
  START_DEADLINE_MS,
  STOP_BOUND_MS,
  WAIT_BOUND_MS,
} from "@muster/domain/timing";
import {
  durationMs,
  flag,
  hasMetricsPort,
  host,
  httpKeepAliveMs,
  httpRequestMs,
  keys,
  logLevel,
  metricsFields,
  NO_METRICS_PORT,
  port,
  redisUrl,
  url,
  wholeNumber,
} from "@muster/runtime/config-fields";
import { checkCoupledTimes } from "@muster/runtime/coupled-times";
import { z } from "zod";
import { proxiesFrom } from "./client-address.js";
import type { GatewayPolicy } from "./policy.js";
import { TRANSPORT_CHOICES } from "./transport/choose-transport.js";

const PERCENT = 100;
const KIB = 1024;
const MIB = 1024 * KIB;
const MOST_LABELS = 7;
const MAX_DURATION_MS = 600_000;

export const gatewayFields = {
  transport: z
    .enum(TRANSPORT_CHOICES, { error: `must be one of ${TRANSPORT_CHOICES.join(", ")}` })
    .default("auto")
    .describe("Library for worker sockets: uws, ws, or auto for uws where it loads."),
  region: z
    .string({ error: "must be text" })
    .max(64, { error: "must be at most 64 characters long" })
    .default("")
    .describe("Region that workers are told at registration."),
  workerLivekitUrl: url(["ws", "wss", "http", "https"])
    .optional()
    .describe("LiveKit url that workers are given with each job; unset: the url that they dialled."),
  enableUserDataRecording: flag.default(false).describe("What workers are told of recording in each job."),
  enableUserDataRedaction: flag.default(false).describe("What workers are told of redaction in each job."),
  jobLoadPercent: wholeNumber({ min: 0, max: 100 })
    .default(5)
    .describe("Load that one more job is taken to cost a worker until its next report."),
  maxLoadPercent: wholeNumber({ min: 1, max: 100 })
    .default(100)
    .describe("Load, with what was given since the last report, from which on a worker is offered no more."),
  maxJobsPerWorker: wholeNumber({ min: 0, max: 100_000 })
    .default(0)
    .describe(
      "Jobs at a time; 0 for no bound. Where no LiveKit is known, a worker that reports nothing (Node) keeps a place until its caller orders the agent again, or for silentJobBoundMs.",
    ),
  workerLabels: z
    .string()
    .default("")
    .refine((text) => labelsIn(text) !== undefined, "must be name=value, joined by commas; at most 7")
    .describe(
      "Labels of the workers that connect here, by which orders can ask for them: `zone=a,gpu=l4`. The region is one anyway.",
    ),
  trustedProxies: z
    .string({ error: "must be text" })
    .default("")
    .refine(
      (text) => proxiesFrom(text) !== undefined,
      "must be addresses and networks, joined by commas: 10.0.0.0/8,fd00::1",
    )
    .describe(
      "Proxies before it, by address or network, joined by commas; a worker's address is what their X-Forwarded-For says.",
    ),
  maxNamespaces: wholeNumber({ min: 0, max: 100_000 })
    .default(MOST_NAMESPACES)
    .describe(
      "Namespaces of a project that may have workers, beside its default one; 0 for no bound. A worker for one more is refused, unless work waits there. As many are remembered for an agent.",
    ),
  registerTimeoutMs: durationMs({ minMs: 100, maxMs: MAX_DURATION_MS })
    .default(10_000)
    .describe("How long a worker has to register after it connected."),
  offerTimeoutMs: durationMs({ minMs: 100, maxMs: 60_000 })
    .default(OFFER_TIMEOUT_MS)
    .describe("How long a worker has to answer an offer, until it is known to need longer."),
  offerTimeoutMaxMs: durationMs({ minMs: 100, maxMs: 60_000 })
    .default(OFFER_TIMEOUT_MAX_MS)
    .describe(
      "The longest that a worker that answers late is given; no answer by then counts as silence. As offerTimeoutMs: none is given longer.",
    ),
  startDeadlineMs: durationMs({ minMs: 1_000, maxMs: MAX_DURATION_MS })
    .default(START_DEADLINE_MS)
    .describe(
      "From the assignment until the job must have been seen to run, or its agent to have joined: longer than the slowest start of an agent. Later attempts, and pools known to be slow, have up to four times as long.",
    ),
  sampleFlushMs: durationMs({ minMs: 1, maxMs: 10_000 })
    .default(100)
    .describe("How long load reports are gathered before they are written."),
  workBytesPerWorker: wholeNumber({ min: 64 * KIB, max: 1024 * MIB })
    .default(2 * MIB)
    .describe(
      "Bytes of one worker's messages that may wait for Redis; above it its socket is closed (4429), and it dials again.",
    ),
  workBytes: wholeNumber({ min: MIB, max: 16_384 * MIB })
    .default(64 * MIB)
    .describe(
      "The same of all workers of a gateway together; above it the one with most of it goes. At most an eighth of its memory.",
    ),
  jobMemoryBytes: wholeNumber({ min: 0, max: 16_384 * MIB })
    .default(64 * MIB)
    .describe(
      "Bytes in which a gateway remembers what its running jobs are, to tell a Redis that lost them; a job beyond it runs on, and is not told.",
    ),
  unsentBytes: wholeNumber({ min: 4 * MIB, max: 16_384 * MIB })
    .default(64 * MIB)
    .describe(
      "Bytes that may wait in a gateway for workers that do not read, of all together; above it the one that most waits for is cut.",
    ),
  allowedOrigins: z
    .string({ error: "must be text" })
    .default("")
    .refine(
      (text) => originsIn(text).every(isOrigin),
      "must be origins, joined by commas: https://app.example.com,http://localhost:3000; or *",
    )
    .describe(
      "Origins from which a browser may open a worker's socket, joined by commas; * for any. Workers send none, and are not asked.",
    ),
  tokenGraceMs: durationMs({ minMs: 0, maxMs: 30 * 86_400_000 })
    .default(6 * 3_600_000)
    .describe(
      "How long a worker goes on after the end of the token that it dialled with. In the first half its socket is closed when no job runs on it (4401), and it dials again; after it, it is offered no more jobs.",
    ),
  pingIntervalMs: durationMs({ minMs: 100, maxMs: MAX_DURATION_MS })
    .default(10_000)
    .describe("How often each worker socket is pinged."),
  silenceMs: durationMs({ minMs: 200, maxMs: MAX_DURATION_MS })
    .default(30_000)
    .describe("A worker of which nothing was heard for this long is dropped; at least pingIntervalMs."),
};

export const gatewaySchema = z
  .object({
    redisUrl: redisUrl.describe("Redis, Sentinel or Cluster that holds all state."),
    keys: keys.describe("API keys and their secrets, as lines of key: secret."),
    host: host.default("0.0.0.0").describe("Address to listen on."),
    port: port.default(7880).describe("Port for workers, /healthz, /readyz and /metrics."),
    ...metricsFields,
    httpKeepAliveMs,
    httpRequestMs,
    logLevel: logLevel.default("info").describe("Lines below this level are not written."),
    leaseMs: durationMs({ minMs: 300, maxMs: 60_000 })
      .default(LEASE_MS)
      .describe("How long this node counts as live after its last renewal."),
    graceMs: durationMs({ minMs: 1_000, maxMs: MAX_DURATION_MS })
      .default(GRACE_MS)
      .describe("How long a job waits for its worker to come back after the socket was lost."),
    retentionMs: durationMs({ minMs: 1_000, maxMs: 2_592_000_000 })
      .default(RETENTION_MS)
      .describe("How long ended jobs are kept."),
    drainMs: durationMs({ minMs: 0, maxMs: MAX_DURATION_MS })
      .default(5_000)
      .describe("Over which time a stopping gateway closes its sockets."),
    ...gatewayFields,
  })
  .refine(hasMetricsPort, NO_METRICS_PORT)
  .superRefine(checkCoupledTimes);

/** The settings that a gateway reads, whichever service they were given to. */
export type GatewayConfig = z.output<z.ZodObject<typeof gatewayFields>> & {
  leaseMs: number;
  graceMs: number;
  retentionMs: number;
  drainMs: number;
};

/** Python gives an offer up after 7.5 s; what is this old must not be acted on any more. */
const MAX_ANSWER_AGE_MS = 5_000;

/** undefined: these are no labels. */
function labelsIn(text: string): Record<string, string> | undefined {
  const pairs = text === "" ? [] : text.split(",").map((label) => label.trim().split("="));
  const areLabels = pairs.every((pair) => pair.length === 2 && pair.every((part) => part !== ""));
  return areLabels && pairs.length <= MOST_LABELS ? Object.fromEntries(pairs) : undefined;
}

function originsIn(text: string): string[] {
  return text === "" ? [] : text.split(",").map((origin) => origin.trim().toLowerCase());
}

function isOrigin(text: string): boolean {
  return text === "*" || (URL.canParse(text) && new URL(text).origin === text);
}

export function policyFrom(config: GatewayConfig): GatewayPolicy {
  return {
    workerLivekitUrl: config.workerLivekitUrl,
    region: config.region,
    trustedProxies: proxiesFrom(config.trustedProxies) ?? new BlockList(),
    flags: {
      enableRecording: config.enableUserDataRecording,
      enableRedaction: config.enableUserDataRedaction,
    },
    placement: {
      jobLoad: config.jobLoadPercent / PERCENT,
      maxLoad: config.maxLoadPercent / PERCENT,
      maxJobs: config.maxJobsPerWorker,
      labels: encodeLabels({
        ...(config.region !== "" && { region: config.region }),
        ...labelsIn(config.workerLabels),
      }),
    },
    maxNamespaces: config.maxNamespaces,
    registerTimeoutMs: config.registerTimeoutMs,
    offerTimeoutMs: config.offerTimeoutMs,
    offerTimeoutMaxMs: config.offerTimeoutMaxMs,
    maxAnswerAgeMs: MAX_ANSWER_AGE_MS,
    startMs: config.startDeadlineMs,
    coolMs: COOL_DOWN_MS,
    earlyMs: EARLY_FAILURE_MS,
    graceMs: config.graceMs,
    guardMs: GUARD_MS,
    stopMs: STOP_BOUND_MS,
    retainMs: config.retentionMs,
    waitMs: WAIT_BOUND_MS,
    workBytes: config.workBytes,
    workBytesPerWorker: config.workBytesPerWorker,
    jobMemoryBytes: config.jobMemoryBytes,
    unsentBytes: config.unsentBytes,
    allowedOrigins: originsIn(config.allowedOrigins),
    tokenGraceMs: config.tokenGraceMs,
    sampleFlushMs: config.sampleFlushMs,
    leaseMs: config.leaseMs,
    pingIntervalMs: config.pingIntervalMs,
    silenceMs: config.silenceMs,
    drainMs: config.drainMs,
  };
}
