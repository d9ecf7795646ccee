/**
 * Owns how Muster connects to Redis: one server, Sentinel or Cluster, the same way in every process. Together with its
 * neighbours in this folder the only code that knows ioredis. No error ends a connection for good: it comes back, or is begun anew.
 * Replies keep their RESP2 shapes (`replyMapping: "legacy"`): BullMQ breaks on the others.
 */
import type { ClusterOptions, DNSLookupFunction, RedisOptions } from "ioredis";
import { Cluster, Redis } from "ioredis";
import type { Log } from "../log.js";
import { watchConnection } from "./connection-log.js";
import { describeRedisUrl, parseRedisUrl, type RedisTarget } from "./url.js";

export type RedisClient = Redis | Cluster;

export interface ConnectOptions {
  url: string;
  /** Shown by CLIENT LIST and in our log lines. */
  name: string;
  log: Log;
  /** For XREAD BLOCK and the like, up to MAX_BLOCK_MS: waits out any outage, and is used for nothing else. */
  blocking?: boolean;
}

/** The longest a command may block on a `blocking` connection; one that says nothing for longer is taken for dead. */
export const MAX_BLOCK_MS = 10_000;

/**
 * A peer that vanished without a reset (partition, frozen host) is noticed by its silence, not by TCP, which would wait
 * for minutes. Counts only while a command is in flight.
 */
const SILENCE_MS = 5_000;
/** Attempts to reconnect, about 8 s of them, after which waiting commands fail and their callers decide. */
const MAX_ATTEMPTS_PER_COMMAND = 20;
const CLOSE_DEADLINE_MS = 1_000;
/** How often one that still loads its data is asked; by itself ioredis waits for as long as Redis guesses, up to 10 s. */
const LOADING_RECHECK_MS = 200;

/** Quick at first and never slow: an outage should end for us when it ends for Redis. */
const retryDelayMs = (attempt: number): number => Math.min(50 * attempt, 500);

/** Between the end of a client that nobody closed and its next beginning. */
const ANEW_MS = 500;

const blockingClients = new WeakSet<RedisClient>();
/** Those that were told to end. */
const closedClients = new WeakSet<RedisClient>();

/** Connects in the background; commands wait for it. Throws DispatchError when the url cannot be read. */
export function connectRedis({ url, name, log, blocking = false }: ConnectOptions): RedisClient {
  const target = parseRedisUrl(url);
  const shared = sharedOptions(target, name, blocking);
  const client =
    target.kind === "cluster"
      ? new Cluster(target.hosts, clusterOptions(target, shared))
      : new Redis({ ...shared, ...serverOptions(target), retryStrategy: retryDelayMs });
  if (client instanceof Cluster) endLateNodes(client);
  if (blocking) blockingClients.add(client);
  const ownLog = log.child({ redis: describeRedisUrl(url), connection: name });
  watchConnection(client, ownLog);
  beginAnew(client, ownLog);
  return client;
}

/**
 * ioredis gives a client up for good when what it asks before it dials throws: a Sentinel whose answer is nonsense is enough.
 * Whoever holds the client, BullMQ included, would get an error for each command from then on. So it is told to connect
 * again, for as long as nobody closed it.
 */
function beginAnew(client: RedisClient, log: Log): void {
  const disconnect = client.disconnect.bind(client);
  // With `reconnect` ioredis means to come back by itself.
  client.disconnect = (reconnect = false) => {
    if (!reconnect) closedClients.add(client);
    disconnect(reconnect);
  };
  let isTold = false;
  client.on("ready", () => {
    isTold = false;
  });
  client.on("end", () => {
    if (closedClients.has(client)) return;
    if (!isTold) log.error({}, "redis client gave up; it is begun anew until it connects");
    isTold = true;
    setTimeout(() => {
      if (closedClients.has(client) || client.status !== "end") return;
      client.connect().catch(() => {
        // Told as an error of the connection; it ends once more, and this begins anew.
      });
    }, ANEW_MS);
  });
}

/**
 * A Cluster that is cut or closed connects again, or ends, when its last node has ended. A redirection that is answered
 * meanwhile adds a node, which ioredis does not end: the client would wait for it for ever, and its commands with it.
 */
function endLateNodes(cluster: Cluster): void {
  cluster.on("+node", (node: Redis) => {
    if (cluster.status === "disconnecting") node.disconnect();
  });
}

/** Ends a connection for good: asks politely for what is in flight to finish, but only for a second. */
export async function closeRedis(client: RedisClient): Promise<void> {
  closedClients.add(client);
  if (client.status === "end") return;
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  // What blocks would be waited for in full, and what is not connected has nobody to ask.
  if (isBetweenAttempts(client)) {
    endBetweenAttempts(client);
  } else if (blockingClients.has(client) || client.status !== "ready") {
    client.disconnect();
  } else {
    const deadline = setTimeout(() => client.disconnect(), CLOSE_DEADLINE_MS);
    await client.quit().catch(() => client.disconnect());
    clearTimeout(deadline);
  }
  await ended;
}

function isBetweenAttempts(client: RedisClient): boolean {
  return client instanceof Cluster ? client.nodes().length === 0 : client.status === "reconnecting";
}

/**
 * ioredis does not end a client that is told to between two attempts to connect: no `end`, and the commands that wait
 * on it wait for ever. One more attempt, cut short as soon as it can be, ends both.
 */
function endBetweenAttempts(client: RedisClient): void {
  client.disconnect();
  client.connect().catch(() => {
    // Its failure is what is wanted here.
  });
  const cut = () => {
    if (client.status !== "end") client.disconnect();
  };
  // A Cluster ends when its last node does, so it must have got its nodes, all of them, before it is cut.
  if (client instanceof Cluster) client.once("+node", () => setImmediate(cut));
  else cut();
}

type Shared = ReturnType<typeof sharedOptions>;

function sharedOptions(target: RedisTarget, name: string, blocking: boolean) {
  return {
    replyMapping: "legacy" as const,
    connectionName: name,
    connectTimeout: SILENCE_MS,
    disconnectTimeout: CLOSE_DEADLINE_MS,
    socketTimeout: blocking ? MAX_BLOCK_MS + SILENCE_MS : SILENCE_MS,
    maxLoadingRetryTime: LOADING_RECHECK_MS,
    maxRetriesPerRequest: blocking ? null : MAX_ATTEMPTS_PER_COMMAND,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
  } satisfies RedisOptions;
}

function serverOptions(target: Exclude<RedisTarget, { kind: "cluster" }>): Omit<RedisOptions, keyof Shared> {
  if (target.kind === "single") {
    // A server that was demoted behind its address is left; the command fails, and runScript tries again.
    return {
      ...target.hosts[0],
      db: target.db,
      reconnectOnError: (error) => (isReadOnly(error) ? 1 : false),
    };
  }
  return {
    sentinels: target.hosts,
    name: target.masterName,
    db: target.db,
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    sentinelRetryStrategy: retryDelayMs,
    sentinelCommandTimeout: SILENCE_MS,
    // Sentinel is asked for the master again, whose role is checked: the command can be sent again without a loop.
    reconnectOnError: (error) => (isReadOnly(error) ? 2 : false),
  };
}

function clusterOptions(target: RedisTarget, shared: Shared) {
  return {
    redisOptions: shared,
    clusterRetryStrategy: retryDelayMs,
    // 40 × 200 ms outlast a master's failover; ioredis's own 16 × 100 ms were measured to lose calls in one.
    maxRedirections: 40,
    retryDelayOnFailover: 200,
    // Certificates are issued to names, so with TLS names must not be turned into addresses here.
    ...(target.tls ? { dnsLookup: keepName } : {}),
  } satisfies ClusterOptions;
}

const keepName: DNSLookupFunction = (hostname, callback) => callback(null, hostname);

function isReadOnly(error: Error): boolean {
  return error.message.startsWith("READONLY");
}
