/**
 * `node services/gateway/dist/main.js`: one gateway as a process of its own, on one port with /healthz, /readyz and
 * /metrics.
 */

import { randomBytes } from "node:crypto";
import { BuildClaim } from "@muster/actor/build-claim";
import { exitIfRefused } from "@muster/actor/schema-refused";
import { idFrom } from "@muster/domain/ids";
import { systemClock } from "@muster/runtime/clock";
import { exitOnBadConfig, loadConfig } from "@muster/runtime/config";
import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { serveMetrics } from "@muster/runtime/metrics-door";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { measureRedis } from "@muster/runtime/redis/measure";
import { productVersion } from "@muster/runtime/version";
import { gatewaySchema, policyFrom } from "./config.js";
import { startGateway } from "./start-gateway.js";
import { chooseTransport } from "./transport/choose-transport.js";

/** Beyond the drain itself: the last writes, and closing. */
const STOP_SLACK_MS = 10_000;
const ID_BYTES = 16;

const config = exitOnBadConfig(() =>
  loadConfig({ schema: gatewaySchema, env: process.env, argv: process.argv.slice(2), envPrefix: "MUSTER_" }),
);
const log = createLog({ level: config.logLevel, service: "gateway" });
const lifecycle = createLifecycle({ log, deadlineMs: config.drainMs + STOP_SLACK_MS });
const metrics = createMetrics({ service: "gateway" });
const redis = connectRedis({ url: config.redisUrl, name: "gateway", log });
const blocking = connectRedis({ url: config.redisUrl, name: "gateway-inbox", log, blocking: true });
measureRedis(metrics, { commands: redis, blocking: [blocking] });

const nodeId = idFrom("node", randomBytes(ID_BYTES));
const version = productVersion();
const claim = new BuildClaim({
  ...{ redis, nodeIds: [nodeId], service: "gateway", version },
  ...{ clock: systemClock, log },
});
await exitIfRefused(log, claim);
const gateway = await startGateway({
  nodeId,
  version,
  host: config.host,
  port: config.port,
  keepAliveMs: config.httpKeepAliveMs,
  requestMs: config.httpRequestMs,
  startTransport: await chooseTransport({ choice: config.transport, log }),
  keys: config.keys,
  policy: policyFrom(config),
  redis,
  blocking,
  clock: systemClock,
  newId: (kind) => idFrom(kind, randomBytes(ID_BYTES)),
  newGeneration: () => randomBytes(ID_BYTES).toString("hex"),
  metrics,
  metricsAccess: config,
  log,
});
const metricsDoor = await serveMetrics({ metrics, access: config, host: config.host, log });

lifecycle.onStop("gateway", "its workers go elsewhere before anything it needs closes", () => gateway.stop());
lifecycle.onStop("metrics", "read until the end", async () => metricsDoor?.close());
lifecycle.onStop("claim", "after whoever it speaks for", () => claim.release());
lifecycle.onStop("redis", "last: everything above uses it", async () => {
  await closeRedis(blocking);
  await closeRedis(redis);
});
lifecycle.installSignals();
log.info({ port: gateway.port }, "gateway is ready");
