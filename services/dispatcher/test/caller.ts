/**
 * The neighbours of a dispatcher as far as they write to the ledger: an api that brings orders, and what gateways do for
 * their workers. Each step is one of theirs, so that a test can leave one out, as a crash would.
 */

import { createActorLink } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { createOutbox } from "@muster/actor/outbox";
import { encodeFallback } from "@muster/domain/fallback";
import type { NamespaceMessage, OfferMessage } from "@muster/domain/node-message";
import { poolName } from "@muster/domain/pool";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import { systemClock as clock } from "@muster/runtime/clock";
import { createIntakeProducer } from "@muster/runtime/queue/intake-producer";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { log, newId, testPolicy } from "./kit.js";

/** What reports are given of how sick workers are dealt with. */
const { startMs, coolMs, earlyMs } = testPolicy;
export const JUDGING = { startMs, coolMs, earlyMs };
/** Of those that park many at once: so many are equally old. */
export const JOBS_AN_ORDER = 100;

export type Caller = ReturnType<typeof createCaller>;

export interface OrderOptions {
  /** The api's three steps; the later ones are left out. */
  upTo?: "ledger" | "queue" | "hint";
  guardMs?: number;
  maxAttempts?: number;
  /** What the api knows of listeners. */
  listenMs?: number;
  /** Another agent, that is asked when nobody took the job for so long. */
  fallback?: { agent: string; afterMs: number };
  /** On hold from the start. */
  held?: 1;
  /** For participants, as they come: no job yet, and so long to wait for the room. */
  openForMs?: number;
  /** How long its job may wait. */
  waitMs?: number;
}

export interface SessionOptions {
  /** Whether the actor is told that there is room. */
  told?: boolean;
  leaseMs?: number;
  session?: string;
  /** Jobs that it may have at a time; 0 for any number. */
  cap?: number;
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
    outbox,
    async order(namespace: string, agent: string, options: OrderOptions = {}) {
      const { upTo = "hint", guardMs = testPolicy.guardMs, maxAttempts = 3, listenMs = 0 } = options;
      const { fallback, held, openForMs, waitMs } = options;
      const [order, job] = [newId("order"), newId("job")];
      await createOrder(ledger, index, namespace, {
        order,
        jobs: [job],
        agent,
        guardMs,
        maxAttempts,
        listenMs,
        ...(fallback !== undefined && { fallback }),
        ...(held !== undefined && { held }),
        ...(openForMs !== undefined && { jobs: [], openForMs }),
        ...(waitMs !== undefined && { waitMs }),
      });
      if (upTo === "ledger") return { order, job };
      await producer.add(namespace, { id: order, priority: 1001, data: { jobs: [job] } });
      if (upTo === "hint") await link.tell(namespace, { kind: "intake", count: 1 });
      return { order, job };
    },
    /** What the api does to let the jobs of an order go. */
    async release(namespace: string, order: string) {
      for (let rests = -1; ; ) {
        const reply = await ledger.releaseOrder({ namespace, order, limit: 10, listenMs: 0, rests });
        if (reply.status !== "unindexed") return reply;
        await index.markDue(namespace);
        rests = reply.rests;
      }
    },
    /** So many jobs that found no worker and wait, the oldest first. */
    async parked(namespace: string, agent: string, count: number) {
      const ids = Array.from({ length: count }, () => newId("job"));
      for (let first = 0; first < count; first += JOBS_AN_ORDER) {
        const jobs = ids.slice(first, first + JOBS_AN_ORDER);
        const order = newId("order");
        await createOrder(ledger, index, namespace, { order, jobs, agent, guardMs: 600_000, maxAttempts: 3 });
        const { claim } = testPolicy;
        const replies = await Promise.all(jobs.map((job) => ledger.admit({ namespace, job, ...claim })));
        for (const { status } of replies) if (status !== "parked") throw new Error(`a job was ${status}`);
      }
      return ids;
    },
    async session(namespace: string, agent: string, gateway: string, options: SessionOptions = {}) {
      const { told = true, leaseMs = 30_000, session = newId("session"), cap = 0 } = options;
      await registerSession(ledger, index, namespace, { session, agent, gateway, leaseMs, cap });
      const samples = [{ session, status: "available" as const, draining: false, load: 0, job_count: 0 }];
      const { serve } = await ledger.sampleSessions({ namespace, gateway, samples });
      if (told) for (const pool of serve) await link.tell(namespace, { kind: "serve", pool });
      return session;
    },
    /** The worker takes the offer; a reporting one then says that the job runs. */
    async take(offer: OfferMessage, worker: "reporting" | "silent", startMs = 30_000) {
      const { namespace, job, session, epoch, wire } = offer;
      const accepted = await ledger.accept({
        ...{ namespace, job, session, epoch },
        agentIdentity: `agent-${job}`,
        startMs,
      });
      if (accepted.status === "started" && worker === "reporting")
        await ledger.report({ namespace, job, wire, session, status: "running", message: "", ...JUDGING });
      return accepted.status;
    },
    /** The worker says that the job ended well, and its place is told of. */
    async finish({ namespace, job, session, wire }: OfferMessage) {
      const report = { namespace, job, wire, session, status: "success", message: "", ...JUDGING };
      const reply = await ledger.report(report);
      if (reply.status === "ended" && reply.serve !== "")
        await link.tell(namespace, { kind: "serve", pool: reply.serve });
    },
    /** The worker's socket is gone; the hint of it may be lost. */
    async lose(namespace: string, session: string, { told = true } = {}) {
      const { graceMs, guardMs } = testPolicy;
      const reply = await ledger.deregisterSession({ namespace, session, goodbye: false, graceMs, guardMs });
      if (reply.status === "unknown") return;
      for (const job of told ? reply.orphaned : []) await link.tell(namespace, { kind: "orphan", job });
    },
    async orderState(namespace: string, order: string) {
      return await redis.hget(`muster:{${namespace}}:order:${order}`, "state");
    },
    async job(namespace: string, job: string) {
      return await redis.hgetall(`muster:{${namespace}}:job:${job}`);
    },
    async stop() {
      await producer.close();
      await closeRedis(redis);
    },
  };
}

export const poolOf = (agent: string) => poolName({ agentName: agent, type: "room", deployment: "" });
type Index = ReturnType<typeof createDueIndex>;

async function createOrder(
  ledger: Ledger,
  index: Index,
  namespace: string,
  request: {
    order: string;
    jobs: readonly string[];
    agent: string;
    guardMs: number;
    maxAttempts: number;
    listenMs?: number;
    fallback?: { agent: string; afterMs: number };
    held?: 1;
    openForMs?: number;
    waitMs?: number;
  },
) {
  const {
    order,
    jobs,
    agent,
    guardMs,
    maxAttempts,
    listenMs = 0,
    fallback,
    held,
    openForMs,
    waitMs = 60_000,
  } = request;
  const steps = fallback && [{ afterMs: fallback.afterMs, agentName: fallback.agent, deployment: "" }];
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
      ...(held && { held }),
      ...(openForMs !== undefined && { open: 1 as const, wait_ms: openForMs, max_attempts: maxAttempts }),
      ...(steps && { fallback: encodeFallback({ agentName: agent, deployment: "" }, steps) }),
    },
    newJobs: jobs.map((id) => ({
      ...{ id, type: "room" as const, pool: poolOf(agent), room_sid: "", participant_info: "" },
      max_attempts: maxAttempts,
    })),
    retainMs: testPolicy.retainMs,
    guardMs,
    waitMs,
    listenMs,
    knownForMs: -1,
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
  request: { session: string; agent: string; gateway: string; leaseMs: number; cap: number },
) {
  const { session, agent, gateway, leaseMs, cap } = request;
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
    cap,
  };
  for (let rests = -1; ; ) {
    const reply = await ledger.registerSession({
      ...{ namespace, session, gateway, pool: poolOf(agent), facts },
      leaseMs,
      rests,
    });
    if (reply.status !== "unindexed") return;
    await index.markDue(namespace);
    rests = reply.rests;
  }
}
