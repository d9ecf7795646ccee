/**
 * How long a burst takes onto one worker whose load does not move with its jobs, over a real socket: at Muster, and, where
 * a livekit-server is at hand, there. Muster gives a worker no more than its reports let it believe, so what is held to a
 * bound is how many of them it takes; the times are printed.
 */
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { adminToken, workerToken } from "../kit/access-tokens.js";
import { startRedis } from "../kit/redis-server.js";
import { startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { LIVEKIT_SERVER_BIN, startLivekitServer } from "./livekit-server.js";

const JOBS = 60;
/** As both SDKs do. */
const REPORT_EVERY_MS = 2_500;

let muster: LiveMuster;
beforeAll(async () => {
  muster = await startLiveMuster();
});
afterAll(() => muster?.stop());

it("onto a worker that has reported: all after its next report", async () => {
  expect(await burst({ url: muster.url, hasReported: true, nextReportMs: 2_000 })).toBe(1);
});

it("onto a worker that has never reported: all after its second report", async () => {
  expect(await burst({ url: muster.url, hasReported: false, nextReportMs: 1_250 })).toBe(2);
});

it("of an agent whose jobs are said to cost little: all before its next report", async () => {
  const headers = {
    authorization: `Bearer ${adminToken(API_KEY, API_SECRET)}`,
    "content-type": "application/json",
  };
  const policy = { method: "PUT", headers, body: JSON.stringify({ job_load: 0.01 }) };
  expect(await fetch(`${muster.url}/v1/placement-policies`, policy)).toMatchObject({ status: 200 });
  expect(await burst({ url: muster.url, hasReported: true, nextReportMs: 20_000 })).toBe(0);
});

it.skipIf(LIVEKIT_SERVER_BIN === "")("at livekit-server: all without one", async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
  const server = await startLivekitServer({ ...keys, redis, webhookUrl: muster.url });
  onTestFinished(() => server.kill());
  expect(await burst({ url: server.url, hasReported: true, nextReportMs: 20_000 })).toBe(0);
});

interface Burst {
  url: string;
  /** Whether the worker reported as it came. */
  hasReported: boolean;
  /** From its first job to its next report. */
  nextReportMs: number;
}

/** Answers how many reports the worker sent until it had the last job. */
async function burst({ url, hasReported, nextReportMs }: Burst): Promise<number> {
  const agentName = `reports-${nextReportMs}`;
  const worker = await startWorker({
    ...{ url, token: workerToken(API_KEY, API_SECRET), register: { agentName, type: 0 } },
  });
  const timers: NodeJS.Timeout[] = [];
  onTestFinished(async () => {
    timers.forEach(clearInterval);
    await worker.close();
  });
  if (hasReported) worker.sample();
  const startedAtMs = performance.now();
  const client = new AgentDispatchClient(url, API_KEY, API_SECRET);
  const rooms = Array.from({ length: JOBS }, (_, index) => `${agentName}-${index}`);
  const ordered = Promise.all(rooms.map((room) => client.createDispatch(room, agentName)));
  await waitUntil("the first is assigned", () => worker.assigned.length > 0);
  const firstAtMs = worker.assigned[0]?.assignedAtMs ?? 0;
  let reports = 0;
  const report = () => {
    reports++;
    worker.sample();
  };
  const first = () => {
    report();
    timers.push(setInterval(report, REPORT_EVERY_MS));
  };
  timers.push(setTimeout(first, firstAtMs + nextReportMs - performance.now()));
  await ordered;
  await waitUntil("all are assigned", () => worker.assigned.length === JOBS, { deadlineMs: 20_000 });
  const tookMs = Math.round((worker.assigned.at(-1)?.assignedAtMs ?? 0) - startedAtMs);
  const who = `${url === muster.url ? "Muster" : "livekit-server"}, ${hasReported ? "a" : "no"} report before`;
  process.stdout.write(`${JOBS} jobs at once, ${who}: the last after ${tookMs} ms, ${reports} reports\n`);
  return reports;
}
