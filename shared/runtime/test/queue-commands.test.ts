/** What the intake costs in Redis commands, on one server and on a Cluster. Counted at the client and by script. */
import { countCommands } from "@muster/runtime/redis/command-count";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  countScripts,
  freshNamespace,
  recorder,
  SHORT,
  testHub,
  testProducer,
  untilIdle,
} from "./queue-kit.js";

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()]);
});

describe.each([
  ["one server", () => server.client()],
  ["a cluster of three", () => cluster.client()],
] as [string, () => RedisClient][])("intake commands on %s", (where, connect) => {
  const report = (what: string, perEntry: number, scripts: Record<string, number>) =>
    process.stdout.write(
      `${where}: ${what}: ${perEntry.toFixed(3)} commands an entry ${JSON.stringify(scripts)}\n`,
    );

  test("adding costs one command, and one more at a namespace's first entry", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    await producer.add(freshNamespace(), { id: "AD_other", priority: 1, data: {} });
    // The scripts are known to each node only after their first use there.
    await producer.add(namespace, { id: "AD_first", priority: 1, data: {} });
    expect(await redis.hget(`muster:{${namespace}}:queue:meta`, "opts.maxLenEvents")).toBe("100");
    const commands = countCommands(redis);
    for (let n = 0; n < 100; n++) await producer.add(namespace, { id: `AD_${n}`, priority: 5, data: { n } });
    report("add", commands.total() / 100, commands.byName());
    expect(commands.byName()).toEqual({ evalsha: 100 });

    commands.reset();
    const second = freshNamespace();
    await producer.add(second, { id: "AD_first", priority: 1, data: {} });
    expect(commands.byName().hset).toBe(1);
  });

  test.each([1, 8])("slow and steady, an entry costs two commands at concurrency %i", async (concurrency) => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(namespace, handler, { concurrency });
    const dispatch = async (id: string) => {
      const already = handled.length;
      await producer.add(namespace, { id, priority: 1, data: {} });
      consumer.wake(1);
      await waitUntil(`${id} is handled`, () => handled.length > already && consumer.idle(), { everyMs: 1 });
    };
    await dispatch("AD_warm");
    const scripts = countScripts();
    const commands = countCommands(redis);
    for (let n = 0; n < 50; n++) await dispatch(`AD_${n}`);
    report(`slow, concurrency ${concurrency}`, (commands.total() - 50) / 50, scripts.counts);
    expect(scripts.counts).toEqual({ addPrioritizedJob: 50, moveToActive: 50, moveToFinished: 50 });
    expect(commands.byName()).toEqual({ evalsha: 150 });
  });

  test("under load an entry costs one command", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(namespace, handler, { concurrency: 8 });
    await producer.add(namespace, { id: "AD_warm", priority: 1, data: {} });
    consumer.wake(1);
    await waitUntil("it is warm", () => handled.length === 1 && consumer.idle());
    const ids = Array.from({ length: 500 }, (_, n) => `AD_${n}`);
    await Promise.all(ids.map((id) => producer.add(namespace, { id, priority: 1, data: {} })));
    const scripts = countScripts();
    const commands = countCommands(redis);
    consumer.wake(ids.length);
    await waitUntil("all are handled", () => handled.length === 501 && consumer.idle(), {
      deadlineMs: 10_000,
    });
    report("under load, concurrency 8", commands.total() / ids.length, scripts.counts);
    expect(commands.total()).toBe(ids.length + 8);
  });

  test("entries that come in while others are handled cost two at most", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(namespace, handler, { concurrency: 8 });
    await untilIdle(consumer);
    const scripts = countScripts();
    const commands = countCommands(redis);
    await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        await producer.add(namespace, { id: `AD_${n}`, priority: 1, data: {} });
        consumer.wake(1);
      }),
    );
    await waitUntil("all are handled", () => handled.length === 500 && consumer.idle(), {
      deadlineMs: 10_000,
    });
    report("500 at once, each with its wake-up", (commands.total() - 501) / 500, scripts.counts);
    expect((scripts.counts.moveToActive ?? 0) + (scripts.counts.moveToFinished ?? 0)).toBeLessThanOrEqual(
      1_000,
    );
  });

  test("an open namespace without work costs nothing for seconds on end", async () => {
    const redis = connect();
    const hub = testHub(redis);
    const consumers = Array.from({ length: 50 }, () =>
      hub.open(freshNamespace(), recorder().handler, { concurrency: 4 }),
    );
    for (const consumer of consumers) await untilIdle(consumer);
    const commands = countCommands(redis);
    const from = performance.now();
    await waitUntil("three seconds have passed", () => performance.now() - from >= 3_000, {
      everyMs: 100,
      invariant: () => expect(commands.byName()).toEqual({}),
    });
  });

  test("abandoned entries are looked for only while there can be one", async () => {
    const redis = connect();
    const consumer = testHub(redis, SHORT).open(freshNamespace(), recorder().handler, { concurrency: 4 });
    const scripts = countScripts();
    await waitUntil("it has looked often", () => (scripts.counts.moveStalledJobsToWait ?? 0) >= 3);
    await untilIdle(consumer);
    let seen = { at: performance.now(), sweeps: scripts.counts.moveStalledJobsToWait };
    await waitUntil("no look for one second, five times the interval", () => {
      const sweeps = scripts.counts.moveStalledJobsToWait;
      if (sweeps !== seen.sweeps) seen = { at: performance.now(), sweeps };
      return performance.now() - seen.at >= 1_000;
    });
  });
});

test("a thousand open namespaces share the one connection", async () => {
  const control = server.client();
  const redis = server.client();
  await redis.ping();
  const clients = async () =>
    String(await control.client("LIST"))
      .trim()
      .split("\n").length;
  const before = await clients();
  const hub = testHub(redis);
  const consumers = Array.from({ length: 1_000 }, () =>
    hub.open(freshNamespace(), recorder().handler, { concurrency: 4 }),
  );
  for (const consumer of consumers) await untilIdle(consumer);
  expect(await clients()).toBe(before);
});

test("a thousand open namespaces share the one connection to each node", async () => {
  const controls = cluster.nodes.map((node) => node.client());
  const redis = cluster.client();
  const producer = testProducer(redis);
  const hub = testHub(redis);
  const clients = async () => {
    const lists = await Promise.all(controls.map(async (control) => String(await control.client("LIST"))));
    return lists.join("").trim().split("\n").length;
  };
  const open = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const namespace = freshNamespace();
      const { handled, handler } = recorder();
      const consumer = hub.open(namespace, handler, { concurrency: 4 });
      await producer.add(namespace, { id: "AD_one", priority: 1, data: {} });
      consumer.wake(1);
      await waitUntil("it is handled", () => handled.length === 1, { everyMs: 1 });
    }
  };
  await open(20);
  const before = await clients();
  await open(980);
  expect(await clients()).toBe(before);
});
