/** The gateway as the process that operators run: its settings, its signals. From the built files. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { documentedTable } from "@muster/runtime/config-doc";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { startService } from "@muster/test/kit/service-process";
import { connectWorker } from "@muster/test/kit/worker-client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { gatewaySchema, policyFrom } from "../src/config.js";
import { API_KEY, API_SECRET, agentToken } from "./gateway-kit.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const main = `${root}services/gateway/dist/main.js`;
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it("prints every problem of its configuration and exits with 2", () => {
  const { status, stderr } = spawnSync(process.execPath, [main, "--config", "/nowhere.yaml"], {
    env: { PATH: process.env.PATH, MUSTER_PORT: "http", MUSTER_OFFER_TIMEOUT_MS: "soon", MUSTER_PROT: "1" },
    encoding: "utf8",
  });
  expect(status).toBe(2);
  for (const named of [
    "MUSTER_PORT",
    "MUSTER_OFFER_TIMEOUT_MS",
    "MUSTER_PROT",
    "/nowhere.yaml",
    "MUSTER_REDIS_URL",
  ]) {
    expect(stderr).toContain(named);
  }
});

it("refuses times that cannot work together, and names both of each pair", () => {
  const given = { MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: "key: secret", MUSTER_PING_INTERVAL_MS: "20s" };
  const more = { MUSTER_SILENCE_MS: "10s", MUSTER_OFFER_TIMEOUT_MS: "15s", MUSTER_RETENTION_MS: "5s" };
  const { status, stderr } = spawnSync(process.execPath, [main], {
    env: { PATH: process.env.PATH, ...given, ...more },
    encoding: "utf8",
  });
  expect(status).toBe(2);
  expect(stderr).toMatch(/MUSTER_SILENCE_MS.*10000 ms is too short.*MUSTER_PING_INTERVAL_MS.*20000 ms/);
  expect(stderr).toMatch(
    /MUSTER_OFFER_TIMEOUT_MAX_MS.*10000 ms is too short.*MUSTER_OFFER_TIMEOUT_MS.*15000 ms/,
  );
  expect(stderr).toMatch(/MUSTER_RETENTION_MS.*5000 ms is too short.*MUSTER_GRACE_MS.*35000 ms/);
});

it("says what each setting means", () => {
  for (const row of documentedTable(gatewaySchema).split("\n").slice(2))
    expect(row).toMatch(/\| [A-Z].+\. \|$/);
  const { placement, registerTimeoutMs } = policyFrom(
    gatewaySchema.parse({ redisUrl: redis.url, keys: "k: s" }),
  );
  expect(placement).toEqual({ jobLoad: 0.05, maxLoad: 1, maxJobs: 0, labels: "" });
  expect(registerTimeoutMs).toBe(10_000);
});

it.each([
  ["zone=a, gpu=l4", "gpu=l4;region=eu;zone=a"],
  ["", "region=eu"],
  ["zone", undefined],
  ["zone=a=b", undefined],
  ["=a", undefined],
  ["a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1", undefined],
])("gives its workers its region and the labels %j", (workerLabels, expected) => {
  const given = { redisUrl: redis.url, keys: "k: s", region: "eu", workerLabels };
  const parsed = gatewaySchema.safeParse(given);
  expect(parsed.data && policyFrom(parsed.data).placement.labels).toBe(expected);
  if (expected === undefined) expect(parsed.error?.issues).toMatchObject([{ path: ["workerLabels"] }]);
});

it("serves a worker, and leaves on SIGTERM with its socket closed", async () => {
  const gateway = await startService("gateway", {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${API_KEY}: ${API_SECRET}`,
    MUSTER_DRAIN_MS: "0",
  });
  const worker = await connectWorker({ url: gateway.url, token: agentToken() });
  await worker.register({ agentName: "agent" });
  expect(await gateway.stop()).toBe(0);
  expect((await worker.closed()).code).toBe(1001);
  expect(gateway.output()).not.toContain(API_SECRET);
});
