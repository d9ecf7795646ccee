/** Deployment splits through the REST API: set, read, in force at once, taken back; and what is no split. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";

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

const PATH = "/v1/deployment-splits";
const ROLLBACK = { max_bad_percent: 20, min_jobs: 2 };
const SPLIT = { stable: "", candidate: "v2", steps: [{ after_ms: 0, percent: 100 }], rollback: ROLLBACK };

interface Answer {
  field?: string;
  started_at_ms: number;
  splits: object[];
}

async function call(
  method: "GET" | "PUT" | "DELETE",
  query: string,
  split?: object,
  video: object = { roomAdmin: true },
) {
  const answer = await api.rest(`${PATH}${query}`, {
    ...{ method, video, headers: { "content-type": "application/json" } },
    ...(split !== undefined && { body: JSON.stringify(split) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer };
}

test("is set for an agent, whatever its name, listed, replaced and taken back", async () => {
  const steps = [
    { after_ms: 0, percent: 0.5 },
    { after_ms: 3_600_000, percent: 50 },
  ];
  const name = encodeURIComponent("a/b é*");
  const set = await call("PUT", `?agent_name=${name}`, { candidate: "v/2", steps, rollback: ROLLBACK });
  const nothing = { jobs: 0, good: 0, bad: 0 };
  expect(set).toMatchObject({
    status: 200,
    body: {
      ...{ namespace: "", agent_name: "a/b é*", state: "ramping", percent: 0.5, rolled_back: null },
      split: { stable: "", candidate: "v/2", steps, rollback: ROLLBACK },
      changed_at_ms: set.body.started_at_ms + 3_600_000,
      stable: nothing,
      candidate: { ...nothing, recent: { good: 0, bad: 0 } },
    },
  });
  await call("PUT", "?agent_name=", SPLIT);
  await call("PUT", "?agent_name=agent&namespace=eu", SPLIT);
  const names = async (query: string) => (await call("GET", query)).body.splits;
  expect(await names("")).toMatchObject([{ agent_name: "", state: "done" }, { agent_name: "a/b é*" }]);
  expect(await names(`?agent_name=${name}`)).toMatchObject([{ agent_name: "a/b é*" }]);
  expect(await names("?namespace=eu")).toMatchObject([{ agent_name: "agent", percent: 100 }]);
  const gone = await Promise.all([1, 2].map(() => call("DELETE", `?agent_name=${name}`)));
  expect(gone.map(({ body }) => body)).toContainEqual({
    ...{ namespace: "", agent_name: "a/b é*", was_set: true },
  });
  expect(await names("")).toMatchObject([{ agent_name: "" }]);
});

test("takes short jobs as bad where that is asked for, and else is what it was before one could ask", async () => {
  const put = async (split: object) => {
    const { status, body } = await call("PUT", "?agent_name=agent", split);
    return { status, startedAtMs: body.started_at_ms };
  };
  const saved = async () => (await call("GET", "?agent_name=agent")).body.splits;
  const before = await put(SPLIT);
  expect(await put({ ...SPLIT, short_jobs: "ignored" })).toEqual(before);
  expect(await saved()).toMatchObject([{ split: { short_jobs: "ignored" } }]);
  const stored = await api.redis.hget("muster:{default}:splits", "agent");
  expect(JSON.parse(stored ?? "")).not.toHaveProperty("short_jobs");
  expect(await put({ ...SPLIT, short_jobs: "bad" })).toMatchObject({ status: 200 });
  expect(await saved()).toMatchObject([{ split: { short_jobs: "bad" } }]);
});

test("places jobs whose order names no deployment, and is rolled back in sight", async () => {
  const { ledger } = api;
  const at = { namespace: "default", offerMs: 60_000, retryMs: 500, scan: 32 };
  for (const deployment of ["", "v2"])
    await kit.registerWorker(ledger, { namespace: "default", agent: "agent", deployment });
  await call("PUT", "?agent_name=agent", SPLIT);
  const fails = async (key: string, body: object = {}) => {
    const answer = await api.rest("/v1/orders", {
      ...{ method: "POST", video: { roomAdmin: true } },
      body: JSON.stringify({ room: `room-${key}`, agent_name: "agent", restart_policy: "never", ...body }),
      headers: { "content-type": "application/json" },
    });
    const [{ id: job }] = ((await answer.json()) as { jobs: [{ id: string }] }).jobs;
    const reply = await ledger.admit({ ...at, job });
    if (reply.status !== "offered") throw new Error(`${key} was ${reply.status}`);
    const { session = "", wire = "", epoch, pool } = reply.job;
    const taken = { namespace: "default", job, session };
    await ledger.accept({ ...taken, epoch: Number(epoch), agentIdentity: job, startMs: 60_000 });
    await ledger.report({
      ...taken,
      wire,
      status: "failed",
      message: "boom",
      startMs: 1,
      coolMs: 0,
      earlyMs: 0,
    });
    return pool;
  };
  expect(await fails("1")).toBe("room/agent/v2");
  expect(await fails("named", { deployment: "v2" })).toBe("room/agent/v2");
  expect((await call("GET", "")).body.splits).toMatchObject([
    { state: "done", candidate: { jobs: 1, bad: 1, recent: { good: 0, bad: 1 } } },
  ]);
  expect(await fails("2")).toBe("room/agent/v2");
  expect(await fails("3")).toBe("room/agent/");
  expect((await call("GET", "?agent_name=agent")).body.splits).toMatchObject([
    {
      ...{ state: "rolled_back", percent: 0, stable: { jobs: 1, bad: 1 } },
      rolled_back: { bad_jobs: 2, counted_jobs: 2, last_reason: "failed" },
    },
  ]);
  await call("PUT", "?agent_name=agent", SPLIT);
  expect((await call("GET", "")).body.splits).toMatchObject([{ state: "done", candidate: { jobs: 0 } }]);
});

const step = (after_ms: number, percent: number) => ({ after_ms, percent });
test.each([
  ["candidate", { candidate: "" }],
  ["candidate", { candidate: undefined }],
  ["candidate", { candidate: "v_2" }],
  ["candidate", { stable: "v2" }],
  ["stable", { stable: "x".repeat(65) }],
  ["short_jobs", { short_jobs: "good" }],
  ["steps", { steps: [] }],
  ["steps", { steps: Array.from({ length: 21 }, (_, index) => step(index, 1)) }],
  ["steps.1.after_ms", { steps: [step(5, 1), step(5, 2)] }],
  ["steps.0.after_ms", { steps: [step(-1, 1)] }],
  ["steps.0.percent", { steps: [step(0, 101)] }],
  ["steps.0.odd", { steps: [{ ...step(0, 1), odd: 1 }] }],
  ["rollback", { rollback: undefined }],
  ["rollback.max_bad_percent", { rollback: { ...ROLLBACK, max_bad_percent: -1 } }],
  ["rollback.min_jobs", { rollback: { ...ROLLBACK, min_jobs: 0 } }],
  ["rollback.min_jobs", { rollback: { ...ROLLBACK, min_jobs: 101 } }],
  ["odd", { odd: true }],
])("%s of %j is refused, and nothing changes", async (field, change) => {
  expect(await call("PUT", "?agent_name=agent", { ...SPLIT, ...change })).toMatchObject({
    status: 400,
    body: { code: "invalid_argument", field },
  });
  expect((await call("GET", "")).body.splits).toEqual([]);
});

test("whose it is must be said, and no more are kept than a hundred", async () => {
  expect(await call("PUT", "", SPLIT)).toMatchObject({ status: 400, body: { field: "agent_name" } });
  expect(await call("DELETE", "")).toMatchObject({ status: 400, body: { field: "agent_name" } });
  const { ledger } = api;
  const split = JSON.stringify(SPLIT);
  for (let index = 0; index < 100; index++)
    await ledger.setSplit({ namespace: "default", agent: `a${index}`, split, maxCount: 1_000 });
  const refused = await call("PUT", "?agent_name=agent", SPLIT);
  expect(refused).toMatchObject({ status: 400, body: { field: "agent_name" } });
  expect(await call("PUT", "?agent_name=a7", SPLIT)).toMatchObject({ status: 200 });
});

test("a caller who may not change everything changes none", async () => {
  const one = { roomAdmin: true, room: "room" };
  expect(await call("PUT", "?agent_name=agent", SPLIT, one)).toMatchObject({ status: 403 });
  const reader = { roomList: true };
  expect(await call("DELETE", "?agent_name=agent", undefined, reader)).toMatchObject({ status: 403 });
  expect(await call("GET", "", undefined, reader)).toMatchObject({ status: 200 });
});
