/** What a handler throws: tried again later, on time; or a dead letter. */
import { UnrecoverableIntakeError } from "@muster/runtime/queue/intake-entry";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { Queue } from "bullmq";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshNamespace, keptLog, recorder, SHORT, testHub, testProducer, untilIdle } from "./queue-kit.js";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const entry = (id: string) => ({ id, priority: 10, data: { order: id } });

test("what is thrown is tried again, after 125-250 ms and then twice that, less than 100 ms late", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const namespace = freshNamespace();
  const calls: { at: number; attempt: number }[] = [];
  const dues: number[] = [];
  const { log, lines } = keptLog();
  const hub = testHub(redis, undefined, log);
  const consumer = hub.open(
    namespace,
    async ({ attempt }) => {
      calls.push({ at: Date.now(), attempt });
      if (attempt < 4) throw new Error("not now");
    },
    { concurrency: 4 },
  );
  await untilIdle(consumer);
  await producer.add(namespace, entry("AD_x"));
  consumer.wake(1);
  for (const attempt of [1, 2, 3]) {
    const due = await waitUntil(
      "a due time is known",
      () => calls.length === attempt && consumer.nextDueAtMs(),
      {
        everyMs: 1,
      },
    );
    dues.push(due);
    // What is delayed does not keep a namespace from being put away: its due time says when to come back.
    expect(consumer.idle()).toBe(true);
    await waitUntil("it is tried again", () => calls.length > attempt, { everyMs: 1 });
  }
  await untilIdle(consumer);
  expect(consumer.nextDueAtMs()).toBeUndefined();
  expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  for (const [index, due] of dues.entries()) {
    const [failedAt, retriedAt] = [calls[index]?.at ?? 0, calls[index + 1]?.at ?? 0];
    const longest = 250 * 2 ** index;
    expect(due - failedAt).toBeGreaterThanOrEqual(longest / 2 - 1);
    expect(due - failedAt).toBeLessThanOrEqual(longest + 50);
    expect(retriedAt - due).toBeGreaterThanOrEqual(0);
    expect(retriedAt - due).toBeLessThan(100);
  }
  expect(lines.filter(({ level }) => level === "warn")).toHaveLength(3);
  expect(await hub.deadLetters(namespace, 10)).toEqual([]);
});

test("many that fail at once are each tried again when due, though none is woken", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const namespace = freshNamespace();
  const failedAt = new Map<string, number>();
  const waitedMs: number[] = [];
  let wasIdle = false;
  const ids = Array.from({ length: 40 }, (_, n) => `AD_${n}`);
  for (const id of ids) await producer.add(namespace, entry(id));
  const consumer = testHub(redis).open(
    namespace,
    async ({ id, attempt }) => {
      wasIdle ||= consumer.idle();
      if (attempt > 1) return void waitedMs.push(Date.now() - (failedAt.get(id) ?? 0));
      failedAt.set(id, Date.now());
      throw new Error("not now");
    },
    { concurrency: 8 },
  );
  await waitUntil("all are tried again", () => waitedMs.length === 40);
  await untilIdle(consumer);
  expect(wasIdle, "idle while a handler ran").toBe(false);
  expect(Math.max(...waitedMs)).toBeLessThan(350);
  expect(Math.min(...waitedMs)).toBeGreaterThanOrEqual(124);
});

test.each(["done", "thrown"])(
  "an entry that is %s brings no other that was not announced",
  async (outcome) => {
    const redis = server.client();
    const producer = testProducer(redis);
    const namespace = freshNamespace();
    const { handled, handler } = recorder();
    const consumer = testHub(redis).open(
      namespace,
      async (each) => {
        await handler(each);
        if (outcome === "thrown" && each.attempt === 1) throw new Error("not now");
      },
      { concurrency: 1 },
    );
    await untilIdle(consumer);
    for (const id of ["AD_1", "AD_2"]) await producer.add(namespace, entry(id));
    consumer.wake(1);
    await waitUntil("one is handled", () => handled.length > 0 && consumer.idle(), { everyMs: 1 });
    expect(handled.map(({ id }) => id)).toEqual(["AD_1"]);
    expect(await consumer.waiting()).toBe(1);
    consumer.wake(1);
    await waitUntil("the other is handled", () => handled.some(({ id }) => id === "AD_2"));
  },
);

test("a due time is learnt from the queue when the namespace is opened", async () => {
  const redis = server.client();
  const namespace = freshNamespace();
  const stock = new Queue("queue", { connection: redis, prefix: `muster:{${namespace}}` });
  const dueAtMs = Date.now() + 400;
  await stock.add("entry", {}, { jobId: "AD_later", delay: 400, priority: 1, timestamp: dueAtMs - 400 });
  const { handled, handler } = recorder();
  const consumer = testHub(redis).open(namespace, handler, { concurrency: 2 });
  expect(await waitUntil("the due time is known", () => consumer.nextDueAtMs())).toBe(dueAtMs);
  expect(consumer.idle()).toBe(true);
  await waitUntil("it is handled", () => handled.length === 1, { everyMs: 1 });
  expect(Date.now() - dueAtMs).toBeGreaterThanOrEqual(0);
  expect(Date.now() - dueAtMs).toBeLessThan(100);
  await stock.close();
});

test("an error that no retry can help makes a dead letter at once", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const hub = testHub(redis);
  const namespace = freshNamespace();
  const calls: string[] = [];
  const consumer = hub.open(
    namespace,
    async ({ id }) => {
      calls.push(id);
      if (id !== "AD_fine") throw new UnrecoverableIntakeError(`cannot read ${id}`);
    },
    { concurrency: 1 },
  );
  const startedAtMs = Date.now();
  for (const id of ["AD_bad1", "AD_fine", "AD_bad2"]) {
    await producer.add(namespace, entry(id));
    consumer.wake(1);
  }
  const letters = await waitUntil("two dead letters", async () => {
    const found = await hub.deadLetters(namespace, 10);
    return found.length === 2 && found;
  });
  await untilIdle(consumer);
  expect(calls.toSorted()).toEqual(["AD_bad1", "AD_bad2", "AD_fine"]);
  expect(letters.map(({ id, data, reason, attempts }) => ({ id, data, reason, attempts }))).toEqual(
    ["AD_bad2", "AD_bad1"].map((id) => ({
      id,
      data: { order: id },
      reason: `cannot read ${id}`,
      attempts: 1,
    })),
  );
  expect(letters[0]?.failedAtMs).toBeGreaterThanOrEqual(startedAtMs);
  expect((await hub.deadLetters(namespace, 1)).map(({ id }) => id)).toEqual(["AD_bad2"]);
  expect(await hub.deadLetters(namespace, 0)).toEqual([]);
});

test("an entry that fails ten times is a dead letter", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const { log, lines } = keptLog();
  const hub = testHub(redis, undefined, log);
  const namespace = freshNamespace();
  await producer.add(namespace, entry("AD_x"));
  // As if nine had failed already: its back-off would take two minutes.
  await redis.hset(`muster:{${namespace}}:queue:AD_x`, "atm", 9);
  const consumer = hub.open(namespace, () => Promise.reject(new Error("still not")), { concurrency: 1 });
  const letters = await waitUntil("a dead letter", async () => {
    const found = await hub.deadLetters(namespace, 10);
    return found.length > 0 && found;
  });
  expect(letters[0]).toMatchObject({ id: "AD_x", reason: "still not", attempts: 10 });
  await untilIdle(consumer);
  expect(lines.find(({ level }) => level === "error")).toMatchObject({
    fields: { namespace, entry: "AD_x" },
  });
});

test("the newest hundred dead letters are kept", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const hub = testHub(redis);
  const namespace = freshNamespace();
  for (let n = 0; n < 120; n++) await producer.add(namespace, entry(`AD_${n}`));
  const consumer = hub.open(
    namespace,
    ({ id }) => Promise.reject(new UnrecoverableIntakeError(`cannot read ${id}`)),
    { concurrency: 1 },
  );
  await waitUntil("all failed", async () => (await hub.deadLetters(namespace, 1))[0]?.id === "AD_119");
  await untilIdle(consumer);
  expect(await hub.deadLetters(namespace, 1_000)).toHaveLength(100);
});

test("an entry abandoned once too often is a dead letter", async () => {
  const redis = server.client();
  const producer = testProducer(redis);
  const hub = testHub(redis, SHORT);
  const namespace = freshNamespace();
  await producer.add(namespace, entry("AD_x"));
  // As if three processes had died of it, and now a fourth: handed out, its lock gone, its holder not heard of.
  const queue = `muster:{${namespace}}:queue`;
  await redis.zrem(`${queue}:prioritized`, "AD_x");
  await redis.lpush(`${queue}:active`, "AD_x");
  await redis.hset(`${queue}:AD_x`, "stc", 3);
  const { handled, handler } = recorder();
  hub.open(namespace, handler, { concurrency: 1 });
  const letters = await waitUntil("a dead letter", async () => {
    const found = await hub.deadLetters(namespace, 10);
    return found.length > 0 && found;
  });
  expect(letters[0]).toMatchObject({ id: "AD_x", reason: "job stalled more than allowable limit" });
  expect(handled).toEqual([]);
});
