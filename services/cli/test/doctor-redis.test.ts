/** What the doctor says of a Redis: one misconfiguration planted at a time, and nothing else is found. */
import { type Clock, systemClock } from "@muster/runtime/clock";
import { createLog } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { startFlakyProxy } from "@muster/test/kit/flaky-proxy";
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Verdict } from "../src/doctor/finding.js";
import { RedisAccess } from "../src/doctor/redis-access.js";
import { diagnose, verdicts } from "./doctor-kit.js";

const ONLY = ["redis", "clock", "due-namespaces", "worker-types"];
/** How fast Redis answers is the machine's matter here, but where it is made slow. */
const SKIP = ["redis-latency"];
const silent = createLog({ level: "silent", service: "test" });
const MEBIBYTE = 1024 ** 2;

let redis: RedisServer;
let client: RedisClient;
const env = () => ({ MUSTER_REDIS_URL: redis.url });

beforeAll(async () => {
  redis = await startRedis({ appendOnly: true });
  client = redis.client();
});
afterAll(() => redis.stop());

const impatient = (url: string) => new RedisAccess({ url, log: silent, patienceMs: 500 });

/** Sets, and sets back afterwards. */
async function configure(settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    const [, before = ""] = (await client.config("GET", name)) as string[];
    await client.config("SET", name, value);
    onTestFinished(() => void client.config("SET", name, before));
  }
}

async function usedMemory(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
}

test("a good one: nothing is found, and what is not there is skipped", async () => {
  const found = await diagnose(env(), { only: ONLY, skip: SKIP });
  expect(verdicts(found)).toEqual({
    ...{ "redis-reach": "ok", "redis-eviction": "ok", "redis-persistence": "ok" },
    ...{ "redis-memory": "ok", "redis-connections": "ok", "redis-cluster": "skipped" },
    ...{ "redis-sentinel": "skipped", "redis-rights": "ok", clock: "ok", "due-namespaces": "ok" },
    "worker-types": "ok",
  });
});

const PLANTED: [string, () => Promise<void>, Record<string, Verdict>, RegExp][] = [
  [
    "a policy that deletes, with a bound",
    () => configure({ maxmemory: "1gb", "maxmemory-policy": "allkeys-lru" }),
    { "redis-eviction": "fail" },
    /deletes keys by allkeys-lru once it holds 1\.0 GiB\n.*fix: CONFIG SET maxmemory-policy noeviction/,
  ],
  [
    "a policy that deletes, without one",
    () => configure({ "maxmemory-policy": "volatile-ttl" }),
    { "redis-eviction": "warn" },
    /has volatile-ttl, which deletes jobs as soon as a maxmemory is set/,
  ],
  [
    "neither file nor snapshots",
    () => configure({ appendonly: "no" }),
    { "redis-persistence": "fail" },
    /keeps nothing: .* is lost\b.*\n.*fix: CONFIG SET appendonly yes/,
  ],
  [
    "snapshots alone",
    () => configure({ appendonly: "no", save: "3600 1" }),
    { "redis-persistence": "warn" },
    /only makes snapshots \(save 3600 1\)/,
  ],
  [
    "a file that the system writes when it likes",
    () => configure({ appendfsync: "no" }),
    { "redis-persistence": "warn" },
    /fix: CONFIG SET appendfsync everysec/,
  ],
  [
    "little memory left",
    async () => configure({ maxmemory: String(Math.ceil((await usedMemory()) * 1.15)) }),
    { "redis-memory": "warn" },
    /uses [\d.]+ MiB, 8\d\.\d % of its maxmemory/,
  ],
  [
    "idle connections that are ended",
    () => configure({ timeout: "30" }),
    { "redis-connections": "warn" },
    /idle for 30 s.*\n.*fix: CONFIG SET timeout 0/,
  ],
  [
    "answers that are cut off",
    () => configure({ "client-output-buffer-limit": `normal ${MEBIBYTE} 0 0` }),
    { "redis-connections": "warn" },
    /ends a connection once 1048576 bytes/,
  ],
  [
    "a namespace that nobody hosts",
    async () => {
      await client.zadd("muster:{index:3}:due", Date.now() - 90_000, "default");
      onTestFinished(() => void client.del("muster:{index:3}:due"));
    },
    { "due-namespaces": "warn" },
    /default should have been looked at 90 s ago/,
  ],
];

test.each(PLANTED)("%s", async (_, plant, expected, says) => {
  await plant();
  const found = await diagnose(env(), { only: ONLY, skip: SKIP });
  expect(found.troubles).toEqual(expected);
  expect(found.said(Object.keys(expected)[0] ?? "")).toMatch(says);
});

test("a full one that takes no writes", async () => {
  await configure({ maxmemory: "1mb" });
  const found = await diagnose(env(), { only: ["redis-reach", "redis-memory"] });
  expect(found.troubles).toEqual({ "redis-reach": "fail", "redis-memory": "fail" });
  expect(found.said("redis-reach")).toMatch(/it takes no writes: OOM.*\n.*fix: raise maxmemory/);
});

test("a replica, with where its master is", async () => {
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(redis.port)] });
  onTestFinished(() => replica.stop());
  const found = await diagnose({ MUSTER_REDIS_URL: replica.url }, { only: ["redis-reach"] });
  expect(found.said("redis-reach")).toMatch(
    new RegExp(
      `is a replica of 127.0.0.1:${redis.port}[\\s\\S]*fix: MUSTER_REDIS_URL=redis://127.0.0.1:${redis.port}`,
    ),
  );
  expect(found.said("redis-reach")).toMatch(/it takes no writes: READONLY/);
});

test("one that is slow to answer", async () => {
  const proxy = await startFlakyProxy({ target: { host: "127.0.0.1", port: redis.port } });
  onTestFinished(() => proxy.stop());
  proxy.delay(8);
  const slow = { MUSTER_REDIS_URL: proxy.url };
  const found = await diagnose(slow, { only: ["redis-latency"] });
  expect(found.troubles).toEqual({ "redis-latency": "warn" });
  expect(found.said("redis-latency")).toMatch(/p99 \d+\.\d+ ms .*\n.*fix: run Redis in the same zone/);
});

describe("one that cannot be used", () => {
  test("nobody is there: said once, and what needs it is skipped", async () => {
    const nowhere = { MUSTER_REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
    const found = await diagnose(nowhere, { only: ONLY, skip: SKIP });
    expect(found.troubles).toEqual({ "redis-reach": "fail" });
    expect(found.said("redis-reach")).toMatch(/cannot be used: connect ECONNREFUSED/);
    expect(found.said("redis-rights")).toContain("redis-reach says why");
  });

  test("one that is frozen is given up in time", async () => {
    redis.freeze();
    onTestFinished(() => redis.thaw());
    const found = await diagnose(env(), { only: ONLY, skip: SKIP, given: { redis: impatient(redis.url) } });
    expect(found.troubles).toEqual({ "redis-reach": "fail" });
    expect(found.said("redis-reach")).toContain("no answer within 500 ms");
  });

  test.each([
    ["without the password", "redis://127.0.0.1", /NOAUTH/],
    ["with a wrong one", "redis://:not-the-password@127.0.0.1", /WRONGPASS|invalid/],
  ])("%s", async (_, url, says) => {
    const closed = await startRedis({ args: ["--requirepass", "the-password-of-redis"] });
    onTestFinished(() => closed.stop());
    const found = await diagnose({ MUSTER_REDIS_URL: `${url}:${closed.port}` }, { only: ONLY, skip: SKIP });
    expect(found.troubles).toEqual({ "redis-reach": "fail" });
    expect(found.said("redis-reach")).toMatch(says);
    expect(found.said("redis-reach")).toContain("fix: give user and password");
    expect(JSON.stringify(found.all)).not.toMatch(/not-the-password|the-password-of-redis/);
  });

  test("TLS where there is none", async () => {
    const url = redis.url.replace("redis:", "rediss:");
    const found = await diagnose(
      { MUSTER_REDIS_URL: url },
      { only: ONLY, skip: SKIP, given: { redis: impatient(url) } },
    );
    expect(found.troubles).toEqual({ "redis-reach": "fail" });
    expect(found.said("redis-reach")).toContain("fix: rediss:// is for a Redis that speaks TLS");
  });
});

test.each([
  ["ahead", -2_500, "warn", /Redis is 2\.[45] s behind this machine/],
  ["behind", 7_000, "fail", /Redis is (6\.9|7\.0) s ahead of this machine/],
] as const)("a clock of this machine that is %s", async (_, offMs, verdict, says) => {
  const clock: Clock = { now: () => systemClock.now() - offMs, setTimer: systemClock.setTimer };
  const found = await diagnose(env(), { only: ONLY, skip: SKIP, given: { clock } });
  expect(found.troubles).toEqual({ clock: verdict });
  expect(found.said("clock")).toMatch(says);
});
