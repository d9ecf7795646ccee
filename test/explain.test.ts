/** Why a job is where it is, with all of Muster and workers on sockets; and the page that shows it. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ATTEMPT_OUTCOMES } from "@muster/ledger/attempts";
import { VERDICTS } from "@muster/ledger/shapes";
import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { standaloneSchema } from "../services/standalone/src/config.js";
import { startStandalone } from "../services/standalone/src/start-standalone.js";
import { signAccessToken } from "../shared/wire/src/access-token.js";
import { workerToken } from "./kit/access-tokens.js";
import { freePort } from "./kit/ports.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { type SimulatedWorker, type SimulatedWorkerOptions, startWorker } from "./kit/simulated-worker.js";
import { waitUntil } from "./kit/wait-until.js";

const KEY = "devkey";
const SECRET = "secret";
const WS_AVAILABLE = 0;
const WS_FULL = 1;
const log = createLog({ level: "silent", service: "test" });
const page = readFileSync(fileURLToPath(new URL("../docs/EXPLAIN.md", import.meta.url)), "utf8");
const bash = promisify(execFile);

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
    // As the page says of itself.
    ...{ graceMs: 1_000, holdMs: 0, maxLoadPercent: 80 },
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
  const video = { roomAdmin: true };
  return signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000, video });
};

/** A worker of the agent that says it is this loaded. */
async function work(load: number, options: Partial<SimulatedWorkerOptions> = {}, status = WS_AVAILABLE) {
  const worker = await startWorker({
    ...{ url: url.replace("http", "ws"), token: workerToken(KEY, SECRET), reports: true },
    ...{ register: { agentName: "support" }, ...options },
  });
  closing.push(() => worker.close());
  worker.client.sample({ status, load });
  await waitUntil("its load is known", async () => (await loadOf(worker)) === Math.fround(load));
  return worker;
}

async function get(path: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token()}` } });
  return (await answer.json()) as Record<string, unknown>;
}

async function loadOf({ id }: SimulatedWorker): Promise<unknown> {
  const { load, sampled_at_ms: sampledAt } = await get(`/v1/workers/${id}`);
  return sampledAt === null ? undefined : Math.fround(Number(load));
}

/** The id of its job, once that is in this state. */
async function order(state: string): Promise<string> {
  const answer = await fetch(`${url}/v1/orders`, {
    ...{ method: "POST", body: JSON.stringify({ room: "call", agent_name: "support" }) },
    headers: { authorization: `Bearer ${token()}`, "content-type": "application/json" },
  });
  const { jobs } = (await answer.json()) as { jobs: { id: string }[] };
  const job = jobs[0]?.id ?? "";
  await waitUntil(`it is ${state}`, async () => (await get(`/v1/jobs/${job}`)).state === state, {
    deadlineMs: 15_000,
  });
  return job;
}

/** As the page's command has it. */
async function explain(job: string): Promise<unknown> {
  const [, command = ""] = /```sh\n(curl .*?)```/s.exec(page) ?? [];
  const env = { ...process.env, MUSTER: url, TOKEN: token(), JOB: job };
  const { stdout } = await bash("bash", ["-c", command], { env });
  return JSON.parse(stdout);
}

/** What the page shows under this heading. */
function shown(heading: string): unknown {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const [, json] = /```json\n(.*?)```/s.exec(section) ?? [];
  if (json === undefined) throw new Error(`the page shows no answer under "${heading}"`);
  return JSON.parse(json);
}

/** Ids by the order of their appearance, times and durations as such: what differs from one run to the next. */
function comparable(answer: unknown): unknown {
  const names = new Map<string, string>();
  const text = JSON.stringify(answer, (key, value: unknown) =>
    key.endsWith("_ms") && typeof value === "number" ? "ms" : value,
  );
  return JSON.parse(
    text.replaceAll(/\b(A[JW]_)\w+/g, (id, kind) => {
      if (!names.has(id)) names.set(id, `${kind}${names.size + 1}`);
      return names.get(id) ?? id;
    }),
  );
}

it("the page has each word that can be answered", () => {
  const missing = [...VERDICTS, ...ATTEMPT_OUTCOMES].filter((word) => !page.includes(`\`${word}\``));
  expect(missing).toEqual([]);
});

it("a job that one worker refused, and another took", async () => {
  await work(0.1, { onOffer: "reject" });
  await work(0.2);
  const told = await explain(await order("running"));
  expect(comparable(told)).toEqual(comparable(shown("Refused, then taken")));
});

it("a job that waits as all workers are full", async () => {
  await work(0.9, {}, WS_FULL);
  await work(0.85);
  const told = await explain(await order("parked"));
  expect(comparable(told)).toEqual(comparable(shown("Waiting: everybody is full")));
});

it("a job whose worker was lost, and that another has now", { timeout: 30_000 }, async () => {
  const lost = await work(0.1);
  const job = await order("running");
  const other = await work(0.2);
  await lost.close();
  await waitUntil("the other runs it", () => other.running.size === 1, { deadlineMs: 20_000 });
  await waitUntil("that is known", async () => (await get(`/v1/jobs/${job}`)).state === "running");
  expect(comparable(await explain(job))).toEqual(comparable(shown("Lost, then resumed")));
});
