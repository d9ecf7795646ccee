/** What a caller meets when no agent is free, with all of Muster and a worker on a socket; and the page that tells of it. */

import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { standaloneSchema } from "../services/standalone/src/config.js";
import { startStandalone } from "../services/standalone/src/start-standalone.js";
import { signAccessToken } from "../shared/wire/src/access-token.js";
import { workerToken } from "./kit/access-tokens.js";
import { readPage, runPage } from "./kit/page-commands.js";
import { freePort } from "./kit/ports.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { type SimulatedWorker, startWorker } from "./kit/simulated-worker.js";
import { waitUntil } from "./kit/wait-until.js";

/** Those of the page. */
const KEY = "devkey";
const SECRET = "secret";
const log = createLog({ level: "silent", service: "test" });
const page = readPage("NO-AGENT-FREE.md");

let redis: RedisServer;
let url: string;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  const port = await freePort();
  const config = standaloneSchema.parse({
    ...{ redisUrl: redis.url, host: "127.0.0.1", port, keys: `${KEY}: ${SECRET}`, drainMs: 0 },
  });
  const lifecycle = createLifecycle({ log, deadlineMs: 10_000, exit: () => undefined as never });
  await startStandalone({ config, redisUrl: redis.url, lifecycle, log });
  closing.push(() => lifecycle.stop("test"));
  url = `http://127.0.0.1:${port}`;
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.flush();
});
afterAll(() => redis.stop());

const token = () => {
  const video = { roomAdmin: true, roomList: true };
  return signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000, video });
};

interface Answer {
  id: string;
  jobs: { id: string }[];
  state: string;
  held: boolean;
}

async function call(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token()}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json = (await answer.json()) as Answer;
  expect({ ok: answer.ok, json }).toMatchObject({ ok: true });
  return json;
}

async function work(agentName: string): Promise<SimulatedWorker> {
  const worker = await startWorker({
    ...{ url: url.replace("http", "ws"), token: workerToken(KEY, SECRET), reports: true },
    register: { agentName },
  });
  closing.push(() => worker.close());
  worker.sample();
  return worker;
}

it("an agent without workers: the next one that the order names is asked, and named to its worker", async () => {
  const voicemail = await work("voicemail");
  const order = await call("POST", "/v1/orders", {
    ...{ room: "support", agent_name: "human", fallback: [{ after_ms: 1_000, agent_name: "voicemail" }] },
  });
  const job = `/v1/jobs/${order.jobs[0]?.id}`;
  await waitUntil("it waits", async () => (await call("GET", job)).state === "parked");
  expect(await call("GET", job)).toMatchObject({ agent_name: "human", position: 0, estimated_wait_ms: null });
  await waitUntil("it runs", async () => (await call("GET", job)).state === "running", {
    deadlineMs: 15_000,
  });
  expect(await call("GET", job)).toMatchObject({ agent_name: "voicemail", fallback_step: 1, position: null });
  const [assigned] = voicemail.assigned;
  const claims = JSON.parse(Buffer.from(assigned?.token.split(".")[1] ?? "", "base64url").toString());
  expect(claims.attributes).toMatchObject({ "lk.agent_name": "voicemail" });
  const listed = await new AgentDispatchClient(url, KEY, SECRET).listDispatch("support");
  expect(listed).toMatchObject([{ id: order.id, agentName: "human" }]);
});

it("an order on hold is offered to nobody, whoever is free, and starts with its release", async () => {
  const worker = await work("human");
  const order = await call("POST", "/v1/orders", { room: "support", agent_name: "human", hold: true });
  const job = `/v1/jobs/${order.jobs[0]?.id}`;
  // Whatever is tried after it has been: a later order is served, and this one is not.
  const other = await call("POST", "/v1/orders", { room: "other", agent_name: "human" });
  await waitUntil("the other runs", () => worker.running.has(other.jobs[0]?.id ?? ""), {
    deadlineMs: 15_000,
  });
  expect(await call("GET", job)).toMatchObject({ state: "parked", held: true });
  expect(worker.offered).toEqual([other.jobs[0]?.id]);
  await call("POST", `/v1/orders/${order.id}/release`);
  await waitUntil("it runs", () => worker.running.has(order.jobs[0]?.id ?? ""), { deadlineMs: 15_000 });
});

it("every command of docs/NO-AGENT-FREE.md does what it is there for", { timeout: 60_000 }, async () => {
  const order = await call("POST", "/v1/orders", { room: "support", agent_name: "support" });
  const runs = await runPage(page, { MUSTER: url, ORDER: order.id, JOB: order.jobs[0]?.id ?? "" });
  expect(runs.length).toBeGreaterThan(5);
  for (const { command, code, output } of runs) {
    expect({ command, code, output }).toMatchObject({ code: command.includes("/v1/events") ? 28 : 0 });
  }
});
