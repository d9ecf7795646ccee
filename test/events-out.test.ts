/** From an order to webhooks and the live stream, with all of Muster in between: what the outside world hears of a job. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createLifecycle, type Lifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { AgentDispatchClient, type WebhookEvent, WebhookReceiver } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { standaloneSchema } from "../services/standalone/src/config.js";
import { startStandalone } from "../services/standalone/src/start-standalone.js";
import { signAccessToken } from "../shared/wire/src/access-token.js";
import { workerToken } from "./kit/access-tokens.js";
import { freePort } from "./kit/ports.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { type SimulatedWorkerOptions, startWorker } from "./kit/simulated-worker.js";
import { waitUntil } from "./kit/wait-until.js";

const KEY = "events-key";
const SECRET = "events-secret-that-is-long-enough";
const IN_ORDER = ["queued", "offered", "started", "ended"];
const log = createLog({ level: "silent", service: "test" });

let redis: RedisServer;
let received: WebhookEvent[];
let hookUrl: string;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  received = [];
  hookUrl = await startReceiver();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.flush();
});
afterAll(() => redis.stop());

/** Takes what LiveKit's own SDK takes, and nothing else. */
async function startReceiver(): Promise<string> {
  const verifier = new WebhookReceiver(KEY, SECRET);
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const event = await verifier.receive(body, request.headers.authorization).catch(() => undefined);
    if (event !== undefined) received.push(event);
    response.writeHead(event === undefined ? 401 : 200).end();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

async function startMuster(
  settings: Record<string, unknown>,
): Promise<{ url: string; lifecycle: Lifecycle }> {
  const port = await freePort();
  const base = { redisUrl: redis.url, host: "127.0.0.1", port, keys: `${KEY}: ${SECRET}`, drainMs: 0 };
  const config = standaloneSchema.parse({ ...base, ...settings });
  const lifecycle = createLifecycle({ log, deadlineMs: 10_000, exit: () => undefined as never });
  await startStandalone({ config, redisUrl: redis.url, lifecycle, log });
  closing.push(() => lifecycle.stop("test"));
  return { url: `http://127.0.0.1:${port}`, lifecycle };
}

async function work(url: string, options: Partial<SimulatedWorkerOptions> = {}) {
  const worker = await startWorker({
    ...{ url: url.replace("http", "ws"), token: workerToken(KEY, SECRET), reports: true, jobMs: 50 },
    ...{ register: { agentName: "greeter" } },
    ...options,
  });
  closing.push(() => worker.close());
  worker.sample();
  // Before its first sample it takes one job at a time; others would be parked.
  const client = redis.client();
  const sampledAt = () => client.hget(`muster:{default}:session:${worker.id}`, "sampled_at");
  await waitUntil("its sample counts", async () => Number(await sampledAt()) > 0);
}

const names = (job: string) =>
  received.filter((event) => event.job?.id === job).map(({ event }) => event.replace("agent_job_", ""));

async function dispatch(url: string, room: string): Promise<string> {
  const client = new AgentDispatchClient(url, KEY, SECRET);
  const { state, id } = await client.createDispatch(room, "greeter", { metadata: "hello" });
  const jobs = state?.jobs ?? (await client.getDispatch(id, room))?.state?.jobs;
  return jobs?.[0]?.id ?? "";
}

/** The hook knows from where on it is told. */
async function untilHookBegan(): Promise<void> {
  const client = redis.client();
  await waitUntil("the hook began", async () => (await client.keys("muster:{hook/*}:state")).length === 1);
}

it("an order's job is heard of as queued, offered, started, ended, in LiveKit's format and signature", async () => {
  const { url } = await startMuster({ webhookUrls: hookUrl });
  await untilHookBegan();
  await work(url);
  const jobs = await Promise.all(Array.from({ length: 5 }, (_, at) => dispatch(url, `room-${at}`)));
  await waitUntil("all ended", () => jobs.every((job) => names(job).includes("ended")), {
    deadlineMs: 15_000,
  });
  for (const job of jobs) expect(names(job)).toEqual(IN_ORDER);
  const [ended] = received.filter(
    (event) => String(event.event) === "agent_job_ended" && event.job?.id === jobs[0],
  );
  expect(ended).toMatchObject({
    job: { agentName: "greeter", metadata: "hello", state: { status: 2, error: "" } },
    room: { name: "room-0" },
  });
  expect(new Set(received.map(({ id }) => id)).size).toBe(received.length);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain(`muster_webhook_deliveries_total{outcome="delivered"} ${received.length}`);
});

it("without receivers, a live stream hears all of what begins after it was opened, and ends with the process", async () => {
  const { url, lifecycle } = await startMuster({});
  await work(url);
  const video = { roomList: true };
  const token = signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000, video });
  const answer = await fetch(`${url}/v1/events`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  let text = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? [])
      text += decoder.decode(chunk as Uint8Array, { stream: true });
  })();
  const toldOf = () => [...text.matchAll(/^event: (?:agent_job_)?(.*)$/gm)].map(([, name]) => name);
  // Who asked a moment before it was opened believes for a second that nobody listens.
  await waitUntil(
    "an order is heard of",
    async () => {
      await dispatch(url, "room-before");
      return toldOf().length > 0;
    },
    { everyMs: 250 },
  );
  const job = await dispatch(url, "room");
  const ofJob = () =>
    [...text.matchAll(/^event: agent_job_(.*)\ndata: (.*)$/gm)]
      .filter(([, , data = ""]) => (JSON.parse(data) as { job_id: string }).job_id === job)
      .map(([, name]) => name);
  await waitUntil("it ended", () => ofJob().includes("ended"), { deadlineMs: 10_000 });
  expect(ofJob()).toEqual(IN_ORDER);
  const stoppedAtMs = performance.now();
  await lifecycle.stop("test");
  await reading;
  expect(toldOf().at(-1)).toBe("closed");
  expect(performance.now() - stoppedAtMs).toBeLessThan(5_000);
});

it("a wrong webhookKey is refused before anything is started", () => {
  const settings = { keys: `${KEY}: ${SECRET}`, webhookUrls: "http://127.0.0.1:1/x", webhookKey: "other" };
  const parsed = standaloneSchema.safeParse(settings);
  expect(parsed.error?.issues.map(({ path, message }) => [path, message])).toEqual([
    [["webhookKey"], "must be one of keys"],
  ]);
  // Without keys it runs with devkey.
  expect(standaloneSchema.safeParse({ webhookKey: "devkey" }).success).toBe(true);
});
