/** The scaling signal with all of Muster as processes: from nothing to a worker; and the page that tells of it. */

import { EMPTY_POOL, NO_TERMS, neededOf } from "@muster/domain/scaling";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { signAccessToken } from "../shared/wire/src/access-token.js";
import { workerToken } from "./kit/access-tokens.js";
import { readPage, runPage } from "./kit/page-commands.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { type ServiceName, startService } from "./kit/service-process.js";
import { startWorker } from "./kit/simulated-worker.js";
import { waitUntil } from "./kit/wait-until.js";

/** Those of the page. */
const KEY = "devkey";
const SECRET = "secret";

let redis: RedisServer;
let url: string;
let socketUrl: string;
let metricsUrl: string;
const closing: (() => Promise<unknown>)[] = [];
const page = readPage("SCALING.md");

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  const env = { MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: `${KEY}: ${SECRET}`, MUSTER_DRAIN_MS: "0" };
  const start = async (name: ServiceName) => {
    const service = await startService(name, env);
    closing.push(() => service.stop());
    return service;
  };
  const [gateway, dispatcher, api] = await Promise.all([start("gateway"), start("dispatcher"), start("api")]);
  url = api.url;
  socketUrl = gateway.url.replace("http", "ws");
  metricsUrl = `${dispatcher.url}/metrics`;
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.flush();
});
afterAll(() => redis.stop());

async function call(method: string, path: string, body?: object): Promise<Record<string, number>> {
  const video = { roomAdmin: true, roomList: true };
  const token = signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000, video });
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(answer.ok, `${answer.status}`).toBe(true);
  return (await answer.json()) as Record<string, number>;
}

async function metric(line: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const found = text.split("\n").find((one) => one.startsWith(`muster_${line} `));
  return Number(found?.split(" ").at(-1) ?? Number.NaN);
}

it("from nothing: a job that waits needs a worker, in the answer and in the metrics, until it has one", async () => {
  expect(await call("GET", "/v1/scaling/support")).toMatchObject({ needed_workers: 0, queued: 0 });
  await call("POST", "/v1/orders", { room: "support", agent_name: "support" });
  expect(await call("GET", "/v1/scaling/support")).toMatchObject({ needed_workers: 1, queued: 1 });
  const metrics = () =>
    Promise.all(['agent_workers_needed{agent="support"}', 'agent_jobs_waiting{agent="support"}'].map(metric));
  const says = (expected: number[]) => async () => {
    expect(await metrics()).toEqual(expected);
    return true;
  };
  await waitUntil("the metrics say so", says([1, 1]), { deadlineMs: 20_000, everyMs: 100 });

  const worker = await startWorker({
    ...{ url: socketUrl, token: workerToken(KEY, SECRET), reports: true },
    register: { agentName: "support" },
  });
  closing.push(() => worker.close());
  worker.sample();
  await waitUntil("it works", () => worker.running.size === 1, { deadlineMs: 15_000 });
  const served = { needed_workers: 1, queued: 0, slots_used: 1, workers_available: 1 };
  expect(await call("GET", "/v1/scaling/support")).toMatchObject(served);
  await waitUntil("the metrics say so", says([1, 0]), { deadlineMs: 20_000, everyMs: 100 });
});

it("every command of docs/SCALING.md does what it is there for", async () => {
  const runs = await runPage(page, { MUSTER: url });
  expect(runs.length).toBe(1);
  for (const run of runs) expect(run).toMatchObject({ code: 0 });
});

it("the page's example and its ScaledObject name what an answer has, and the example is reckoned right", async () => {
  const [, path = ""] = /url: "http:\/\/[^/]+(\/v1\/scaling\/[^"]+)"/.exec(page) ?? [];
  const [, location = ""] = /valueLocation: "(\w+)"/.exec(page) ?? [];
  const answer = await call("GET", path);
  expect(typeof answer[location]).toBe("number");
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "{}") as Record<string, number>;
  expect(Object.keys(example).sort()).toEqual(Object.keys(answer).sort());
  const { slots_used: used = 0, slots_free: free = 0, queued = 0, workers_full: full = 0 } = example;
  const needed = neededOf({ ...EMPTY_POOL, used, free, queued, full }, { ...NO_TERMS, headroom: 0.2 });
  expect({ slots: example.needed_slots, workers: example.needed_workers }).toMatchObject({
    ...{ slots: needed.slots, workers: needed.workers },
  });
  expect(example.slots_per_worker).toBe(needed.slotsPerWorker);
});
