/**
 * The settings of a standalone Muster: those of its parts, and what only one that brings its own Redis needs. Defaults
 * follow livekit-server, so that what points at one can point at the other.
 */

import {
  doorFields,
  eventFields,
  hasWebhookKey,
  intakeFields,
  keyFields,
  NO_WEBHOOK_KEY,
} from "@muster/api/config";
import { placementFields } from "@muster/dispatcher/config";
import { LEASE_MS } from "@muster/domain/timing";
import { gatewayFields } from "@muster/gateway/config";
import { livekitFields } from "@muster/livekit/settings";
import {
  durationMs,
  hasMetricsPort,
  httpKeepAliveMs,
  httpRequestMs,
  listenHost,
  logLevel,
  metricsFields,
  NO_METRICS_PORT,
  port,
  redisUrl,
} from "@muster/runtime/config-fields";
import { checkCoupledTimes } from "@muster/runtime/coupled-times";
import { z } from "zod";

const PATH_PROBLEM = "must be the path of a folder";

export const standaloneSchema = z
  .object({
    redisUrl: redisUrl
      .optional()
      .describe(
        "Redis, Sentinel or Cluster that holds all state; unset: a redis-server of its own is started.",
      ),
    dataDir: z
      .string({ error: PATH_PROBLEM })
      .min(1, { error: PATH_PROBLEM })
      .max(1_024, { error: PATH_PROBLEM })
      .default("data")
      .describe("Folder for the data of its own redis-server; for one Muster at a time."),
    host: listenHost,
    port: port.default(7880).describe("The one port: workers, Twirp, REST, /healthz, /readyz, /metrics."),
    ...metricsFields,
    httpKeepAliveMs,
    httpRequestMs,
    logLevel: logLevel.default("info").describe("Lines below this level are not written."),
    leaseMs: durationMs({ minMs: 300, maxMs: 60_000 })
      .default(LEASE_MS)
      .describe("How long this node counts as live after its last renewal."),
    drainMs: durationMs({ minMs: 0, maxMs: 600_000 })
      .default(1_000)
      .describe("Over which time a stopping Muster closes its workers' sockets."),
    ...keyFields,
    ...intakeFields,
    ...doorFields,
    ...eventFields,
    ...livekitFields,
    ...placementFields,
    ...gatewayFields,
  })
  .refine(hasMetricsPort, NO_METRICS_PORT)
  .superRefine(checkCoupledTimes)
  // Without keys it runs with everybody's.
  .refine(
    (config) => hasWebhookKey({ ...config, dev: config.dev || config.keys === undefined }),
    NO_WEBHOOK_KEY,
  );

export type StandaloneConfig = z.output<typeof standaloneSchema>;
