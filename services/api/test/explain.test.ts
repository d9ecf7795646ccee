/** GET /v1/jobs/{id}/explain: the attempts to place a job and, while it waits, how its workers stand now. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as schemas from "../src/rest/explain-schemas.js";
import * as kit from "./kit.js";
import { makeOrder, seenOrder } from "./orders-kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  api = await kit.runApi(server);
});
afterEach(() => api.stop());
afterAll(() => server.stop());

const CLAIM = { offerMs: 5_000, retryMs: 500, scan: 32 };
const GATEWAY = "NO_gateway";

async function job(room: string, extra: object = {}, namespace = "default"): Promise<string> {
  const order = await makeOrder(api, { room, ...extra });
  const { jobs } = await seenOrder(api, room, order, namespace);
  return jobs[0]?.id ?? "";
}

async function explain(id: string, query = "") {
  const answer = await api.rest(`/v1/jobs/${id}/explain${query}`);
  const body = await answer.json();
  expect({ status: answer.status, body }).toMatchObject({ status: 200 });
  // Strict: nothing is told that is not described.
  return schemas.Explanation.strict().parse(body);
}

const worker = (agent = "agent", namespace = "default") =>
  kit.registerWorker(api.ledger, { namespace, agent, gateway: GATEWAY });

async function sample(session: string, rest: object, namespace = "default"): Promise<void> {
  const one = { session, status: "available", draining: false, load: 0, job_count: 0, ...rest } as const;
  await api.ledger.sampleSessions({ namespace, gateway: GATEWAY, samples: [one] });
}

test("a job that was refused, then taken: each attempt with its stages, which add up to its age", async () => {
  const [first, second] = [await worker(), await worker()];
  await sample(first, { load: 0.1 });
  await sample(second, { load: 0.2 });
  const id = await job("room1");
  expect(await explain(id)).toMatchObject({ state: "queued", first_tried_ms: null, attempts: [] });
  await api.ledger.admit({ namespace: "default", job: id, ...CLAIM });
  const refusal = { reason: "rejected", terminate: false, coolMs: 1_000, guardMs: 5_000, lateMs: 0 };
  await api.ledger.reject({ namespace: "default", job: id, session: first, epoch: 1, ...refusal });
  await kit.runJob(api.ledger, "default", id);
  await api.ledger.report({
    ...{ namespace: "default", job: id, wire: `${id}.2`, session: second, status: "success", message: "" },
    ...{ startMs: 30_000, coolMs: 1_000, earlyMs: 10_000 },
  });
  const told = await explain(id);
  expect(told).toMatchObject({
    ...{ id, namespace: "", state: "ended", outcome: "success", cause: "reported" },
    ...{ attempts_left_out: 0, now: null },
    attempts: [
      { number: 1, how: "offered", outcome: "rejected", agent_name: "agent", worker_id: first, epoch: 1 },
      {
        number: 2,
        how: "offered",
        outcome: "ended",
        worker_id: second,
        epoch: 2,
        parked_ms: null,
        lost_ms: null,
      },
    ],
  });
  expect(told.attempts.map(({ considered }) => considered)).toEqual([
    [{ worker_id: first, load: 0.1, verdict: "chosen" }],
    [
      { worker_id: first, load: 0.1, verdict: "excluded" },
      { worker_id: second, load: 0.2, verdict: "chosen" },
    ],
  ]);
  expect(told.attempts[0]).toMatchObject({ started_ms: null, ran_ms: null });
  expect(told.first_tried_ms).toBe(told.attempts[0]?.waited_ms);
  const spent = told.attempts.flatMap((a) => [a.waited_ms, a.answered_ms, a.started_ms, a.ran_ms]);
  const total = spent.reduce<number>((sum, ms) => sum + (ms ?? 0), 0);
  expect(told.created_at_ms + total).toBe(told.attempts[1]?.ended_at_ms);
});

test("a job that waits: how many of its workers have which reason, and which are which", async () => {
  const id = await job("room1");
  await api.ledger.admit({ namespace: "default", job: id, ...CLAIM });
  const [full, draining] = [await worker(), await worker()];
  await sample(full, { status: "full", load: 0.9 });
  await sample(draining, { draining: true });
  await worker("another");
  const told = await explain(id);
  expect(told).toMatchObject({
    attempts: [{ how: "parked", outcome: "parked", worker_id: "", considered: [], ended_at_ms: null }],
    now: {
      ...{
        waits_for: "room",
        position: 0,
        worker_count: 2,
        counts: { full: 1, draining: 1 },
        not_looked_at: 0,
      },
      workers: [
        { worker_id: full, load: 0.9, verdict: "full" },
        { worker_id: draining, load: 0, verdict: "draining" },
      ],
    },
  });
  expect(told.attempts[0]?.parked_ms).toBe(told.asked_at_ms - (told.attempts[0]?.began_at_ms ?? 0));
  expect(told.now?.due_at_ms).toBeGreaterThan(told.asked_at_ms);
});

test("of a large pool all are counted up to a bound, and 64 are named", async () => {
  const id = await job("room1");
  await Promise.all(Array.from({ length: 150 }, () => worker()));
  const some = (await explain(id)).now;
  expect(some).toMatchObject({ worker_count: 150, counts: { room: 150 }, not_looked_at: 0 });
  expect(some?.workers).toHaveLength(64);
  await Promise.all(Array.from({ length: 1_950 }, () => worker()));
  const most = (await explain(id)).now;
  expect(most).toMatchObject({ worker_count: 2_100, counts: { room: 2_048 }, not_looked_at: 52 });
  expect(most?.workers).toEqual(some?.workers);
}, 60_000);

test("who was asked at a fallback step is named as that step has it", async () => {
  await worker("other");
  const id = await job("room1", { fallback: [{ after_ms: 1_000, agent_name: "other", deployment: "" }] });
  await api.ledger.admit({ namespace: "default", job: id, ...CLAIM });
  const times = {
    guardMs: 0,
    graceMs: 0,
    stopMs: 0,
    silentMs: 0,
    startMs: 0,
    reportMs: 0,
    awakeSinceMs: 0,
    coolMs: 0,
    earlyMs: 0,
  };
  const [seconds = "0"] = await api.redis.time();
  const nowMs = (Number(seconds) + 5) * 1_000;
  expect(await api.ledger.expireJob({ namespace: "default", job: id, ...times, nowMs })).toEqual({
    status: "fell_back",
  });
  await api.ledger.admit({ namespace: "default", job: id, ...CLAIM, nowMs });
  const { attempts } = await explain(id);
  expect(attempts).toMatchObject([
    { agent_name: "agent", outcome: "fell_back" },
    { agent_name: "other", outcome: "offered" },
  ]);
});

test("nothing of another namespace is told", async () => {
  const [here, there] = [await worker(), await worker("agent", "default:eu")];
  await sample(here, { status: "full" });
  await sample(there, { draining: true }, "default:eu");
  const id = await job("room1", { namespace: "eu" }, "default:eu");
  await api.ledger.admit({ namespace: "default:eu", job: id, ...CLAIM });
  const told = await explain(id, "?namespace=eu");
  expect(told).toMatchObject({ namespace: "eu", now: { worker_count: 1, counts: { draining: 1 } } });
  expect(JSON.stringify(told)).not.toContain(here);
  const answer = await api.rest(`/v1/jobs/${id}/explain`);
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({
    status: 404,
    body: { code: "not_found", message: `there is no job ${id} in the default namespace` },
  });
});

test("of more attempts than are kept the first and the latest are told, and how many are not", async () => {
  for (let index = 0; index < 25; index++) await sample(await worker(), {});
  const id = await job("room1");
  const refusal = { reason: "rejected", terminate: false, coolMs: 1_000, guardMs: 5_000, lateMs: 0 };
  for (let epoch = 1; epoch <= 25; epoch++) {
    const reply = await api.ledger.admit({ namespace: "default", job: id, ...CLAIM });
    const session = reply.status === "offered" ? (reply.job.session ?? "") : "";
    await api.ledger.reject({ namespace: "default", job: id, session, epoch, ...refusal });
  }
  const told = await explain(id);
  expect(told.attempts_left_out).toBe(6);
  expect(told.attempts.map(({ number }) => number)).toEqual([
    ...[1, 2, 3, 4, 5],
    ...[12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
  ]);
  expect(told.attempts.map(({ waited_ms: waited }) => waited === null)).toEqual(
    told.attempts.map(({ number }) => number === 12),
  );
  expect(told.attempts.at(-1)?.considered).toHaveLength(8);
  expect(told.attempts.at(-1)?.considered_left_out).toBe(17);
});
