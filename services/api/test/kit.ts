/**
 * An api on a port of its own over a real Redis, with the neighbours it talks to: dispatchers and gateways that are
 * nothing but a lease and an inbox, and workers that are nothing but their session in the ledger.
 */

import { randomBytes } from "node:crypto";
import type { ActorEnvelope } from "@muster/actor/actor-link";
import { Inbox } from "@muster/actor/inbox";
import { NodeLease } from "@muster/actor/node-lease";
import { idFrom } from "@muster/domain/ids";
import type { GatewayMessage, NamespaceMessage } from "@muster/domain/node-message";
import { type JobType, poolName } from "@muster/domain/pool";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { createLog, type Log } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { freePort } from "@muster/test/kit/ports";
import type { RedisServer } from "@muster/test/kit/redis-server";
import { signAccessToken } from "@muster/wire/access-token";
import type { VideoGrant } from "@muster/wire/video-grant";
import type { ApiKeys } from "../src/auth.js";
import type { EventSettings } from "../src/config.js";
import type { DoorPolicy } from "../src/door-policy.js";
import type { AdoptUnnamed } from "../src/policy.js";
import { startApi } from "../src/start-api.js";

export const API_KEY = "devkey";
export const API_SECRET = "secret";
export const keys = new Map([[API_KEY, API_SECRET]]);
export const silent = createLog({ level: "silent", service: "test" });
export const newId = (kind: "order" | "job" | "session" | "node") => idFrom(kind, randomBytes(16));
export const policy = {
  retainMs: 60_000,
  guardMs: 5_000,
  waitMs: 60_000,
  maxAttempts: 3,
  stopMs: 20_000,
  roomsEveryMs: 600_000,
  keepEntryMs: 120_000,
  createRooms: false,
  adoptUnnamed: "known" as AdoptUnnamed,
  shortJobMs: 3_000,
  maxNamespacesPerOrder: 64,
  removeMs: 0,
};

/** Time stands still, so that no cache runs out; timers run. */
export function stoppedClock(): Clock & { advance(ms: number): void } {
  let nowMs = Date.now();
  return {
    now: () => nowMs,
    setTimer: systemClock.setTimer,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

export function token(
  video: Partial<VideoGrant>,
  { secret = API_SECRET, apiKey = API_KEY, ttlMs = 60_000, identity = "" } = {},
) {
  const who = identity === "" ? {} : { identity };
  return signAccessToken({ apiKey, apiSecret: secret, nowMs: Date.now(), ttlMs, video, ...who });
}

export const adminOf = (room: string) => token({ roomAdmin: true, room });

export interface RunningApi {
  url: string;
  redis: RedisClient;
  ledger: Ledger;
  metrics: ReturnType<typeof createMetrics>;
  /** POST to a method of livekit.AgentDispatchService; the token is the room's admin unless one is given. */
  twirp(method: string, body: { room?: string }, headers?: Record<string, string>): Promise<Response>;
  /** GET (or another method) on a path of the REST API, by default with a token that may read everything. */
  rest(path: string, init?: RequestInit & { video?: Partial<VideoGrant> }): Promise<Response>;
  stop(): Promise<void>;
}

/** Looks at rooms by remembering that it should. */
export function recordedLooks() {
  const looks: string[] = [];
  return {
    looks,
    room: async (room: string) => {
      looks.push(room);
      return { isLive: true };
    },
  };
}

export async function runApi(
  server: RedisServer,
  {
    clock = systemClock,
    drainMs = 0,
    livekitUrl,
    events,
    roomsEveryMs = policy.roomsEveryMs,
    log = silent,
    createRooms = policy.createRooms,
    adoptUnnamed = policy.adoptUnnamed,
    doors = {},
    apiKeys = keys,
  }: {
    clock?: Clock;
    events?: EventSettings;
    drainMs?: number;
    livekitUrl?: string;
    roomsEveryMs?: number;
    log?: Log;
    createRooms?: boolean;
    adoptUnnamed?: AdoptUnnamed;
    doors?: Partial<DoorPolicy>;
    apiKeys?: ApiKeys;
  } = {},
): Promise<RunningApi> {
  const redis = server.client();
  const metrics = createMetrics({ service: "api" });
  const port = await freePort();
  const api = await startApi({
    ...(events !== undefined && { events }),
    ...(livekitUrl !== undefined && { livekit: { url: livekitUrl, keys } }),
    ...{
      redis,
      keys: apiKeys,
      doors,
      policy: { ...policy, roomsEveryMs, createRooms, adoptUnnamed },
      metrics,
      clock,
      randomBytes,
      log,
    },
    ...{ host: "127.0.0.1", port, drainMs },
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    redis,
    metrics,
    ledger: createLedger(server.client()),
    twirp: (method, body, headers = {}) =>
      fetch(`${url}/twirp/livekit.AgentDispatchService/${method}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${adminOf(body.room ?? "")}`,
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    rest: (path, { video = { roomList: true }, ...init } = {}) =>
      fetch(`${url}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token(video)}`, ...init.headers },
      }),
    stop: () => api.stop(),
  };
}

/** A node that keeps what it is sent. */
export async function fakeNode<M>(server: RedisServer, role: "dispatcher" | "gateway") {
  const nodeId = newId("node");
  const received: M[] = [];
  const shared = { redis: server.client(), nodeId, clock: systemClock, log: silent };
  const inbox = new Inbox({
    ...shared,
    blocking: server.client(),
    handle: (message) => void received.push(message as M),
    onGap: () => undefined,
  });
  const lease = new NodeLease({ ...shared, role, newGeneration: () => newId("node") });
  await inbox.open();
  await lease.start();
  return {
    nodeId,
    received,
    /** As after a kill: nobody reads, and the lease runs on. */
    loseInbox: () => inbox.close(),
    async stop() {
      await lease.release();
      await inbox.close();
    },
  };
}

export const fakeDispatcher = (server: RedisServer) =>
  fakeNode<ActorEnvelope<NamespaceMessage>>(server, "dispatcher");
export const fakeGateway = (server: RedisServer) => fakeNode<GatewayMessage>(server, "gateway");

export interface WorkerFacts {
  namespace: string;
  agent: string;
  type?: JobType;
  deployment?: string;
  gateway?: string;
  /** When it came; now. */
  atMs?: number;
}

/** Puts a session into the ledger as a gateway does. Returns its id. */
export async function registerWorker(ledger: Ledger, facts: WorkerFacts): Promise<string> {
  const { namespace, agent, type = "room", deployment = "", gateway = newId("node"), atMs } = facts;
  const session = newId("session");
  const pool = poolName({ agentName: agent, type, deployment });
  const args = {
    ...{ namespace, session, gateway, pool, leaseMs: 60_000, ...(atMs !== undefined && { nowMs: atMs }) },
    facts: {
      ...{ agent, type, deployment, version: "1.0.0", permissions: "", client_ip: "10.0.0.1" },
      ...{ api_key: API_KEY, cost: 0.1, max_load: 0.7, cap: 0 },
    },
  };
  const [project = ""] = namespace.split(":");
  const memory = { keepMs: 3_600_000, liveMs: 60_000, most: 0, must: true };
  const remember = { project, agent, namespaceName: namespace, ...memory };
  const reply = await ledger.rememberAgent(remember);
  if (reply.status === "remembered" && reply.told !== "")
    await ledger.outdateAgents({ namespace: reply.told });
  const first = await ledger.registerSession({ ...args, rests: -1 });
  if (first.status === "unindexed") await ledger.registerSession({ ...args, rests: first.rests });
  return session;
}

/** Brings a job to a worker that takes it: admitted, accepted, and seen to run. */
export async function runJob(ledger: Ledger, namespace: string, job: string): Promise<void> {
  const held = await startJob(ledger, namespace, job);
  await ledger.seen(held);
}

/** The same, but that nobody has seen it run. */
export async function startJob(ledger: Ledger, namespace: string, job: string) {
  const admitted = await ledger.admit({ namespace, job, offerMs: 5_000, retryMs: 500, scan: 32 });
  if (admitted.status !== "offered") throw new Error(`the job was not offered but ${admitted.status}`);
  const { session = "", epoch = "" } = admitted.job;
  const held = { namespace, job, session, epoch: Number(epoch) };
  await ledger.accept({ ...held, agentIdentity: `agent-${job}`, startMs: 30_000 });
  return held;
}

/** Ids of the entries that wait in a namespace's queue. */
export async function queued(redis: RedisClient, namespace: string): Promise<string[]> {
  return await redis.zrange(`muster:{${namespace}}:queue:prioritized`, "0", "-1");
}

/** Every key with its value, to see that nothing was written. */
export async function dump(redis: RedisClient): Promise<Record<string, string>> {
  // The lease of whoever looks after rooms says nothing of any order.
  const names = (await redis.keys("*")).filter((name) => name !== "muster:rooms-round").sort();
  const values = await Promise.all(names.map(async (name) => [name, await dumped(redis, name)]));
  return Object.fromEntries(values) as Record<string, string>;
}

/** Of a large hash by its fields: Redis moves them about when it is read. */
async function dumped(redis: RedisClient, name: string): Promise<string> {
  if ((await redis.type(name)) === "hash")
    return JSON.stringify(Object.entries(await redis.hgetall(name)).sort());
  return (await redis.dumpBuffer(name))?.toString("hex") ?? "";
}
