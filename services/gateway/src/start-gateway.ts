/**
 * Puts one gateway together: its rooms, its node lease and inbox, its sockets; and owns the order in which they start
 * and stop. Connections to Redis belong to the caller. Holds no truth: killed, it costs its workers a reconnect.
 */

import { createActorLink } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { Inbox } from "@muster/actor/inbox";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { NodeLease } from "@muster/actor/node-lease";
import { createOutbox } from "@muster/actor/outbox";
import { within } from "@muster/actor/timing";
import type { IdKind } from "@muster/domain/ids";
import { MAX_BODY_BYTES, MAX_FRAME_BYTES } from "@muster/domain/limits";
import type { NamespaceMessage } from "@muster/domain/node-message";
import type { Clock } from "@muster/runtime/clock";
import type { MetricsAccess } from "@muster/runtime/config-fields";
import { FoldingLog } from "@muster/runtime/folding-log";
import { createLifecycle } from "@muster/runtime/lifecycle";
import type { Log } from "@muster/runtime/log";
import type { Metrics } from "@muster/runtime/metrics";
import { createOps } from "@muster/runtime/ops-http";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { hasRedisRoom } from "@muster/runtime/redis/full";
import { authenticate } from "./authenticate.js";
import { drainSessions } from "./drain.js";
import { readGatewayMessage } from "./gateway-message.js";
import { limitsOf } from "./peer-log.js";
import type { GatewayPolicy } from "./policy.js";
import { createGatewayMetrics, type GatewayCounts } from "./prometheus-metrics.js";
import { RefusedWorkers } from "./refused-workers.js";
import { createRooms, type Rooms } from "./rooms.js";
import { acceptSockets } from "./sockets.js";
import type { StartTransport, Transport } from "./transport/transport.js";

export interface GatewayDeps {
  nodeId: string;
  /** What workers are told that they are connected to. */
  version: string;
  host: string;
  /** 0 for any free port. */
  port: number;
  startTransport: StartTransport;
  /** API key to its secret. */
  keys: ReadonlyMap<string, string>;
  policy: GatewayPolicy;
  /** Commands of this gateway, and of whoever shares the process. */
  redis: RedisClient;
  /** A connection of its own for blocked reads. */
  blocking: RedisClient;
  /** How long an HTTP connection stays open between two requests, in ms. */
  keepAliveMs?: number;
  /** How long an HTTP request may take to come, in ms. */
  requestMs?: number;
  /** Everything but agent sockets; absent: `GET /`, /healthz, /readyz and /metrics. */
  http?: (request: Request, remoteAddress: string) => Promise<Response>;
  clock: Clock;
  newId: (kind: IdKind) => string;
  newGeneration: () => string;
  metrics: Metrics;
  /** Who may read them at /metrics, where `http` is absent; absent: everybody. */
  metricsAccess?: MetricsAccess;
  log: Log;
}

export interface Gateway {
  readonly port: number;
  /** Name of the library that serves the sockets. */
  readonly transport: string;
  /** What happened so far, by name. */
  readonly counts: GatewayCounts;
  ready(): boolean;
  connections(): number;
  /** Drains and ends; repeatable. */
  stop(): Promise<void>;
}

/** Beyond the drain itself: the last writes, and closing. */
const STOP_SLACK_MS = 5_000;
/** Renewed three times in each lease, so that two may be lost. */
const RENEWALS_PER_LEASE = 3;
const RECORDS_LIMIT_MS = 2_000;
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export async function startGateway(deps: GatewayDeps): Promise<Gateway> {
  const { nodeId, redis, blocking, policy, clock, newGeneration } = deps;
  const { leaseMs } = policy;
  const renewEveryMs = leaseMs / RENEWALS_PER_LEASE;
  const log = deps.log.child({ node: nodeId });
  const folding = new FoldingLog({ clock, log });
  // What workers cause is folded; what this process does by itself is not.
  const roomsLog = folding.of(log, limitsOf());
  const { metrics, counts } = createGatewayMetrics(deps.metrics);
  const outbox = createOutbox({ redis, clock, log });
  const directory = createNodeDirectory({ redis, clock });
  const actors = createActorLink<NamespaceMessage>({ directory, outbox, role: "dispatcher" });
  const dueIndex = createDueIndex({ redis });
  const rooms = createRooms({
    ...deps,
    log: roomsLog,
    metrics,
    actors,
    dueIndex,
    outbox,
    renewEveryMs,
    generation: () => lease.generation(),
  });
  const { sessions, leases, agents, tokenEnds, samples, offers, assignments, stops, halfOpen, reassertion } =
    rooms;

  metrics.beforeRead(() => sessions.population());
  const inbox = new Inbox({
    redis,
    blocking,
    nodeId,
    clock,
    log,
    handle(raw) {
      const message = readGatewayMessage(raw);
      if (message === undefined) metrics.messageUnroutable("malformed");
      else if (message.kind === "stop") stops.deliver(message.session, message.wire);
      else if (message.kind === "close") halfOpen.close(message.session);
      else offers.receive(message);
    },
    // Lost stops are told again with a renewal; lost offers have their deadline in the ledger.
    onGap: () => leases.assertAll(),
  });
  const lease = new NodeLease({
    redis,
    nodeId,
    role: "gateway",
    clock,
    log,
    newGeneration,
    leaseMs,
    renewEveryMs,
  });
  lease.subscribe({
    onRegain: () => leases.assertAll(),
    onGenerationChange() {
      agents.forget();
      reassertion.begin();
      leases.assertAll();
    },
  });

  let isReady = false;
  const ready = () => isReady && lease.isHeld() && inbox.isRead();
  await inbox.open();
  await lease.start();
  leases.start();
  agents.start();
  tokenEnds.start();
  const refusedWorkers = new RefusedWorkers({ clock, log: deps.log });
  const transport = await listen(rooms, { ready, refusedWorkers, folding, log }, deps).catch(
    async (error: unknown) => {
      leases.stop();
      agents.stop();
      tokenEnds.stop();
      await lease.release();
      await inbox.close();
      throw error;
    },
  );
  isReady = true;
  log.info({ port: transport.port, transport: transport.name }, "gateway listens for workers");

  const lifecycle = createLifecycle({ log, deadlineMs: policy.drainMs + STOP_SLACK_MS });
  lifecycle.onStop("readiness", "first: balancers send new workers elsewhere", () => {
    isReady = false;
  });
  lifecycle.onStop("accepting", "a worker that dials now would be drained at once", () =>
    transport.stopAccepting(),
  );
  lifecycle.onStop("sockets", "spread over time, so that the workers do not land elsewhere all at once", () =>
    drainSessions(policy.drainMs, { sessions, offers, assignments, clock }),
  );
  lifecycle.onStop(
    "records",
    "what was said before the end still counts, then jobs and offers go to others",
    () => finishRecords(rooms, clock),
  );
  lifecycle.onStop("refusals", "nobody dials any more: how many had no line is told now", () =>
    refusedWorkers.stop(),
  );
  lifecycle.onStop("folded lines", "nobody dials any more: how many lines were not written is told now", () =>
    folding.stop(),
  );
  lifecycle.onStop("samples", "their sessions are gone", () => samples.stop());
  lifecycle.onStop("leases", "nobody is left to assert", () => {
    leases.stop();
    agents.stop();
    tokenEnds.stop();
  });
  lifecycle.onStop("node lease", "given up rather than run out: nobody waits for its end", () =>
    lease.release(),
  );
  lifecycle.onStop("inbox", "after the lease, so that nobody who sees us live finds it gone", () =>
    inbox.close(),
  );
  lifecycle.onStop("transport", "last: readiness and metrics are answered until the end", () =>
    transport.close(),
  );
  return {
    port: transport.port,
    transport: transport.name,
    counts,
    ready,
    connections: () => transport.connections(),
    stop: async () => void (await lifecycle.stop("the gateway is stopped")),
  };
}

function listen(
  rooms: Rooms,
  {
    ready,
    refusedWorkers,
    folding,
    log,
  }: { ready: () => boolean; refusedWorkers: RefusedWorkers; folding: FoldingLog; log: Log },
  deps: GatewayDeps,
): Promise<Transport> {
  const { host, port, keys, policy, clock } = deps;
  return deps.startTransport({
    host,
    port,
    authorize: (request) =>
      authenticate(request, {
        ...{ keys, trustedProxies: policy.trustedProxies, clock, refusedWorkers },
        allowedOrigins: policy.allowedOrigins,
        metrics: rooms.metrics,
      }),
    open: acceptSockets(rooms, { ...deps, folding }),
    http: deps.http ?? defaultHttp(deps, ready),
    pingIntervalMs: policy.pingIntervalMs,
    silenceMs: policy.silenceMs,
    maxFrameBytes: MAX_FRAME_BYTES,
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    maxUnsentBytes: policy.unsentBytes,
    maxBodyBytes: MAX_BODY_BYTES,
    ...(deps.keepAliveMs !== undefined && { keepAliveMs: deps.keepAliveMs }),
    ...(deps.requestMs !== undefined && { requestMs: deps.requestMs }),
    log: folding.of(log, limitsOf("any")),
  });
}

/** Without Redis nobody is helped by waiting: what is left undone is done when our leases end. */
async function finishRecords(
  { records, reports, migrations, offers, assignments }: Rooms,
  clock: Clock,
): Promise<void> {
  await within(clock, RECORDS_LIMIT_MS, records.settled());
  for (const room of [reports, migrations, offers, assignments, records]) room.abandon();
}

function defaultHttp({ redis, metrics, metricsAccess }: GatewayDeps, ready: () => boolean) {
  const ops = createOps({
    checks: { gateway: ready, redis: () => hasRedisRoom(redis) },
    ...{ metrics, access: metricsAccess },
  });
  return async (request: Request): Promise<Response> => {
    // Helm charts written for livekit-server probe this.
    if (new URL(request.url).pathname === "/") return new Response("OK");
    return ops.fetch(request);
  };
}
