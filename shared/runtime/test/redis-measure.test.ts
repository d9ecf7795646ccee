/** What a process measures of its connections to a real Redis. */
import { createHash } from "node:crypto";
import { createMetrics } from "@muster/runtime/metrics";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { measureRedis } from "@muster/runtime/redis/measure";
import { runScript, type Script } from "@muster/runtime/redis/script";
import { metricIn } from "@muster/test/kit/metric-line";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, expect, test } from "vitest";

function script(name: string, source: string): Script {
  return { name, source, keyCount: 1, sha: createHash("sha1").update(source).digest("hex") };
}
const good = script("good", "return redis.call('INCR', KEYS[1])");
const broken = script("broken", "return redis.error_reply('NOPE')");
const later = script(
  "later",
  "if redis.call('INCR', KEYS[1]) < 3 then return redis.error_reply('TRYAGAIN later') end return 'done'",
);

let redis: RedisServer;
let client: RedisClient;
let blocking: RedisClient;
const metrics = createMetrics({ service: "test" });
const metric = async (line: string) => metricIn(await metrics.render(), line);

beforeAll(async () => {
  redis = await startRedis();
  client = redis.client();
  blocking = redis.client();
  measureRedis(metrics, { commands: client, blocking: [blocking] });
  await waitUntil("the clients are ready", () => client.status === "ready" && blocking.status === "ready");
});
afterAll(() => redis?.stop());

test("a script is timed under its name, from the call to the reply", async () => {
  await runScript(client, good, ["muster:{a}:n"], []);
  await runScript(client, good, ["muster:{a}:n"], []);
  expect(await metric('ledger_script_duration_seconds_count{script="good"}')).toBe(2);
  expect(await metric('ledger_script_duration_seconds_sum{script="good"}')).toBeGreaterThan(0);
  expect(await metric('ledger_script_duration_seconds_bucket{le="1",script="good"}')).toBe(2);
  expect(await metric('redis_commands_total{command="evalsha"}')).toBe(2);
  expect(await metric('redis_commands_total{command="eval"}')).toBe(1);
});

test("one that is refused for now counts each refusal, and its time once", async () => {
  expect(await metric('ledger_script_failures_total{kind="transient"}')).toBe(0);
  await runScript(client, later, ["muster:{a}:tries"], []);
  expect(await metric('ledger_script_failures_total{kind="transient"}')).toBe(2);
  expect(await metric('ledger_script_duration_seconds_count{script="later"}')).toBe(1);
  // Two waits of 20 and 40 ms lie between.
  expect(await metric('ledger_script_duration_seconds_sum{script="later"}')).toBeGreaterThan(0.05);
});

test("one that fails is counted, and has no time", async () => {
  await expect(runScript(client, broken, ["muster:{a}:x"], [])).rejects.toThrow("NOPE");
  expect(await metric('ledger_script_failures_total{kind="failed"}')).toBe(1);
  expect(await metric('ledger_script_duration_seconds_count{script="broken"}')).toBeNaN();
});

test("a lost connection shows, and that it is back; each client counts once, however often it was tried", async () => {
  expect(await metric("redis_connected")).toBe(1);
  expect(await metric("redis_reconnects_total")).toBe(0);
  let tries = 0;
  for (const one of [client, blocking]) one.on("reconnecting", () => tries++);
  await redis.kill();
  await waitUntil("both were tried again, and more than once", () => tries >= 6);
  expect(await metric("redis_connected")).toBe(0);
  expect(await metric("redis_reconnects_total")).toBe(0);
  await redis.restart();
  await waitUntil("it is back", async () => (await metric("redis_connected")) === 1);
  await waitUntil("both are back", () => blocking.status === "ready");
  expect(await metric("redis_reconnects_total")).toBe(2);
});
