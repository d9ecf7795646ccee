/** What comes in is handled, once, in order of priority, on one server and on a Cluster. */
import { DispatchError } from "@muster/domain/errors";
import { LOWEST_PRIORITY, MAX_ENTRY_DATA_BYTES } from "@muster/runtime/queue/intake-entry";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshNamespace, recorder, testHub, testProducer, untilIdle } from "./queue-kit.js";

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()]);
});

const entry = (id: string, priority = 10) => ({ id, priority, data: { order: id } });

describe.each([
  ["one server", () => server.client()],
  ["a cluster of three", () => cluster.client()],
] as [string, () => RedisClient][])("intake on %s", (_where, connect) => {
  test("a thousand entries in fifty namespaces are handled once each", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const hub = testHub(redis);
    const namespaces = Array.from({ length: 50 }, freshNamespace);
    const handled: string[] = [];
    let mostRunning = 0;
    let wasIdle = false;
    const consumers = namespaces.map((namespace) => {
      let running = 0;
      const handler = async ({ id }: { id: string }) => {
        running += 1;
        mostRunning = Math.max(mostRunning, running);
        wasIdle ||= consumer.idle();
        // The handler of every actor asks Redis something.
        await redis.get(`muster:{${namespace}}:order:${id}`);
        handled.push(`${namespace}/${id}`);
        running -= 1;
      };
      const consumer = hub.open(namespace, handler, { concurrency: 4 });
      return consumer;
    });
    const expected: string[] = [];
    await Promise.all(
      Array.from({ length: 1_000 }, async (_, n) => {
        const namespace = namespaces[n % 50] as string;
        expected.push(`${namespace}/AD_${n}`);
        await producer.add(namespace, entry(`AD_${n}`));
        consumers[n % 50]?.wake(1);
      }),
    );
    await waitUntil("all are handled", () => handled.length >= 1_000, { deadlineMs: 10_000 });
    for (const consumer of consumers) await untilIdle(consumer);
    expect(handled.toSorted()).toEqual(expected.toSorted());
    expect(mostRunning).toBeLessThanOrEqual(4);
    expect(wasIdle, "idle while a handler ran").toBe(false);
    for (const consumer of consumers) expect(await consumer.waiting()).toBe(0);
    expect(await hub.deadLetters(namespaces[0] as string, 10)).toEqual([]);
  });

  test("two processes on one namespace share its entries", async () => {
    const producer = testProducer(connect());
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumers = [connect(), connect()].map((redis) =>
      testHub(redis).open(namespace, handler, { concurrency: 2 }),
    );
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        await producer.add(namespace, entry(`AD_${n}`));
        for (const consumer of consumers) consumer.wake(1);
      }),
    );
    await waitUntil("all are handled", () => handled.length >= 200);
    for (const consumer of consumers) await untilIdle(consumer);
    expect(new Set(handled.map(({ id }) => id)).size).toBe(200);
    expect(handled).toHaveLength(200);
  });

  test("what came in before the namespace was opened is found without a wake-up", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    for (let n = 0; n < 20; n++) await producer.add(namespace, entry(`AD_${n}`));
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(namespace, handler, { concurrency: 3 });
    await waitUntil("all are handled", () => handled.length === 20);
    await untilIdle(consumer);
    expect(handled[0]).toEqual({ id: "AD_0", data: { order: "AD_0" }, attempt: 1 });
  });

  test("lower priority numbers first, then the order of arrival", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    await producer.add(namespace, entry("AD_last", LOWEST_PRIORITY));
    for (const id of ["AD_b1", "AD_b2"]) await producer.add(namespace, entry(id, 10));
    for (const id of ["AD_a1", "AD_a2"]) await producer.add(namespace, entry(id, 1));
    const { handled, handler } = recorder();
    testHub(redis).open(namespace, handler, { concurrency: 1 });
    await waitUntil("all are handled", () => handled.length === 5);
    expect(handled.map(({ id }) => id)).toEqual(["AD_a1", "AD_a2", "AD_b1", "AD_b2", "AD_last"]);
  });

  test("an entry added again while it is in the queue or handled changes nothing", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    await producer.add(namespace, entry("AD_x"));
    await producer.add(namespace, { ...entry("AD_x"), data: { order: "another" } });
    let finish = () => {};
    const handled: unknown[] = [];
    const consumer = testHub(redis).open(
      namespace,
      ({ data }) => {
        handled.push(data);
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
      { concurrency: 2 },
    );
    await waitUntil("it is handled", () => handled.length === 1);
    expect(consumer.idle()).toBe(false);
    await producer.add(namespace, entry("AD_x"));
    consumer.wake(1);
    finish();
    await untilIdle(consumer);
    expect(handled).toEqual([{ order: "AD_x" }]);
    // Once it is done its id is free: that a finished order is not run twice is the ledger's business.
    await producer.add(namespace, entry("AD_x"));
    consumer.wake(1);
    await waitUntil("it is handled again", () => handled.length === 2);
    finish();
  });

  test("closing finishes what runs, fetches nothing more and leaves the rest for the next", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const hub = testHub(redis);
    const namespace = freshNamespace();
    for (let n = 0; n < 100; n++) await producer.add(namespace, entry(`AD_${n}`));
    const first = recorder();
    const consumer = hub.open(
      namespace,
      async (each) => {
        await redis.ping();
        await first.handler(each);
      },
      { concurrency: 4 },
    );
    await waitUntil("some are handled", () => first.handled.length >= 10, { everyMs: 0 });
    const from = performance.now();
    await consumer.close();
    const tookMs = performance.now() - from;
    const done = first.handled.length;
    expect(done).toBeLessThan(100);
    expect(tookMs).toBeLessThan(250);
    const next = recorder();
    const successor = hub.open(namespace, next.handler, { concurrency: 4 });
    expect(await successor.waiting()).toBeLessThanOrEqual(100 - done);
    await waitUntil("the rest is handled", () => next.handled.length >= 100 - done);
    await untilIdle(successor);
    const ids = [...first.handled, ...next.handled].map(({ id }) => id);
    expect(ids).toHaveLength(100);
    expect(new Set(ids).size).toBe(100);
  });

  test("a wake-up that comes while closing fetches nothing", async () => {
    const redis = connect();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const hub = testHub(redis);
    const { handled, handler } = recorder();
    const consumer = hub.open(namespace, handler, { concurrency: 2 });
    await untilIdle(consumer);
    await producer.add(namespace, entry("AD_x"));
    const closed = consumer.close();
    consumer.wake(1);
    await closed;
    expect(await consumer.waiting()).toBe(1);
    expect(handled).toEqual([]);
  });

  test("the producer forgets namespaces beyond its bound, and they work as before", async () => {
    const redis = connect();
    const producer = testProducer(redis, 2);
    const namespaces = Array.from({ length: 5 }, freshNamespace);
    for (const id of ["AD_1", "AD_2"]) {
      for (const namespace of namespaces) await producer.add(namespace, entry(id));
    }
    const hub = testHub(redis);
    for (const namespace of namespaces) {
      const { handled, handler } = recorder();
      hub.open(namespace, handler, { concurrency: 1 });
      await waitUntil("both are handled", () => handled.length === 2);
    }
  });

  test("all keys of a namespace carry its tag", async () => {
    const redis = connect();
    const namespace = freshNamespace();
    await testProducer(redis).add(namespace, entry("AD_x"));
    const kinds = ["AD_x", "events", "id", "marker", "meta", "pc", "prioritized"];
    const keys = kinds.map((kind) => `muster:{${namespace}}:queue:${kind}`);
    expect(await redis.exists(...keys)).toBe(keys.length);
    expect(await redis.zscore(`muster:{${namespace}}:queue:prioritized`, "AD_x")).not.toBeNull();
  });
});

test("an entry out of bounds is refused with the field that is at fault", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const namespace = freshNamespace();
  const add = async (changes: object) => {
    try {
      await producer.add(namespace, { ...entry("AD_x"), ...changes });
      return "added";
    } catch (error) {
      return error instanceof DispatchError ? `${error.code} ${error.field}` : error;
    }
  };
  for (const id of ["", "12", "wait", "meta", "AD_a:b", `AD_${"x".repeat(65)}`, "AD_"]) {
    expect(await add({ id }), id).toBe("invalid_argument id");
  }
  for (const priority of [0, -1, 1.5, Number.NaN, LOWEST_PRIORITY + 1]) {
    expect(await add({ priority }), String(priority)).toBe("invalid_argument priority");
  }
  expect(await add({ data: "x".repeat(MAX_ENTRY_DATA_BYTES) })).toBe("too_large data");
  expect(await redis.keys(`muster:{${namespace}}*`)).toEqual([]);
  expect(await add({ data: "x".repeat(MAX_ENTRY_DATA_BYTES - 2) })).toBe("added");
});

test("a namespace is opened once at a time", async () => {
  const hub = testHub(server.client());
  const namespace = freshNamespace();
  const consumer = hub.open(namespace, recorder().handler, { concurrency: 1 });
  expect(() => hub.open(namespace, recorder().handler, { concurrency: 1 })).toThrow("once at a time");
  const closed = consumer.close();
  hub.open(namespace, recorder().handler, { concurrency: 1 });
  await closed;
});
