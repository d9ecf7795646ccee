/**
 * Gateway, dispatcher and api as processes of their own, and a LiveKit that tells them or is asked: the room of an order, a
 * dead agent that is replaced, one that does not leave.
 */

import { signAccessToken } from "@muster/wire/access-token";
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { workerToken } from "./kit/access-tokens.js";
import { startLivekitStandIn } from "./kit/livekit-stand-in.js";
import { freePort } from "./kit/ports.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { startService } from "./kit/service-process.js";
import { type SimulatedWorkerOptions, startWorker } from "./kit/simulated-worker.js";
import { waitUntil } from "./kit/wait-until.js";

const KEY = "devkey";
const SECRET = "secret";
const ROOM = "support";
const BOUND_MS = 2_000;

let redis: RedisServer;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.flush();
});
afterAll(() => redis.stop());

async function house({ isTold, mayAsk }: { isTold: boolean; mayAsk: boolean }) {
  const apiPort = String(await freePort());
  const livekit = await startLivekitStandIn({
    ...{ apiKey: KEY, apiSecret: SECRET },
    ...(isTold && { webhookUrl: `http://127.0.0.1:${apiPort}/webhook` }),
  });
  closing.push(() => livekit.stop());
  const env = {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${KEY}: ${SECRET}`,
    MUSTER_LOG_LEVEL: "warn",
    ...(mayAsk && { MUSTER_LIVEKIT_URL: livekit.url }),
  };
  const services = [
    startService("gateway", env),
    // No worker is on its way back to a dispatcher that was just started for the first time.
    startService("dispatcher", { ...env, MUSTER_HOLD_MS: "0" }),
    startService("api", { ...env, MUSTER_PORT: apiPort, MUSTER_DRAIN_MS: "0" }),
  ] as const;
  const [gateway, dispatcher, api] = await Promise.all(
    services.map(async (starting) => {
      const service = await starting;
      closing.push(() => service.stop());
      return service;
    }),
  );
  if (!gateway || !dispatcher || !api) throw new Error("three services were to start");
  const client = redis.client();
  return {
    ...{ livekit, api },
    async work(options: Partial<SimulatedWorkerOptions> = {}) {
      const worker = await startWorker({
        ...{ url: gateway.url.replace("http", "ws"), token: workerToken(KEY, SECRET) },
        ...{ register: { agentName: "greeter" }, reports: true, ...options },
      });
      closing.push(() => worker.close());
      worker.sample();
      return worker;
    },
    /** Its job, by id, once a worker has it. */
    async dispatch() {
      const dispatches = new AgentDispatchClient(api.url, KEY, SECRET);
      const { id, state } = await dispatches.createDispatch(ROOM, "greeter");
      const [job = state?.jobs[0]] = (await dispatches.getDispatch(id, ROOM))?.state?.jobs ?? [];
      return job?.id ?? "";
    },
    job: (id: string) => client.hgetall(`muster:{default}:job:${id}`),
    async removed(reason: string) {
      const metrics = await (await fetch(`${dispatcher.url}/metrics`)).text();
      const line = metrics
        .split("\n")
        .find((one) => one.includes(`agents_removed_total{reason="${reason}"}`));
      return Number(line?.split(" ").at(-1));
    },
  };
}

/** A caller, and the agent that serves it, on a worker of which the ledger knows that it runs. */
async function served(feed: { isTold: boolean; mayAsk: boolean }) {
  const parts = await house(feed);
  const { livekit } = parts;
  const worker = await parts.work();
  const job = await parts.dispatch();
  await waitUntil("it is assigned", () => worker.assigned.length === 1);
  const identity = `agent-${job}`;
  livekit.rooms.join(ROOM, "ann");
  livekit.rooms.join(ROOM, identity, {
    kind: "agent",
    attributes: { "muster.job": job, "muster.epoch": "1" },
  });
  await waitUntil("it runs, in its room", async () => {
    const { state, participant_sid: sid } = await parts.job(job);
    // Told of by webhook, or found by the looks at young jobs.
    return state === "running" && sid !== undefined;
  });
  const other = await parts.work();
  return { ...parts, worker, job, identity, other };
}

describe.each([
  ["tells", { isTold: true, mayAsk: false }],
  ["is asked", { isTold: false, mayAsk: true }],
  ["tells and is asked", { isTold: true, mayAsk: true }],
] as const)("where LiveKit %s", (_, feed) => {
  it("a dead agent whose participant is gone is replaced within 2 s", async () => {
    const { livekit, worker, job, identity, other } = await served(feed);
    const since = performance.now();
    // Both end with their process; who hears of which first is left to chance.
    const closed = worker.close();
    livekit.rooms.leave(ROOM, identity, "SIGNAL_CLOSE");
    await waitUntil("another worker has it", () => other.assigned.length === 1, { everyMs: 5 });
    const tookMs = performance.now() - since;
    await closed;
    process.stdout.write(`replaced in ${Math.round(tookMs)} ms\n`);
    expect(tookMs).toBeLessThan(BOUND_MS);
    expect(other.assigned[0]?.wire).toBe(`${job}.2`);
  });
});

it("the room of an order is made; an agent that does not leave after its job was terminated is put out", async () => {
  const { livekit, api, work, dispatch, removed } = await house({ isTold: false, mayAsk: true });
  const worker = await work({ reports: false });
  const job = await dispatch();
  await waitUntil("the room is there", () => livekit.rooms.hasLive(ROOM));
  await waitUntil("it is assigned", () => worker.assigned.length === 1);
  const { token = "" } = worker.assigned[0] ?? {};
  const { attributes } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  livekit.rooms.join(ROOM, `agent-${job}`, { kind: "agent", attributes });
  const admin = signAccessToken({
    ...{ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000 },
    video: { roomAdmin: true },
  });
  const since = performance.now();
  const answer = await fetch(`${api.url}/v1/jobs/${job}/terminate`, {
    method: "POST",
    headers: { authorization: `Bearer ${admin}` },
  });
  expect(answer.status).toBe(200);
  const isThere = () => livekit.rooms.hasLive(ROOM, `agent-${job}`);
  await waitUntil("it is put out", () => !isThere(), { deadlineMs: 10_000 });
  expect(performance.now() - since).toBeGreaterThan(2_900);
  await waitUntil("it is counted", async () => (await removed("stopped")) === 1);
});
