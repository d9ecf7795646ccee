/**
 * What the gateway suites share: a real Redis, real gateways on either transport, and a dispatcher played by hand, with
 * a node lease and an inbox of its own, that makes offers by the ledger's own scripts.
 */
import { randomBytes } from "node:crypto";
import type { ActorEnvelope } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { Inbox } from "@muster/actor/inbox";
import { NodeLease } from "@muster/actor/node-lease";
import { createOutbox } from "@muster/actor/outbox";
import { type IdKind, idFrom } from "@muster/domain/ids";
import type { NamespaceMessage, OfferMessage } from "@muster/domain/node-message";
import { type JobType, poolName } from "@muster/domain/pool";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { createLog, type Log } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { connectRedis } from "@muster/runtime/redis/connect";
import { metricIn } from "@muster/test/kit/metric-line";
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { connectWorker, type WorkerClient, type WorkerOptions } from "@muster/test/kit/worker-client";
import { signAccessToken } from "@muster/wire/access-token";
import { gatewaySchema, policyFrom } from "../src/config.js";
import type { GatewayPolicy } from "../src/policy.js";
import { type Gateway, startGateway } from "../src/start-gateway.js";
import { startUwsTransport } from "../src/transport/uws-transport.js";
import { startWsTransport } from "../src/transport/ws-transport.js";

export const TRANSPORTS = { uws: startUwsTransport, ws: startWsTransport } as const;
export type TransportKind = keyof typeof TRANSPORTS;
export const TRANSPORT_KINDS = Object.keys(TRANSPORTS) as TransportKind[];

export const API_KEY = "devkey";
export const API_SECRET = "a-secret-that-is-long-enough-for-everybody";
export const OTHER_KEY = "otherkey";
export const OTHER_SECRET = "another-secret-that-is-long-enough-too";
export const KEYS = new Map([
  [API_KEY, API_SECRET],
  [OTHER_KEY, OTHER_SECRET],
]);

export const newId = (kind: IdKind): string => idFrom(kind, randomBytes(16));

export interface Bench {
  redis: RedisServer;
  client: RedisClient;
  ledger: Ledger;
  /** A project's namespace of this test's own, and the field by which a worker registers there. */
  field: string;
  namespace: string;
  dispatcher: FakeDispatcher;
  start(options?: StartOptions): Promise<RunningGateway>;
  worker(gateway: RunningGateway, options?: Partial<WorkerOptions>): Promise<WorkerClient>;
  /** Connected and registered in this test's namespace. */
  registered(gateway: RunningGateway, agentName?: string): Promise<WorkerClient>;
  /** Every key of the namespace with its content. */
  dump(): Promise<Record<string, unknown>>;
}

export interface StartOptions {
  transport?: TransportKind;
  policy?: Partial<GatewayPolicy>;
  log?: Log;
  clock?: Clock;
}

export interface RunningGateway extends Gateway {
  nodeId: string;
  url: string;
  /** The value of one line of /metrics, without its prefix. */
  metric(line: string): Promise<number>;
}

const ends: (() => Promise<unknown> | unknown)[] = [];
let server: RedisServer | undefined;

/** Ends all that the test began, the last first. */
export async function cleanUp(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

export async function stopRedis(): Promise<void> {
  await server?.stop();
  server = undefined;
}

const silent = createLog({ level: "silent", service: "test" });

/** Lines of a log as they were written, for tests of what is never in them. */
export function recordingLog(): { log: Log; text: () => string } {
  let text = "";
  const destination = {
    write(line: string): void {
      text += line;
    },
  };
  return { log: createLog({ level: "debug", service: "test", destination }), text: () => text };
}

export function agentToken(facts: Partial<Parameters<typeof signAccessToken>[0]> = {}): string {
  return signAccessToken({
    apiKey: API_KEY,
    apiSecret: API_SECRET,
    nowMs: Date.now(),
    video: { agent: true },
    ...facts,
  });
}

export async function bench(): Promise<Bench> {
  server ??= await startRedis();
  const redis = server;
  const client = connectRedis({ url: redis.url, name: "test", log: silent });
  ends.push(() => client.disconnect());
  const ledger = createLedger(client);
  const field = `t${randomBytes(6).toString("hex")}`;
  const namespace = `default:${field}`;
  const dispatcher = await startFakeDispatcher(redis, client, namespace, ledger);
  const worker: Bench["worker"] = async (gateway, options = {}) => {
    const connected = await connectWorker({ url: gateway.url, token: agentToken(), ...options });
    ends.push(() => connected.cut());
    return connected;
  };
  return {
    redis,
    client,
    ledger,
    field,
    namespace,
    dispatcher,
    worker,
    start: (options = {}) => startOne(redis, options),
    async registered(gateway, agentName = "agent") {
      const connected = await worker(gateway);
      await connected.register({ agentName, namespace: field });
      return connected;
    },
    dump: () => dumpKeys(client, `muster:{${namespace}}:*`),
  };
}

export function testPolicy(over: Partial<GatewayPolicy> = {}): GatewayPolicy {
  const config = gatewaySchema.parse({ redisUrl: "redis://127.0.0.1:1", keys: "key: secret", drainMs: 0 });
  // No answer counts later than its time, where a test does not say so.
  const offerTimeoutMaxMs = over.offerTimeoutMs ?? config.offerTimeoutMaxMs;
  // Each test has a namespace of its own.
  return { ...policyFrom(config), offerTimeoutMaxMs, maxNamespaces: 0, ...over };
}

async function startOne(redis: RedisServer, options: StartOptions): Promise<RunningGateway> {
  const log = options.log ?? silent;
  const commands = connectRedis({ url: redis.url, name: "gateway", log: silent });
  const blocking = connectRedis({ url: redis.url, name: "gateway-inbox", log: silent, blocking: true });
  ends.push(() => {
    commands.disconnect();
    blocking.disconnect();
  });
  const nodeId = newId("node");
  const gateway = await startGateway({
    nodeId,
    version: "0.0.0-test",
    host: "127.0.0.1",
    port: await freePort(),
    startTransport: TRANSPORTS[options.transport ?? "uws"],
    keys: KEYS,
    policy: testPolicy(options.policy),
    redis: commands,
    blocking,
    clock: options.clock ?? systemClock,
    newId,
    newGeneration: () => randomBytes(8).toString("hex"),
    metrics: createMetrics({ service: "gateway" }),
    log,
  });
  ends.push(() => gateway.stop());
  const url = `http://127.0.0.1:${gateway.port}`;
  const metric = async (line: string) => metricIn(await (await fetch(`${url}/metrics`)).text(), line);
  return Object.assign(gateway, { nodeId, url, metric });
}

export interface FakeDispatcher {
  readonly nodeId: string;
  /** What gateways told it about this test's namespace, in order. */
  readonly told: NamespaceMessage[];
  /** Makes an order with one job in this test's namespace. */
  order(options?: OrderOptions): Promise<{ order: string; job: string }>;
  /** Claims a session for the job and sends the offer, as a dispatcher does. */
  offer(job: string): Promise<OfferMessage>;
  /** Any message to a gateway's inbox. */
  send(nodeId: string, message: unknown): Promise<"sent" | "gone">;
  job(job: string): Promise<Record<string, string>>;
  session(session: string): Promise<Record<string, string>>;
}

export interface OrderOptions {
  agentName?: string;
  type?: JobType;
  room?: string;
  metadata?: string;
  attributes?: Record<string, string>;
  restartPolicy?: "on_failure" | "never";
}

/** Fields of a job that are absent while they are empty. */
const EMPTY_FIELDS = { session: "", order: "", agent_identity: "", excluded: "", attempts: "0" };

async function startFakeDispatcher(
  redis: RedisServer,
  client: RedisClient,
  namespace: string,
  ledger: Ledger,
): Promise<FakeDispatcher> {
  const nodeId = newId("node");
  const clock = systemClock;
  const log = silent;
  const blocking = connectRedis({ url: redis.url, name: "test-inbox", log, blocking: true });
  const told: NamespaceMessage[] = [];
  const inbox = new Inbox({
    redis: client,
    blocking,
    nodeId,
    clock,
    log,
    handle(raw) {
      const { actor, message } = raw as ActorEnvelope<NamespaceMessage>;
      if (actor === namespace) told.push(message);
    },
    onGap: () => {},
  });
  const lease = new NodeLease({
    redis: client,
    nodeId,
    role: "dispatcher",
    clock,
    log,
    newGeneration: () => "g",
  });
  await inbox.open();
  await lease.start();
  ends.push(async () => {
    await lease.release();
    await inbox.close();
    blocking.disconnect();
  });
  const outbox = createOutbox({ redis: client, clock, log });
  const index = createDueIndex({ redis: client });
  return {
    nodeId,
    told,
    send: (to, message) => outbox.send(to, message),
    async job(job) {
      const record = await client.hgetall(`muster:{${namespace}}:job:${job}`);
      return record.id === undefined ? {} : { ...EMPTY_FIELDS, ...record };
    },
    session: (session) => client.hgetall(`muster:{${namespace}}:session:${session}`),
    async order(options = {}) {
      const { agentName = "agent", type = "room", room = "room", metadata = "", attributes = {} } = options;
      const order = newId("order");
      const job = newId("job");
      const pool = poolName({ agentName, type, deployment: "" });
      const args = {
        namespace,
        order,
        room,
        facts: {
          agent: agentName,
          deployment: "",
          metadata,
          attributes: JSON.stringify(attributes),
          priority: 0,
          restart_policy: options.restartPolicy ?? "on_failure",
          target: "room",
        },
        newJobs: [{ id: job, type, pool, room_sid: "", participant_info: "", max_attempts: 3 }],
        retainMs: 60_000,
        guardMs: 5_000,
        waitMs: 60_000,
        listenMs: 0,
        knownForMs: -1,
      } as const;
      let reply = await ledger.createOrder({ ...args, rests: -1 });
      if (reply.status === "unindexed") {
        await index.markDue(namespace);
        reply = await ledger.createOrder({ ...args, rests: reply.rests });
      }
      if (reply.status !== "created") throw new Error(`order not created: ${reply.status}`);
      return { order, job };
    },
    async offer(job) {
      const reply = await ledger.admit({ namespace, job, offerMs: 5_000, retryMs: 500, scan: 32 });
      if (reply.status !== "offered") throw new Error(`job not offered: ${JSON.stringify(reply)}`);
      const message = offerOf(namespace, reply.job, reply.order);
      await outbox.send(reply.job.gateway ?? "", message);
      return message;
    },
  };
}

function offerOf(
  namespace: string,
  job: Record<string, string>,
  order: Record<string, string>,
): OfferMessage {
  const text = (record: Record<string, string>, field: string): string => record[field] ?? "";
  return {
    kind: "offer",
    namespace,
    session: text(job, "session"),
    job: text(job, "id"),
    wire: text(job, "wire"),
    epoch: Number(job.epoch),
    order: text(job, "order"),
    type: text(job, "type") as JobType,
    room: text(job, "room"),
    roomSid: text(job, "room_sid"),
    roomInfo: text(job, "room_info"),
    participantInfo: text(job, "participant_info"),
    metadata: text(order, "metadata"),
    attributes: JSON.parse(order.attributes ?? "{}") as Record<string, string>,
    agentName: text(order, "agent"),
    deployment: text(order, "deployment"),
    priority: Number(job.priority ?? 0),
    maxAttempts: Number(job.max_attempts ?? 3),
    restartPolicy: order.restart_policy === "on_failure" ? "on_failure" : "never",
    resuming: Number(job.started_at) > 0,
    offeredAtMs: Number(job.updated_at),
    first: { createdAtMs: Number(job.created_at), path: job.parked_at === undefined ? "direct" : "waited" },
  };
}

/**
 * What a renewal of a lease changes by itself is left out, the times at which leases end; and so is the memory of who
 * went when, which the guard against outages keeps.
 */
async function dumpKeys(client: RedisClient, pattern: string): Promise<Record<string, unknown>> {
  const dump: Record<string, unknown> = {};
  for (const key of (await client.keys(pattern)).sort()) {
    if (key.endsWith(":losses")) continue;
    const type = await client.type(key);
    if (type === "hash") dump[key] = await client.hgetall(key);
    if (type === "set") dump[key] = (await client.smembers(key)).sort();
    if (type === "string") dump[key] = await client.get(key);
    if (type === "stream") dump[key] = await client.xrange(key, "-", "+");
    if (type === "zset")
      dump[key] = membersWithScores(key, await client.zrange(key, "0", "-1", "WITHSCORES"));
  }
  return dump;
}

function membersWithScores(key: string, flat: string[]): Record<string, string> {
  const scores: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const member = flat[index] as string;
    const isLease =
      key.endsWith(":gateways") || (key.endsWith(":deadlines") && member.startsWith("gateway|"));
    scores[member] = isLease ? "a lease" : (flat[index + 1] as string);
  }
  return scores;
}
