/** Drains with all of Muster as processes and workers on sockets: who is drained gets nothing, until it is undone. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { signAccessToken } from "../shared/wire/src/access-token.js";
import { workerToken } from "./kit/access-tokens.js";
import { readPage, runPage } from "./kit/page-commands.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { type ServiceName, startService } from "./kit/service-process.js";
import { type SimulatedWorker, startWorker } from "./kit/simulated-worker.js";
import { waitUntil } from "./kit/wait-until.js";

/** Those of the page. */
const KEY = "devkey";
const SECRET = "secret";
/** From the answer to the undoing call until the job that waited is with its worker. */
const BACK_AT_WORK_MS = 1_000;

let redis: RedisServer;
let url: string;
let socketUrl: string;
const closing: (() => Promise<unknown>)[] = [];

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
  const [gateway, , api] = await Promise.all([start("gateway"), start("dispatcher"), start("api")]);
  url = api.url;
  socketUrl = gateway.url.replace("http", "ws");
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.flush();
});
afterAll(() => redis.stop());

interface Answer {
  id: string;
  jobs: { id: string }[];
  state: string;
  done: boolean;
}

async function call(method: string, path: string, body?: object): Promise<Answer> {
  const video = { roomAdmin: true, roomList: true };
  const token = signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000, video });
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json = (await answer.json()) as Answer;
  expect({ ok: answer.ok, json }).toMatchObject({ ok: true });
  return json;
}

async function work(deployment: string): Promise<SimulatedWorker> {
  const worker = await startWorker({
    ...{ url: socketUrl, token: workerToken(KEY, SECRET), reports: true, sampleEveryMs: 500 },
    register: { agentName: "agent", deployment },
  });
  closing.push(() => worker.close());
  worker.sample();
  return worker;
}

async function order(room: string, deployment = "") {
  const made = await call("POST", "/v1/orders", { room, agent_name: "agent", deployment });
  const id = made.jobs[0]?.id ?? "";
  return { id, state: async () => (await call("GET", `/v1/jobs/${id}`)).state };
}

it("a drained worker finishes what it has and gets nothing; undone, it has the waiting job within a second", async () => {
  const worker = await work("");
  const first = await order("first");
  await waitUntil("the first runs", () => worker.running.has(first.id), { deadlineMs: 15_000 });
  const drain = await call("POST", "/v1/drains", { target: { kind: "worker", worker: worker.id } });
  const second = await order("second");
  await waitUntil("the second waits", async () => (await second.state()) === "parked");
  expect(drain).toMatchObject({ done: false, jobs: 1 });
  expect(await call("GET", `/v1/workers/${worker.id}`)).toMatchObject({ drained_by: [drain.id] });
  worker.finish(first.id);
  const measured = () => call("GET", `/v1/drains/${drain.id}`);
  await waitUntil("it is done", async () => (await measured()).done, {
    invariant: async () => expect(worker.offered).toEqual([first.id]),
  });
  await call("DELETE", `/v1/drains/${drain.id}`);
  await waitUntil("the second runs", () => worker.running.has(second.id), { deadlineMs: BACK_AT_WORK_MS });
});

it("a worker that connects to a drained deployment is drained, and others work for theirs", async () => {
  const target = { kind: "deployment", agent_name: "agent", deployment: "blue" };
  const drain = await call("POST", "/v1/drains", { target });
  const [blue, green] = await Promise.all([work("blue"), work("green")]);
  const blueJob = await order("one", "blue");
  const greenJob = await order("two", "green");
  await waitUntil("green works", () => green.running.has(greenJob.id), { deadlineMs: 15_000 });
  await waitUntil("blue's job waits", async () => (await blueJob.state()) === "parked");
  expect(blue.offered).toEqual([]);
  await call("DELETE", `/v1/drains/${drain.id}`);
  await waitUntil("blue works", () => blue.running.has(blueJob.id), { deadlineMs: BACK_AT_WORK_MS });
});

it("every command of docs/DRAINS.md does what it is there for", async () => {
  const drain = await call("POST", "/v1/drains", { target: { kind: "client_ip", client_ip: "10.0.0.1" } });
  const runs = await runPage(readPage("DRAINS.md"), { MUSTER: url, DRAIN: drain.id });
  expect(runs.length).toBe(4);
  for (const run of runs) expect(run).toMatchObject({ code: 0 });
});
