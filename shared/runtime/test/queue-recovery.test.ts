/** What is lost on the way costs time and nothing else: processes, wake-ups, scripts, and Redis itself. */
import { systemClock } from "@muster/runtime/clock";
import { INTAKE_TIMING } from "@muster/runtime/queue/intake-consumer";
import { createIntakeHub } from "@muster/runtime/queue/intake-hub";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  countScripts,
  freshNamespace,
  keptLog,
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

const entry = (id: string) => ({ id, priority: 10, data: {} });

describe.each([
  ["one server", () => server],
  ["a cluster of three", () => cluster],
] as [string, () => RedisServer | RedisCluster][])("intake recovery on %s", (_where, redisOf) => {
  test("what a process held when it died is handled by another", async () => {
    const producer = testProducer(redisOf().client());
    const namespace = freshNamespace();
    await producer.add(namespace, entry("AD_held"));
    const dying = redisOf().client();
    const held = recorder();
    // Never closed: the dead close nothing.
    createIntakeHub({ redis: dying, log: keptLog().log, clock: systemClock, timing: SHORT }).open(
      namespace,
      (each) => {
        void held.handler(each);
        return new Promise(() => {});
      },
      { concurrency: 1 },
    );
    await waitUntil("it is held", () => held.handled.length === 1);
    const { log, lines } = keptLog();
    const { handled, handler } = recorder();
    const survivor = testHub(redisOf().client(), SHORT, log).open(namespace, handler, { concurrency: 1 });
    await untilIdle(survivor);
    dying.disconnect();
    await waitUntil("another handles it", () => handled.length === 1, { deadlineMs: 5_000 });
    expect(handled).toEqual([{ id: "AD_held", data: {}, attempt: 2 }]);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "warn", fields: { namespace, entry: "AD_held" } }),
    );
  });

  test("an entry is not taken from a handler that is slow but alive", async () => {
    const redis = redisOf().client();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    await producer.add(namespace, entry("AD_slow"));
    const first = recorder();
    let finish = () => {};
    const timing = { lockMs: 400, sweepMs: 100, pollMs: 200 };
    const consumer = testHub(redis, timing).open(
      namespace,
      (each) => {
        void first.handler(each);
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
      { concurrency: 1 },
    );
    await waitUntil("it is held", () => first.handled.length === 1);
    const second = recorder();
    testHub(redisOf().client(), timing).open(namespace, second.handler, { concurrency: 1 });
    const from = performance.now();
    await waitUntil("three times the lock has passed", () => performance.now() - from > 1_200, {
      invariant: () => expect(second.handled).toEqual([]),
    });
    finish();
    await untilIdle(consumer);
    expect(first.handled).toHaveLength(1);
  });

  test("an entry whose wake-up was lost is found by the poll", async () => {
    const redis = redisOf().client();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis, { ...INTAKE_TIMING, pollMs: 500 }).open(namespace, handler, {
      concurrency: 4,
    });
    await untilIdle(consumer);
    await producer.add(namespace, entry("AD_x"));
    await waitUntil("it is handled", () => handled.length === 1, { deadlineMs: 2_000 });
  });

  test("steady traffic does not put off the poll that finds an entry whose wake-up was lost", async () => {
    const redis = redisOf().client();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis, { ...INTAKE_TIMING, pollMs: 500 }).open(namespace, handler, {
      concurrency: 4,
    });
    await untilIdle(consumer);
    await producer.add(namespace, entry("AD_lost"));
    // Each wake-up fetches the entry before it, until an empty answer is due again.
    await waitUntil(
      "nothing is left behind",
      async () => {
        await producer.add(namespace, entry(`AD_${handled.length}`));
        consumer.wake(1);
        await untilIdle(consumer);
        return (await consumer.waiting()) === 0;
      },
      { deadlineMs: 3_000 },
    );
  });

  test("a wake-up without a count finds all there is", async () => {
    const redis = redisOf().client();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(namespace, handler, { concurrency: 2 });
    await untilIdle(consumer);
    for (let n = 0; n < 10; n++) await producer.add(namespace, entry(`AD_${n}`));
    consumer.wake();
    await waitUntil("all are handled", () => handled.length === 10);
  });

  test("scripts that Redis forgot are sent again", async () => {
    const redis = redisOf().client();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(namespace, handler, { concurrency: 2 });
    for (const id of ["AD_1", "AD_2"]) {
      await producer.add(namespace, entry(id));
      consumer.wake(1);
      await waitUntil(`${id} is handled`, () => handled.some((each) => each.id === id) && consumer.idle());
      await redis.script("FLUSH");
    }
    expect(handled).toHaveLength(2);
  });
});

test("an entry that waited for long says that wake-ups are being lost", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const namespace = freshNamespace();
  const { handled, handler } = recorder();
  const consumer = testHub(redis).open(namespace, handler, { concurrency: 1 });
  await untilIdle(consumer);
  for (const id of ["AD_1", "AD_2", "AD_3"]) await producer.add(namespace, entry(id));
  await redis.hset(`muster:{${namespace}}:queue:AD_1`, "timestamp", Date.now() - 2_000);
  consumer.wake(1);
  await waitUntil("all are handled", () => handled.length === 3);
});

test("after Redis was away, the intake goes on by itself with what it held", async () => {
  const restarted = await startRedis({ appendOnly: true });
  onTestFinished(() => restarted.stop());
  const redis = restarted.client();
  const producer = testProducer(redis);
  const hub = testHub(redis);
  const namespaces = Array.from({ length: 10 }, freshNamespace);
  const { handled, handler } = recorder();
  const consumers = namespaces.map((namespace) => hub.open(namespace, handler, { concurrency: 2 }));
  for (const consumer of consumers) await untilIdle(consumer);
  for (const namespace of namespaces) await producer.add(namespace, entry("AD_before"));
  await restarted.kill();
  // These wake-ups find nobody to ask; the questions wait for Redis, or are asked again.
  for (const consumer of consumers) consumer.wake(1);
  const during = producer.add(namespaces[0] as string, entry("AD_during"));
  await restarted.restart();
  await during;
  await waitUntil("all are handled", () => handled.length >= 11, { deadlineMs: 10_000 });
  for (const [index, namespace] of namespaces.entries()) {
    await producer.add(namespace, entry("AD_after"));
    consumers[index]?.wake(1);
  }
  await waitUntil("the next are handled", () => handled.length >= 21, { deadlineMs: 5_000 });
  for (const consumer of consumers) await untilIdle(consumer);
  expect(handled).toHaveLength(21);
});

test("what came in during an outage without a wake-up is found when Redis is back", async () => {
  const restarted = await startRedis({ appendOnly: true });
  onTestFinished(() => restarted.stop());
  const redis = restarted.client();
  const namespace = freshNamespace();
  const { handled, handler } = recorder();
  const consumer = testHub(redis).open(namespace, handler, { concurrency: 2 });
  await untilIdle(consumer);
  await testProducer(restarted.client()).add(namespace, entry("AD_x"));
  await restarted.restart();
  await waitUntil("it is handled", () => handled.length === 1, { deadlineMs: 5_000 });
});

test("a server that refuses is asked again, ever less often, and never in a loop", async () => {
  const own = await startRedis();
  onTestFinished(() => own.stop());
  const redis = own.client();
  const namespace = freshNamespace();
  const { handled, handler } = recorder();
  const producer = testProducer(redis);
  const consumer = testHub(redis).open(namespace, handler, { concurrency: 4 });
  await untilIdle(consumer);
  await producer.add(namespace, entry("AD_x"));
  // A script that writes is refused while a server lacks the replicas it was told to have.
  await redis.config("SET", "min-replicas-to-write", "1");
  const scripts = countScripts();
  const from = performance.now();
  consumer.wake(1);
  await waitUntil("a second has passed", () => performance.now() - from > 1_000);
  expect(scripts.counts.moveToActive).toBeGreaterThanOrEqual(2);
  expect(scripts.counts.moveToActive).toBeLessThanOrEqual(4);
  expect(handled).toEqual([]);
  await redis.config("SET", "min-replicas-to-write", "0");
  await waitUntil("it is handled", () => handled.length === 1, { deadlineMs: 5_000 });
});

test("closing does not wait for a handler for ever", { timeout: 15_000 }, async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const namespace = freshNamespace();
  await producer.add(namespace, entry("AD_x"));
  const { log, lines } = keptLog();
  const { handled, handler } = recorder();
  let finish = () => {};
  const consumer = testHub(redis, undefined, log).open(
    namespace,
    (each) => {
      void handler(each);
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
    { concurrency: 1 },
  );
  await waitUntil("it is held", () => handled.length === 1);
  const from = performance.now();
  await consumer.close();
  expect(performance.now() - from).toBeLessThan(6_000);
  expect(lines.map(({ level }) => level)).toContain("warn");
  finish();
  await waitUntil(
    "it is finished after all",
    async () => !(await redis.exists(`muster:{${namespace}}:queue:AD_x`)),
  );
});
