/**
 * `node services/api/dist/main.js`: one api as a process of its own.
 */

import { randomBytes } from "node:crypto";
import { BuildClaim } from "@muster/actor/build-claim";
import { exitIfRefused } from "@muster/actor/schema-refused";
import { idFrom } from "@muster/domain/ids";
import { systemClock } from "@muster/runtime/clock";
import { exitOnBadConfig, loadConfig } from "@muster/runtime/config";
import { listenHostFrom } from "@muster/runtime/config-fields";
import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { serveMetrics } from "@muster/runtime/metrics-door";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { measureRedis } from "@muster/runtime/redis/measure";
import { productVersion } from "@muster/runtime/version";
import {
  apiKeysFrom,
  apiSchema,
  doorPolicyFrom,
  eventSettingsFrom,
  livekitFrom,
  orderPolicyFrom,
} from "./config.js";
import { startApi } from "./start-api.js";

/** Beyond the drain itself: the last answers, and closing. */
const STOP_SLACK_MS = 10_000;

const config = exitOnBadConfig(() =>
  loadConfig({
    schema: apiSchema,
    env: process.env,
    argv: process.argv.slice(2),
    envPrefix: "MUSTER_",
    flags: ["dev"],
  }),
);
const log = createLog({ level: config.logLevel, service: "api" });
const lifecycle = createLifecycle({ log, deadlineMs: config.drainMs + STOP_SLACK_MS });
const metrics = createMetrics({ service: "api" });
const redis = connectRedis({ url: config.redisUrl, name: "api", log });
measureRedis(metrics, { commands: redis });

const claim = new BuildClaim({
  ...{ redis, nodeIds: [idFrom("node", randomBytes(16))], service: "api", version: productVersion() },
  ...{ clock: systemClock, log },
});
await exitIfRefused(log, claim);
const host = listenHostFrom(config);
const api = await startApi({
  redis,
  keys: apiKeysFrom(config),
  livekit: livekitFrom(config),
  events: eventSettingsFrom(config),
  policy: orderPolicyFrom(config),
  doors: doorPolicyFrom(config),
  metrics,
  metricsAccess: config,
  clock: systemClock,
  randomBytes,
  log,
  host,
  port: config.port,
  keepAliveMs: config.httpKeepAliveMs,
  requestMs: config.httpRequestMs,
  drainMs: config.drainMs,
});
const metricsDoor = await serveMetrics({ metrics, access: config, host, log });

lifecycle.onStop("api", "not ready first, then the calls under way end", () => api.stop());
lifecycle.onStop("metrics", "read until the end", async () => metricsDoor?.close());
lifecycle.onStop("claim", "after whoever it speaks for", () => claim.release());
lifecycle.onStop("redis", "last: everything above uses it", () => closeRedis(redis));
lifecycle.installSignals();
log.info({ port: api.port }, "api is ready");
