/**
 * Owns how BullMQ is put on a Redis connection of ours: one wrapper for all queues of a process, which opens nothing,
 * closes nothing and asks the server nothing. Never hand BullMQ the client itself: it would duplicate it per Worker.
 */
import { type ConnectionOptions, Queue, RedisConnection, RedisQueueBackend } from "bullmq";
import type { Log } from "../log.js";
import type { RedisClient } from "../redis/connect.js";
import { intakeKeys, intakePrefix, QUEUE_NAME } from "./intake-keys.js";

export type IntakeQueue = Queue<unknown, void, string>;

export function shareConnection(redis: RedisClient, log: Log): RedisConnection {
  const connection = new RedisConnection(redis as unknown as ConnectionOptions, {
    shared: true,
    blocking: false,
    // The check is an INFO and a console.warn; what Redis we need is looked at once, where it is connected.
    skipVersionCheck: true,
  });
  // An emitter whose errors nobody hears throws them. They are the client's own, logged by who made it.
  connection.on("error", (error: Error) =>
    log.debug({ error: error.message }, "redis error seen by the intake"),
  );
  return connection;
}

/**
 * Calls `run` whenever the connection, or one to a node of a Cluster, is back: we may have missed something. Not when it
 * is there for the first time. Returns what ends it.
 */
export function onReconnect(redis: RedisClient, run: () => void): () => void {
  let wasReady = redis.status === "ready";
  const onReady = () => {
    if (wasReady) run();
    wasReady = true;
  };
  const onNode = () => {
    if (wasReady) run();
  };
  redis.on("ready", onReady);
  redis.on("+node", onNode);
  return () => {
    redis.off("ready", onReady);
    redis.off("+node", onNode);
  };
}

/** A namespace's queue as its producer sees it. It holds nothing, so it needs no closing. */
export function openQueue(connection: RedisConnection, namespace: string): IntakeQueue {
  const { keys, toKey } = intakeKeys(namespace);
  return new Queue<unknown, void, string>(
    QUEUE_NAME,
    // The backend brings its connection; BullMQ only wants to see that one was thought of.
    { connection: {}, prefix: intakePrefix(namespace), skipMetasUpdate: true },
    (name, options) => new RedisQueueBackend(connection, name, keys, toKey, options, undefined, false),
  );
}
