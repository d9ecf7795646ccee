/**
 * `node services/dispatcher/dist/main.js`: one dispatcher as a process of its own, with /healthz, /readyz and /metrics.
 */

import { randomBytes } from "node:crypto";
import { BuildClaim } from "@muster/actor/build-claim";
import { exitIfRefused } from "@muster/actor/schema-refused";
import { idFrom } from "@muster/domain/ids";
import { createLedger } from "@muster/ledger/ledger";
import { HeardBoard } from "@muster/livekit/heard-board";
import { roomServiceOf } from "@muster/livekit/settings";
import { systemClock } from "@muster/runtime/clock";
import { exitOnBadConfig, loadConfig } from "@muster/runtime/config";
import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { serveMetrics } from "@muster/runtime/metrics-door";
import { createOps } from "@muster/runtime/ops-http";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { hasRedisRoom } from "@muster/runtime/redis/full";
import { measureRedis } from "@muster/runtime/redis/measure";
import { serveHttp } from "@muster/runtime/serve-http";
import { productVersion } from "@muster/runtime/version";
import { dispatcherSchema, livekitFrom, policyFrom } from "./config.js";
import { dispatcherMetrics } from "./metrics.js";
import { RoomPresence } from "./room-presence.js";
import { startDispatcher } from "./start-dispatcher.js";

/** Beyond the drain itself: the last writes, and closing. */
const STOP_SLACK_MS = 5_000;
const MAX_SLEEP_MS = 5_000;

const config = exitOnBadConfig(() =>
  loadConfig({
    schema: dispatcherSchema,
    env: process.env,
    argv: process.argv.slice(2),
    envPrefix: "MUSTER_",
  }),
);
const log = createLog({ level: config.logLevel, service: "dispatcher" });
const lifecycle = createLifecycle({ log, deadlineMs: config.drainMs + STOP_SLACK_MS });
const metrics = createMetrics({ service: "dispatcher" });
const redis = connectRedis({ url: config.redisUrl, name: "dispatcher", log });
const blocking = connectRedis({ url: config.redisUrl, name: "dispatcher-inbox", log, blocking: true });
measureRedis(metrics, { commands: redis, blocking: [blocking] });

const nodeId = idFrom("node", randomBytes(16));
const claim = new BuildClaim({
  ...{ redis, nodeIds: [nodeId], service: "dispatcher", version: productVersion() },
  ...{ clock: systemClock, log },
});
await exitIfRefused(log, claim);
const roomService = roomServiceOf(livekitFrom(config), systemClock, metrics);
const dispatcher = await startDispatcher({
  nodeId,
  redis,
  blocking,
  policy: policyFrom(config),
  presence: new RoomPresence({
    ...{ ledger: createLedger(redis), roomService, clock: systemClock },
    ...{ heard: new HeardBoard({ redis, clock: systemClock }), startMs: config.startDeadlineMs },
  }),
  roomService,
  leaseMs: config.leaseMs,
  maxSleepMs: MAX_SLEEP_MS,
  metrics: dispatcherMetrics(metrics),
  clock: systemClock,
  random: Math.random,
  newGeneration: () => randomBytes(12).toString("hex"),
  log,
});
const ops = createOps({
  checks: { dispatcher: () => dispatcher.ready(), redis: () => hasRedisRoom(redis) },
  ...{ metrics, access: config },
});
const http = await serveHttp({
  host: config.host,
  port: config.port,
  fetch: (request) => ops.fetch(request),
  log,
});
const metricsDoor = await serveMetrics({ metrics, access: config, host: config.host, log });

lifecycle.onStop("dispatcher", "namespaces go to others before anything they need closes", () =>
  dispatcher.stop(config.drainMs),
);
lifecycle.onStop("http", "not ready is seen until the end", () => http.close());
lifecycle.onStop("metrics", "read until the end", async () => metricsDoor?.close());
lifecycle.onStop("claim", "after whoever it speaks for", () => claim.release());
lifecycle.onStop("redis", "last: everything above uses it", async () => {
  await closeRedis(blocking);
  await closeRedis(redis);
});
lifecycle.installSignals();
log.info({ port: http.port }, "dispatcher is ready");
