/** What a trial must keep, each bound broken alone; and that traces of those who are not honest are found in a real Redis. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LineFigures } from "../../scripts/doors/honest/line.js";
import { Line } from "../../scripts/doors/honest/line.js";
import { keysIn, kindOf, tracesIn } from "../../scripts/doors/traces.js";
import type { Trial } from "../../scripts/doors/trial.js";
import { problemsOf } from "../../scripts/doors/verdict.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";

const FLOOR_MS = 100;
const line: LineFigures = {
  ...{ asked: 50, served: 50, refused: 0, lost: 0, p50Ms: 5, p99Ms: 50, refusal: "" },
};
const traffic = { orders: line, livekit: line, streams: line, cut: 0 };
const sound: Trial = {
  ...{ name: "trial", before: traffic, during: traffic, findings: { figures: {}, broken: [] } },
  ...{ peaks: { gateway: 100, dispatcher: 100, api: 100 }, loggedKiBPerS: 1, keys: 10 },
  ...{ fallen: [], bugs: [], traces: [] },
};
const withOrders = (change: Partial<LineFigures>): Trial => ({
  ...sound,
  during: { ...traffic, orders: { ...line, ...change } },
});

test("a trial that changed nothing holds", () => {
  expect(problemsOf(sound, FLOOR_MS)).toEqual([]);
});

test.each<[string, Trial]>([
  ["an order that was lost", withOrders({ lost: 1 })],
  ["an order that was refused", withOrders({ refused: 1, refusal: "429" })],
  ["nobody served", withOrders({ served: 0 })],
  ["a p99 above five times that of before", withOrders({ p99Ms: 251 })],
  ["a stream that was refused", { ...sound, during: { ...traffic, streams: { ...line, refused: 1 } } }],
  [
    "a call of LiveKit's that was slow",
    { ...sound, during: { ...traffic, livekit: { ...line, p99Ms: 251 } } },
  ],
  ["an honest socket that was cut", { ...sound, during: { ...traffic, cut: 1 } }],
  ["a process that fell", { ...sound, fallen: ["api killed at 513 MiB"] }],
  ["an error in a log", { ...sound, bugs: ["{}"] }],
  ["a key that is not honest", { ...sound, traces: ["muster:{default}:order:AD_evil"] }],
  ["a log that grows", { ...sound, loggedKiBPerS: 65 }],
  ["a bound of the attack's own", { ...sound, findings: { figures: {}, broken: ["opened"] } }],
])("%s is told", (_, trial) => {
  expect(problemsOf(trial, FLOOR_MS)).toHaveLength(1);
});

test("what is slower, and still quick, is not told", () => {
  expect(problemsOf(withOrders({ p99Ms: 250 }), FLOOR_MS)).toEqual([]);
  expect(problemsOf(withOrders({ p99Ms: 251 }), 300)).toEqual([]);
});

test("a line tells what was served, refused and lost apart", async () => {
  const orders = new Line();
  for (const name of ["served", "lost"]) await orders.try(name, async () => {});
  await orders.try("refused", async () => {
    throw new Error("429");
  });
  orders.served("served");
  orders.done("served");
  // What nobody asked for is nobody's.
  orders.done("other");
  expect(orders.figures()).toMatchObject({ asked: 3, served: 1, refused: 1, lost: 1, refusal: "429" });
});

describe("keys in Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());

  test("are not honest by their kind, their name, or what they hold", async () => {
    const redis = server.client();
    await redis.hset("muster:{default}:job:AJ_a", { room: "honest-1" });
    const kinds = new Set((await keysIn(redis)).map(kindOf));
    await redis.hset("muster:{default}:job:AJ_b", { room: "honest-2" });
    expect(await tracesIn(redis, kinds)).toEqual([]);
    await redis.hset("muster:{default}:job:AJ_c", { room: "evil-room" });
    await redis.set("muster:{default}:other", "1");
    await redis.zadd("muster:{default}:job:AJ_evil", 1, "x");
    expect((await tracesIn(redis, kinds)).sort()).toEqual([
      "muster:{default}:job:AJ_c",
      "muster:{default}:job:AJ_evil",
      "muster:{default}:other",
    ]);
  });
});
