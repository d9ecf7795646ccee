/**
 * Puts one dispatcher together: its lease, its inbox, its intake, and the host of the actors of the namespaces that
 * rendezvous hashing gives it. Owns the order in which they start and stop; the connections belong to the caller.
 */

import type { ActorContext } from "@muster/actor/actor";
import { ActorHost } from "@muster/actor/actor-host";
import { createActorLink } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { Inbox } from "@muster/actor/inbox";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { NodeLease } from "@muster/actor/node-lease";
import { createOutbox } from "@muster/actor/outbox";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { createLedger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import { EventMover } from "@muster/runtime/events/event-mover";
import { ListenerBoard } from "@muster/runtime/events/listener-board";
import type { Log } from "@muster/runtime/log";
import { createIntakeHub } from "@muster/runtime/queue/intake-hub";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { Assign } from "./assign.js";
import { Deadlines } from "./deadlines.js";
import { Expire } from "./expire.js";
import { Forwarding } from "./forwarding.js";
import { Generation } from "./generation.js";
import { hintKey, kindOf, readHint } from "./hint.js";
import { Hold } from "./hold.js";
import type { DispatcherMetrics } from "./metrics.js";
import { NamespaceActor } from "./namespace-actor.js";
import { OddOnes } from "./odd-ones.js";
import { Orphans } from "./orphans.js";
import type { DispatchPolicy } from "./policy.js";
import { PoolGauges } from "./pool-gauges.js";
import type { Presence } from "./presence.js";
import { type RoomAttendant, StoppedAgents } from "./stopped-agents.js";
import { tellState } from "./tell-state.js";
import { ToldEvents } from "./told-events.js";
import { Unjoined } from "./unjoined.js";

export interface DispatcherDeps {
  nodeId: string;
  /** Commands of this dispatcher, and of whoever shares the process. */
  redis: RedisClient;
  /** A connection of its own for blocked reads. */
  blocking: RedisClient;
  policy: DispatchPolicy;
  /** Who knows whether an agent is in its room. */
  presence: Presence;
  /** undefined: LiveKit cannot be asked, and no agent is put out of its room. */
  roomService: RoomAttendant | undefined;
  leaseMs: number;
  /** How often a hosted namespace's timers are looked at, at least. */
  maxSleepMs: number;
  metrics: DispatcherMetrics;
  clock: Clock;
  random: () => number;
  newGeneration: () => string;
  log: Log;
}

export interface Dispatcher {
  ready(): boolean;
  /** Namespaces that have an actor here now. */
  hosted(): number;
  /** Hands its namespaces over and ends, by `deadlineMs` at the latest. */
  stop(deadlineMs: number): Promise<void>;
}

export async function startDispatcher(deps: DispatcherDeps): Promise<Dispatcher> {
  const { redis, blocking, nodeId, clock, log, random, newGeneration, leaseMs } = deps;
  const { policy, presence, roomService, metrics, maxSleepMs } = deps;
  const ledger = createLedger(redis);
  const outbox = createOutbox({ redis, clock, log });
  const hub = createIntakeHub({ redis, log, clock });
  const lease = new NodeLease({
    redis,
    nodeId,
    role: "dispatcher",
    clock,
    log,
    newGeneration,
    leaseMs,
    renewEveryMs: leaseMs / 3,
  });
  const directory = createNodeDirectory({ redis, clock });
  const link = createActorLink<NamespaceMessage>({ directory, outbox, role: "dispatcher" });
  const forwarding = new Forwarding({ link, clock, log });
  const index = createDueIndex({ redis });
  const mover = new EventMover({ redis, log });
  const board = new ListenerBoard({ redis, clock });
  const hold = new Hold({ lease, redis, clock, holdMs: policy.holdMs, leaseMs, metrics, log });
  const generation = new Generation({ ledger, index, metrics, clock, log, holdMs: policy.holdMs });
  lease.subscribe({ onGenerationChange: (known, current) => generation.changed(known, current) });

  const queued = new Map<string, number>();
  const odd = new OddOnes({ log });
  const createActor = (namespace: string, context: ActorContext<NamespaceMessage>) => {
    const shared = { namespace, ledger, outbox, policy, metrics, log, hold, clock };
    // The loop and who sets its timers know each other; the loop is told of a timer only after both exist.
    const onDue = (atMs: number) => deadlines.nudge(atMs);
    const assign = new Assign({ ...shared, presence, onDue });
    const orphans = new Orphans({ ...shared, presence, roomService, assign, onDue });
    const stoppedAgents = new StoppedAgents({ ...shared, roomService, assign });
    const unjoined = new Unjoined({ ...shared, presence, roomService, assign, onDue });
    const told = new ToldEvents({ namespace, mover, board, clock, log });
    const expire = new Expire({ ...shared, assign, orphans, stoppedAgents, unjoined, told });
    const deadlines = new Deadlines({ ...shared, expire, odd, maxSleepMs });
    return new NamespaceActor({
      namespace,
      ledger,
      hub,
      assign,
      orphans,
      stoppedAgents,
      unjoined,
      presence,
      doubtsReports: policy.doubtsReports,
      deadlines,
      generation,
      told,
      seeQueued: (count) => void (count > 0 ? queued.set(namespace, count) : queued.delete(namespace)),
      fail: (error) => context.fail(error),
    });
  };
  const host = new ActorHost<NamespaceMessage>({
    lease,
    index,
    createActor,
    forward: (name, message) => forwarding.send(name, message),
    keyOf: hintKey,
    clock,
    random,
    log,
  });
  const gauges = new PoolGauges({ ledger, hosted: () => host.hostedNames(), metrics, clock, log });
  tellState({ host, lease, gauges, queued, metrics });
  const inbox = new Inbox({
    redis,
    blocking,
    nodeId,
    clock,
    log,
    handle(raw) {
      const hint = readHint(raw);
      if (hint === undefined) {
        odd.note("message", kindOf(raw));
        return;
      }
      const { actor, message } = hint;
      if (host.deliver(actor, message) === "not_owner") forwarding.send(actor, message);
    },
    // Hints were lost. What they were about has its timers in Redis; new work is looked for at once.
    onGap(gap) {
      log.warn({ gap }, "inbox had a gap");
      hub.lookAgain();
    },
  });

  await inbox.open();
  await lease.start();
  hold.start();
  host.start();
  let isReady = true;
  return {
    ready: () => isReady && lease.isHeld(),
    hosted: () => host.hostedNames().length,
    async stop(deadlineMs) {
      isReady = false;
      await lease.release(); // others take the namespaces while we finish
      directory.forget(nodeId); // what is forwarded from now on must not come back to us
      await host.stop({ deadlineMs }); // turns end, intake closes, what waited is forwarded
      await presence.stop(); // nobody asks any more
      await gauges.stop();
      hold.stop(); // nobody asks any more
      generation.stop();
      await hub.close(); // nothing consumes any more
      await inbox.close(); // what came late is forwarded, and senders learn that we are gone
      await forwarding.settled(); // last: our connection closes behind us
    },
  };
}
