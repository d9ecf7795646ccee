/**
 * Gateway, dispatcher and api in one process, on one port and one Redis. The same code as the separate services, wired
 * in memory: nothing here decides anything, save the order in which the parts start and stop.
 */

import { randomBytes } from "node:crypto";
import { BuildClaim } from "@muster/actor/build-claim";
import {
  apiKeysFrom,
  doorPolicyFrom,
  eventSettingsFrom,
  livekitFrom,
  orderPolicyFrom,
} from "@muster/api/config";
import { createApi } from "@muster/api/create-api";
import { policyFrom as dispatchPolicyFrom } from "@muster/dispatcher/config";
import { dispatcherMetrics } from "@muster/dispatcher/metrics";
import { RoomPresence } from "@muster/dispatcher/room-presence";
import { startDispatcher } from "@muster/dispatcher/start-dispatcher";
import { type IdKind, idFrom } from "@muster/domain/ids";
import { policyFrom as gatewayPolicyFrom } from "@muster/gateway/config";
import { startGateway } from "@muster/gateway/start-gateway";
import { chooseTransport } from "@muster/gateway/transport/choose-transport";
import { createLedger } from "@muster/ledger/ledger";
import { HeardBoard } from "@muster/livekit/heard-board";
import { roomServiceOf } from "@muster/livekit/settings";
import { systemClock } from "@muster/runtime/clock";
import { listenHostFrom } from "@muster/runtime/config-fields";
import type { Lifecycle } from "@muster/runtime/lifecycle";
import type { Log } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { serveMetrics } from "@muster/runtime/metrics-door";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { measureRedis } from "@muster/runtime/redis/measure";
import { productVersion } from "@muster/runtime/version";
import type { StandaloneConfig } from "./config.js";

export interface StandaloneDeps {
  config: StandaloneConfig;
  redisUrl: string;
  lifecycle: Lifecycle;
  log: Log;
}

export interface Standalone {
  port: number;
  transport: string;
}

const MAX_SLEEP_MS = 5_000;

export async function startStandalone({
  config,
  redisUrl,
  lifecycle,
  log,
}: StandaloneDeps): Promise<Standalone> {
  const connect = (name: string, blocking = false) => connectRedis({ url: redisUrl, name, log, blocking });
  const redis = connect("muster");
  const dispatcherInbox = connect("dispatcher-inbox", true);
  const gatewayInbox = connect("gateway-inbox", true);
  const metrics = createMetrics({ service: "standalone" });
  measureRedis(metrics, { commands: redis, blocking: [dispatcherInbox, gatewayInbox] });
  const newId = (kind: IdKind) => idFrom(kind, randomBytes(16));
  const shared = {
    redis,
    clock: systemClock,
    log,
    newGeneration: () => randomBytes(12).toString("hex"),
  };

  const nodes = { dispatcher: newId("node"), gateway: newId("node") };
  const version = productVersion();
  const claim = new BuildClaim({
    ...{ redis, nodeIds: Object.values(nodes), service: "standalone", version },
    ...{ clock: systemClock, log },
  });
  await claim.take();
  const roomService = roomServiceOf(livekitFrom(config), systemClock, metrics);
  const dispatcher = await startDispatcher({
    ...shared,
    nodeId: nodes.dispatcher,
    blocking: dispatcherInbox,
    policy: dispatchPolicyFrom(config),
    presence: new RoomPresence({
      ...{ ledger: createLedger(redis), roomService, clock: systemClock },
      ...{ heard: new HeardBoard({ redis, clock: systemClock }), startMs: config.startDeadlineMs },
    }),
    roomService,
    leaseMs: config.leaseMs,
    maxSleepMs: MAX_SLEEP_MS,
    metrics: dispatcherMetrics(metrics),
    random: Math.random,
  });
  const keys = apiKeysFrom(config);
  const api = createApi({
    ...shared,
    keys,
    livekit: livekitFrom(config),
    events: eventSettingsFrom(config),
    policy: orderPolicyFrom(config),
    doors: doorPolicyFrom(config),
    metrics,
    metricsAccess: config,
    randomBytes,
    checks: { dispatcher: () => dispatcher.ready(), gateway: () => gateway.ready() },
  });
  const host = listenHostFrom(config);
  const startTransport = await chooseTransport({ choice: config.transport, log });
  const gateway = await startGateway({
    ...shared,
    nodeId: nodes.gateway,
    version,
    host,
    port: config.port,
    keepAliveMs: config.httpKeepAliveMs,
    requestMs: config.httpRequestMs,
    startTransport,
    keys,
    policy: gatewayPolicyFrom(config),
    blocking: gatewayInbox,
    http: (request, remoteAddress) => api.fetch(request, remoteAddress),
    newId,
    metrics,
  });
  const metricsDoor = await serveMetrics({ metrics, access: config, host, log });

  lifecycle.onStop("live streams", "their listeners are told while their connections are there", async () =>
    api.endStreams(),
  );
  lifecycle.onStop("gateway", "workers are told first, while what they say still counts", () =>
    gateway.stop(),
  );
  lifecycle.onStop("api", "the last answers' hints go out", () => api.stop());
  lifecycle.onStop("dispatcher", "after those who send to it", () => dispatcher.stop(config.drainMs));
  lifecycle.onStop("metrics", "read until the end", async () => metricsDoor?.close());
  lifecycle.onStop("claim", "after whoever it speaks for", () => claim.release());
  lifecycle.onStop("redis connections", "last: everything above uses them", async () => {
    for (const client of [gatewayInbox, dispatcherInbox, redis]) await closeRedis(client);
  });
  return { port: gateway.port, transport: gateway.transport };
}
