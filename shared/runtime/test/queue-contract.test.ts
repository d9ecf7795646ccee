/**
 * What the intake takes for granted about BullMQ beyond its documented use. When a new version fails here, read its
 * worker.js and redis-queue-backend.js before the pin is moved: hub-backend.ts stands on them.
 */
import { createRequire } from "node:module";
import { HubBackend } from "@muster/runtime/queue/hub-backend";
import { shareConnection } from "@muster/runtime/queue/shared-connection";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { Queue, QueueKeys, RedisConnection, RedisQueueBackend, Worker } from "bullmq";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshNamespace, keptLog } from "./queue-kit.js";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

test("the version is the one that was read", () => {
  expect(createRequire(import.meta.url)("bullmq/package.json").version).toBe("6.7.0");
});

test("constructors take what we give them", () => {
  expect(Worker).toHaveLength(4);
  expect(Queue).toHaveLength(3);
  expect(RedisQueueBackend).toHaveLength(6);
  expect(RedisConnection).toHaveLength(2);
  expect(new QueueKeys("muster:{ns}").toKey("queue", "wait")).toBe("muster:{ns}:queue:wait");
});

test.each([
  ["moveToActive", 2],
  ["moveToCompleted", 5],
  ["moveToFailed", 6],
  ["moveToDelayed", 3],
  ["moveStalledJobsToWait", 0],
  ["waitForJob", 1],
  ["disconnectBlocking", 0],
  ["getCounts", 2],
  ["setQueueMeta", 1],
] as const)("the backend has %s with %i parameters, called by the Worker", (name, parameters) => {
  const method = RedisQueueBackend.prototype[name];
  expect(method).toBeTypeOf("function");
  expect(method).toHaveLength(parameters);
});

test("all that the hub overrides exists in what it extends", () => {
  const own = Object.getOwnPropertyNames(HubBackend.prototype);
  const overridden = own.filter(
    (name) => !["constructor", "wake", "lookAgain", "isIdle", "nextDueAtMs"].includes(name),
  );
  expect(overridden.toSorted()).toEqual([
    "disconnectBlocking",
    "moveStalledJobsToWait",
    "moveToActive",
    "moveToCompleted",
    "moveToDelayed",
    "moveToFailed",
    "waitForJob",
  ]);
  for (const name of overridden) expect(Object.hasOwn(RedisQueueBackend.prototype, name), name).toBe(true);
});

test("replies have the shape that the hub reads", async () => {
  const redis = server.client();
  const connection = shareConnection(redis, keptLog().log);
  const namespace = freshNamespace();
  const prefix = `muster:{${namespace}}`;
  const keys = new QueueKeys(prefix);
  const queue = new Queue("queue", { connection: {}, prefix, skipMetasUpdate: true }, (name, options) => {
    return new RedisQueueBackend(
      connection,
      name,
      keys.getKeys(name),
      (type) => keys.toKey(name, type),
      { ...options, lockDuration: 10_000, maxStalledCount: 3, stalledInterval: 8_000 } as typeof options,
      undefined,
      false,
    );
  });
  const backend = queue.getBackend();
  expect(await backend.moveToActive("t")).toEqual([null, 0, 0, 0]);

  const dueAtMs = Date.now() + 60_000;
  await queue.add(
    "entry",
    { n: 1 },
    { jobId: "AD_later", delay: 60_000, timestamp: dueAtMs - 60_000, priority: 1 },
  );
  expect(await backend.moveToActive("t")).toEqual([null, 0, 0, dueAtMs]);

  const [one, two, three] = await Promise.all(
    ["AD_1", "AD_2", "AD_3"].map((id) =>
      queue.add("entry", {}, { jobId: id, priority: 1, removeOnComplete: true }),
    ),
  );
  if (one === undefined || two === undefined || three === undefined) throw new Error("not added");
  expect(await backend.moveToActive("t")).toEqual([
    expect.objectContaining({ timestamp: one.timestamp, attemptsStarted: 1 }),
    "AD_1",
    0,
    0,
  ]);
  const next = await backend.moveToCompleted(one, undefined, true, "t", true);
  expect(next.result).toEqual([expect.objectContaining({ timestamp: two.timestamp }), "AD_2", 0, 0]);
  const unasked = await backend.moveToCompleted(two, undefined, true, "t", false);
  expect(unasked.result).toEqual([]);
  await backend.moveToActive("t");
  const none = await backend.moveToCompleted(three, undefined, true, "t", true);
  expect(none.result).toEqual([null, 0, 0, dueAtMs]);
  expect(await backend.moveStalledJobsToWait()).toEqual([]);
  await connection.close();
});

test("a shared connection opens nothing, asks nothing and closes nothing", async () => {
  const redis = server.client();
  await redis.ping();
  const control = server.client();
  const clients = async () =>
    String(await control.client("LIST"))
      .trim()
      .split("\n").length;
  const before = await clients();
  const commands = countCommands(redis);
  const listeners = () => redis.eventNames().reduce((sum, name) => sum + redis.listenerCount(name), 0);
  const listening = listeners();
  const connection = shareConnection(redis, keptLog().log);
  await connection.client;
  await connection.close();
  expect(commands.total()).toBe(0);
  expect(await clients()).toBe(before);
  expect(listeners()).toBe(listening);
  expect(await redis.ping()).toBe("PONG");
});
