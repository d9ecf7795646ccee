/**
 * A dispatcher in this process on a real Redis, with the two neighbours it talks to: an api that brings orders, and a
 * gateway that is nothing but an inbox.
 */

import { randomBytes } from "node:crypto";
import { createActorLink } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { Inbox } from "@muster/actor/inbox";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { createOutbox } from "@muster/actor/outbox";
import { idFrom } from "@muster/domain/ids";
import type { GatewayMessage, NamespaceMessage, OfferMessage } from "@muster/domain/node-message";
import { poolName } from "@muster/domain/pool";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import { systemClock as clock } from "@muster/runtime/clock";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { createIntakeProducer } from "@muster/runtime/queue/intake-producer";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { dispatcherMetrics } from "../src/metrics.js";
import type { DispatchPolicy } from "../src/policy.js";
import { startDispatcher } from "../src/start-dispatcher.js";

const log = createLog({ level: "silent", service: "test" });
export const newId = (kind: "order" | "job" | "session" | "node") => idFrom(kind, randomBytes(16));

export const testPolicy: DispatchPolicy = {
  claim: { offerMs: 600, retryMs: 50, scan: 32 },
  heads: 16,
  guardMs: 300,
  graceMs: 500,
  stopMs: 500,
  coolMs: 200,
  silentJobMs: 60_000,
  retainMs: 60_000,
  maxAttempts: 2,
};

export async function runDispatcher(url: string, policy: Partial<DispatchPolicy> = {}) {
  const redis = connectRedis({ url, name: "dispatcher", log });
  const blocking = connectRedis({ url, name: "dispatcher-inbox", log, blocking: true });
  const dispatcher = await startDispatcher({
    nodeId: newId("node"),
    redis,
    blocking,
    policy: { ...testPolicy, ...policy },
    leaseMs: 600,
    maxSleepMs: 500,
    metrics: dispatcherMetrics(createMetrics({ service: "dispatcher" })),
    clock,
    random: Math.random,
    newGeneration: () => randomBytes(8).toString("hex"),
    log,
  });
  return {
    hosted: () => dispatcher.hosted(),
    async stop() {
      await dispatcher.stop(2_000);
      await closeRedis(blocking);
      await closeRedis(redis);
    },
  };
}

/** An inbox that keeps what it got. */
export async function runGateway(url: string) {
  const redis = connectRedis({ url, name: "gateway", log });
  const blocking = connectRedis({ url, name: "gateway-inbox", log, blocking: true });
  const nodeId = newId("node");
  const messages: GatewayMessage[] = [];
  const handle = (raw: unknown) => void messages.push(raw as GatewayMessage);
  const inbox = new Inbox({ redis, blocking, nodeId, clock, log, handle, onGap: () => {} });
  await inbox.open();
  return {
    nodeId,
    messages,
    offers: () => messages.filter((message): message is OfferMessage => message.kind === "offer"),
    async stop() {
      await inbox.close();
      await closeRedis(blocking);
      await closeRedis(redis);
    },
  };
}

export function createCaller(url: string) {
  const redis = connectRedis({ url, name: "caller", log });
  const ledger = createLedger(redis);
  const index = createDueIndex({ redis });
  const outbox = createOutbox({ redis, clock, log });
  const link = createActorLink<NamespaceMessage>({
    directory: createNodeDirectory({ redis, clock, cacheMs: 100 }),
    outbox,
    role: "dispatcher",
  });
  const producer = createIntakeProducer({ redis, log, clock });
  return {
    redis,
    ledger,
    link,
    /** The three steps of the api; `upTo` leaves the later ones out, as a crash would. */
    async order(namespace: string, agent: string, upTo: "ledger" | "queue" | "hint" = "hint") {
      const [order, job] = [newId("order"), newId("job")];
      await createOrder(ledger, index, namespace, { order, job, agent });
      if (upTo === "ledger") return { order, job };
      await producer.add(namespace, { id: order, priority: 1001, data: { jobs: [job] } });
      if (upTo === "hint") await link.tell(namespace, { kind: "intake", count: 1 });
      return { order, job };
    },
    async session(namespace: string, agent: string, gateway: string) {
      const session = newId("session");
      await registerSession(ledger, index, namespace, { session, agent, gateway });
      const samples = [{ session, status: "available" as const, draining: false, load: 0, job_count: 0 }];
      const { serve } = await ledger.sampleSessions({ namespace, gateway, samples });
      for (const pool of serve) await link.tell(namespace, { kind: "serve", pool });
      return session;
    },
    async stop() {
      await producer.close();
      await closeRedis(redis);
    },
  };
}

const poolOf = (agent: string) => poolName({ agentName: agent, type: "room", deployment: "" });
type Index = ReturnType<typeof createDueIndex>;

async function createOrder(
  ledger: Ledger,
  index: Index,
  namespace: string,
  { order, job, agent }: { order: string; job: string; agent: string },
) {
  const args = {
    namespace,
    order,
    room: `room-of-${order}`,
    facts: {
      agent,
      deployment: "",
      metadata: "hello",
      attributes: '{"a":"b"}',
      priority: 0,
      restart_policy: "on_failure" as const,
      target: "room" as const,
    },
    newJobs: [{ id: job, type: "room", pool: poolOf(agent), room_sid: "", participant_info: "" }],
    retainMs: testPolicy.retainMs,
    guardMs: testPolicy.guardMs,
    waitMs: 60_000,
  };
  for (let rests = -1; ; ) {
    const reply = await ledger.createOrder({ ...args, rests });
    if (reply.status !== "unindexed") return;
    await index.markDue(namespace);
    rests = reply.rests;
  }
}

async function registerSession(
  ledger: Ledger,
  index: Index,
  namespace: string,
  { session, agent, gateway }: { session: string; agent: string; gateway: string },
) {
  const facts = {
    agent,
    type: "room",
    deployment: "",
    version: "1",
    permissions: "",
    client_ip: "127.0.0.1",
    api_key: "devkey",
    cost: 0.1,
    max_load: 1,
    cap: 0,
  };
  for (let rests = -1; ; ) {
    const reply = await ledger.registerSession({
      ...{ namespace, session, gateway, pool: poolOf(agent), facts },
      leaseMs: 30_000,
      rests,
    });
    if (reply.status !== "unindexed") return;
    await index.markDue(namespace);
    rests = reply.rests;
  }
}
