/**
 * Puts the api together as a handler of requests, for whoever has a port. Stateless: everything that must outlive a
 * request is in Redis, whose connection belongs to the caller.
 */

import { createActorLink } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { createOutbox } from "@muster/actor/outbox";
import { idFrom } from "@muster/domain/ids";
import { DEFAULT_PROJECT } from "@muster/domain/namespace";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { createLedger } from "@muster/ledger/ledger";
import { CallBreaker } from "@muster/livekit/call-breaker";
import { HeardBoard } from "@muster/livekit/heard-board";
import { OwnWorkers } from "@muster/livekit/own-workers";
import { type LivekitSettings, roomServiceOf } from "@muster/livekit/settings";
import type { Clock } from "@muster/runtime/clock";
import type { MetricsAccess } from "@muster/runtime/config-fields";
import { ListenerBoard } from "@muster/runtime/events/listener-board";
import type { Log } from "@muster/runtime/log";
import type { Metrics } from "@muster/runtime/metrics";
import { createOps, type ReadinessCheck } from "@muster/runtime/ops-http";
import { createIntakeProducer } from "@muster/runtime/queue/intake-producer";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { hasRedisRoom } from "@muster/runtime/redis/full";
import { AcceptOrder } from "./accept-order.js";
import { type ApiKeys, projectsOf } from "./auth.js";
import { Bodies } from "./bodies.js";
import { ChangeOrder } from "./change-order.js";
import type { EventSettings } from "./config.js";
import { DeploymentSplits } from "./deployment-splits.js";
import { DOOR_DEFAULTS, type DoorPolicy } from "./door-policy.js";
import { Drains } from "./drains.js";
import { Enqueue } from "./enqueue.js";
import { LIVE_POLICY } from "./events/live-events.js";
import { startEvents } from "./events/start-events.js";
import { createFrontDoor } from "./front-door.js";
import { Hints } from "./hints.js";
import { HoldOrder } from "./hold-order.js";
import { httpMeter } from "./http-meter.js";
import { KnownListeners } from "./known-listeners.js";
import { KnownNamespaces } from "./known-namespaces.js";
import { apiMetrics, eventMetrics } from "./metrics.js";
import { Placement } from "./placement.js";
import { PlacementPolicies } from "./placement-policies.js";
import type { OrderPolicy } from "./policy.js";
import { createLivekitProxy } from "./proxy/livekit-proxy.js";
import { RefusedCallers } from "./refused-callers.js";
import { createRestApp } from "./rest/rest-app.js";
import { RoomOrders } from "./room-orders.js";
import { DoubledAgents } from "./rooms/agents/doubled-agents.js";
import { FormerAgents } from "./rooms/agents/former-agents.js";
import { ShortJobs } from "./rooms/agents/short-jobs.js";
import type { RoomIntake } from "./rooms/book/room-intake.js";
import { createRooms } from "./rooms/making/create-rooms.js";
import { KnownRooms } from "./rooms/making/known-rooms.js";
import { MissingRooms } from "./rooms/making/missing-rooms.js";
import { OrderRoom } from "./rooms/making/order-room.js";
import { ReopenRooms } from "./rooms/making/reopen-rooms.js";
import { WantedRooms } from "./rooms/making/wanted-rooms.js";
import { ReconcileRoom } from "./rooms/reconcile-room.js";
import { RoomLooks } from "./rooms/room-looks.js";
import { DefinitionStore } from "./rules/definition-store.js";
import { Definitions } from "./rules/definitions.js";
import { dispatchCalls } from "./twirp/dispatch-calls.js";
import { createTwirpService } from "./twirp/twirp-service.js";
import { createWebhookDoor } from "./webhook/webhook-door.js";
import { WithdrawOrder } from "./withdraw-order.js";

export interface ApiDeps {
  redis: RedisClient;
  keys: ApiKeys;
  /** Absent: no LiveKit is known of. */
  livekit?: LivekitSettings;
  /** Absent: job events are posted to nobody. */
  events?: EventSettings;
  policy: OrderPolicy;
  /** What differs from the defaults. */
  doors?: Partial<DoorPolicy>;
  metrics: Metrics;
  /** Who may read them at /metrics; absent: everybody. */
  metricsAccess?: MetricsAccess;
  clock: Clock;
  randomBytes: (size: number) => Uint8Array;
  log: Log;
  /** Of others in the same process, for /readyz. */
  checks?: Record<string, ReadinessCheck>;
}

export interface Api {
  /** Answers any request that is not an agent's WebSocket. `remoteAddress` is the peer's. Never rejects. */
  fetch(request: Request, remoteAddress?: string): Promise<Response>;
  /** False from stop() on, and while Redis is away. */
  ready(): boolean;
  /** Live streams end with a word of goodbye. For whoever closes connections before stop(), which does it too. */
  endStreams(): void;
  /** Not ready from now on; resolves when what came in is answered and every hint is out. Requests are still taken. */
  stop(): Promise<void>;
}

export function createApi(deps: ApiDeps): Api {
  const { redis, keys, policy, clock, randomBytes, log } = deps;
  const doors = { ...DOOR_DEFAULTS, ...deps.doors };
  const refusedCallers = new RefusedCallers({ clock, log });
  const bodies = new Bodies({ policy: doors, clock, refusedCallers });
  const ledger = createLedger(redis);
  const outbox = createOutbox({ redis, clock, log });
  const directory = createNodeDirectory({ redis, clock });
  const actors = createActorLink<NamespaceMessage>({ directory, outbox, role: "dispatcher" });
  const hints = new Hints({ actors, outbox, log });
  const producer = createIntakeProducer({ redis, log, clock });
  const metrics = apiMetrics(deps.metrics);
  const meter = httpMeter(deps.metrics);
  const known = new KnownNamespaces({ ledger, clock });
  const placement = new Placement({ ledger, known, policy });
  const dueIndex = createDueIndex({ redis });
  const orders = new RoomOrders(ledger);
  const enqueue = new Enqueue({ producer, hints });
  const events = startEvents({
    ...(deps.events ?? { urls: [], signing: { apiKey: "", apiSecret: "" } }),
    tuning: { live: { ...LIVE_POLICY, ...streamBounds(doors) } },
    ...{ redis, ledger, project: DEFAULT_PROJECT, who: idFrom("node", randomBytes(16)) },
    ...{ metrics: eventMetrics(deps.metrics), clock, random: Math.random, log },
  });
  const listeners = new KnownListeners({ hooks: events.hooks, board: new ListenerBoard({ redis, clock }) });
  const projects = projectsOf(keys);
  const roomService = deps.livekit && roomServiceOf(deps.livekit, clock, deps.metrics);
  const formerAgents = new FormerAgents({ roomService, metrics, log });
  const ownWorkers = new OwnWorkers(redis);
  const doubledAgents = new DoubledAgents({
    ...{ ledger, roomService, ownWorkers, hints, metrics, policy, clock, log },
  });
  const shortJobs = new ShortJobs({ ledger, metrics, policy, clock, log });
  const wanted = new WantedRooms(redis);
  const reopenRooms =
    roomService && policy.createRooms
      ? new ReopenRooms({
          ...{ roomService, wanted, clock, log },
          // It takes rooms in, which the reconciler looks at, which knows this.
          missingRooms: { want: async (room, waitMs) => missingRooms?.want(room, waitMs) },
        })
      : undefined;
  const reconciler = new ReconcileRoom({
    ...deps,
    metrics,
    ledger,
    listeners,
    dueIndex,
    enqueue,
    hints,
    formerAgents,
    doubledAgents,
    shortJobs,
    reopenRooms,
    projects,
  });
  // Those who take a room in know AcceptOrder, which knows this.
  const intake: RoomIntake = { take: (facts) => rooms.intake.take(facts) };
  const missingRooms =
    roomService && policy.createRooms
      ? new MissingRooms({
          ...{ roomService, wanted, orders, projects, clock, log, intake },
        })
      : undefined;
  const breaker = new CallBreaker({
    clock,
    onChange(isPaused) {
      metrics.livekitPaused(isPaused);
      if (isPaused)
        log.warn({}, "LiveKit does not answer; new orders do not ask it for their rooms for a while");
      else log.info({}, "LiveKit answers again; new orders ask it for their rooms");
    },
  });
  const asking = { ledger, roomService, breaker, metrics, clock, log };
  const knownRooms = new KnownRooms(asking);
  const looks = new RoomLooks({ ...asking, intake });
  const orderRoom = new OrderRoom({ ...asking, knownRooms, looks, missingRooms, reconciler, policy });
  const acceptOrder = new AcceptOrder({
    ...{ ledger, placement, listeners, dueIndex, enqueue, orderRoom, clock, randomBytes, policy },
  });
  const definitions = new Definitions({ ledger, log });
  const rooms = createRooms({
    ...{ ...deps, ledger, reconciler, acceptOrder, known, definitions, projects, metrics },
    ...{ roomService, missingRooms, ownWorkers },
  });
  const waking = { ledger, listeners, dueIndex, clock };
  const withdrawOrder = new WithdrawOrder({ ...waking, orders, hints, policy, metrics });
  const holdOrder = new HoldOrder({ ...waking, orders, hints });
  const changeOrder = new ChangeOrder({ ...waking, orders });
  const placementPolicies = new PlacementPolicies({ ledger, hints });
  const drains = new Drains({ ledger, hints, metrics, log });
  const deploymentSplits = new DeploymentSplits({ ledger });
  const orderCalls = { acceptOrder, withdrawOrder, orders, metrics };
  const calls = dispatchCalls({ ...orderCalls, clock });
  const twirp = createTwirpService({ calls, keys, bodies, metrics, clock, log });
  const store = new DefinitionStore({ ledger, doors });
  const defined = { store, definitions, placement, makeRoom: rooms.makeRoom };
  const rest = createRestApp({
    ...{ ...orderCalls, ...defined, ...waking, changeOrder, holdOrder, placementPolicies, drains },
    deploymentSplits,
    ...{ events, hints, known, policy, keys, bodies, meter, log, hasLivekit: roomService !== undefined },
  });
  const ops = createOps({
    checks: { ...deps.checks, api: () => ready(), redis: () => hasRedisRoom(redis) },
    ...{ metrics: deps.metrics, access: deps.metricsAccess },
  });
  const url = deps.livekit?.url;
  const heard = new HeardBoard({ redis, clock });
  const frontDoor = createFrontDoor({
    ...(url !== undefined && {
      livekit: {
        url,
        forward: createLivekitProxy({
          ...{
            url,
            keySets: [deps.livekit?.keys ?? keys, keys],
            bodies,
            most: doors.livekitCalls,
            refusedCallers,
          },
          ...{ metrics, clock, log },
        }),
      },
    }),
    webhook: createWebhookDoor({
      ...{ keys: deps.livekit?.keys ?? keys, bodies, clock, log, metrics },
      take: async (facts) => {
        knownRooms.heard();
        await rooms.intake.take(facts);
        heard.note();
      },
    }),
    twirp,
    meter,
    rest: async (request) => await rest.fetch(request),
    ops: async (request) => await ops.fetch(request),
  });

  let isStopping = false;
  let eventsEnd: Promise<void> | undefined;
  const underWay = new Set<Promise<Response>>();
  const ready = () => !isStopping && redis.status === "ready";
  return {
    ready,
    fetch(request, remoteAddress) {
      refusedCallers.came(request, remoteAddress);
      const answering = frontDoor(request, remoteAddress).finally(() => underWay.delete(answering));
      underWay.add(answering);
      return answering;
    },
    endStreams: () => events.live.close(),
    async stop() {
      isStopping = true;
      eventsEnd ??= events.stop(); // first: an open stream would hold up the end of the http server
      await rooms.rounds.stop();
      await reopenRooms?.stop(); // before what it hands over to
      await missingRooms?.stop();
      rooms.stop();
      await formerAgents.settled();
      await doubledAgents.settled();
      await shortJobs.stop();
      while (underWay.size > 0) await Promise.allSettled(underWay);
      await orderRoom.settled(); // looks that the last orders asked for
      await looks.settled();
      await hints.settled(); // the last answers' wake-ups
      await producer.close(); // after whoever could still add to the queue
      await eventsEnd;
      refusedCallers.stop(); // nobody calls any more: how many lines were not written is told now
    },
  };
}

function streamBounds({ eventStreams, eventStreamsPerToken, eventStreamsPerKey }: DoorPolicy) {
  return { eventStreams, eventStreamsPerToken, eventStreamsPerKey };
}
