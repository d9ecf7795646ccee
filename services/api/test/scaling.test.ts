/** The scaling signal over HTTP: what it says of an agent, of whom, and what is refused. */

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

async function scaling(path: string): Promise<Record<string, number | string>> {
  const answer = await api.rest(`/v1/scaling${path}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, number | string>;
}

/** Made by a call, tried, and parked where nobody is free. */
async function order(agent: string, namespace = ""): Promise<string> {
  const answer = await api.rest("/v1/orders", {
    method: "POST",
    video: { roomAdmin: true },
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ room: "room", agent_name: agent, namespace }),
  });
  const { jobs } = (await answer.json()) as { jobs: { id: string }[] };
  return jobs[0]?.id ?? "";
}
const admit = (job: string, namespace = "default") =>
  api.ledger.admit({ namespace, job, offerMs: 5_000, retryMs: 500, scan: 32 });
const worker = (facts: Partial<kit.WorkerFacts> = {}) =>
  kit.registerWorker(api.ledger, { namespace: "default", agent: "agent", ...facts });

const NOTHING = {
  ...{
    needed_workers: 0,
    needed_slots: 0,
    slots_per_worker: 0,
    slots_used: 0,
    slots_free: 0,
    slots_draining: 0,
  },
  ...{
    queued: 0,
    workers_available: 0,
    workers_full: 0,
    workers_cooling: 0,
    workers_draining: 0,
    workers_drained: 0,
  },
};

test("of an agent that was never seen all is 0, and nothing is written", async () => {
  const before = await kit.dump(api.redis);
  expect(await scaling("/nobody")).toEqual({
    agent_name: "nobody",
    namespace: "",
    deployment: "",
    ...NOTHING,
  });
  expect(await scaling("?namespace=eu&deployment=blue")).toEqual({
    ...{ agent_name: "", namespace: "eu", deployment: "blue" },
    ...NOTHING,
  });
  expect(await kit.dump(api.redis)).toEqual(before);
});

test("jobs that nobody is there for need a worker", async () => {
  await order("agent");
  expect(await scaling("/agent")).toMatchObject({ queued: 1, needed_slots: 1, needed_workers: 1 });
  for (let count = 0; count < 3; count++) await admit(await order("agent"));
  expect(await scaling("/agent")).toMatchObject({ queued: 4, needed_slots: 4, needed_workers: 1 });
  expect(await scaling("/agent?slots_per_worker=2")).toMatchObject({
    needed_workers: 2,
    slots_per_worker: 2,
  });
  expect(await scaling("/another")).toMatchObject({ queued: 0, needed_workers: 0 });
});

test("workers with room count with it; headroom adds to the demand", async () => {
  await worker();
  await kit.runJob(api.ledger, "default", await order("agent"));
  const own = { slots_used: 1, slots_free: 6, workers_available: 1, slots_per_worker: 7 };
  expect(await scaling("/agent")).toMatchObject({ ...own, needed_slots: 1, needed_workers: 1 });
  expect(await scaling("/agent?headroom=1")).toMatchObject({ ...own, needed_slots: 2, needed_workers: 1 });
  expect(await scaling("/agent?headroom_slots=7")).toMatchObject({
    ...own,
    needed_slots: 8,
    needed_workers: 2,
  });
  expect(await scaling("/agent?headroom=.5&headroom_slots=0")).toMatchObject({ needed_slots: 2 });
});

test("is of one namespace and deployment, and of all types of jobs or one", async () => {
  await worker();
  await worker({ type: "publisher" });
  await worker({ deployment: "blue" });
  await worker({ namespace: "default:eu" });
  await worker({ agent: "" });
  await worker({ agent: "an/agent of %2F" });
  expect(await scaling("/agent")).toMatchObject({ workers_available: 2, slots_free: 14 });
  expect(await scaling("/agent?type=publisher")).toMatchObject({ workers_available: 1 });
  expect(await scaling("/agent?type=participant")).toMatchObject({ workers_available: 0 });
  expect(await scaling("/agent?deployment=blue")).toMatchObject({ workers_available: 1, deployment: "blue" });
  expect(await scaling("/agent?namespace=eu")).toMatchObject({ workers_available: 1, namespace: "eu" });
  expect(await scaling("")).toMatchObject({ workers_available: 1, agent_name: "" });
  const escaped = `/${encodeURIComponent("an/agent of %2F")}`;
  expect(await scaling(escaped)).toMatchObject({ workers_available: 1, agent_name: "an/agent of %2F" });
});

test.each([
  ["headroom=1.5", "headroom"],
  ["headroom=-1", "headroom"],
  ["headroom=", "headroom"],
  ["headroom=NaN", "headroom"],
  ["headroom_slots=1.5", "headroom_slots"],
  ["headroom_slots=100001", "headroom_slots"],
  ["slots_per_worker=0", "slots_per_worker"],
  ["slots_per_worker=", "slots_per_worker"],
  ["deployment=a_b", "deployment"],
  ["type=rooms", "type"],
  ["namespace=/", "namespace"],
])("refuses %s, and names the field", async (query, field) => {
  const answer = await api.rest(`/v1/scaling/agent?${query}`);
  expect({ status: answer.status, ...((await answer.json()) as object) }).toMatchObject({
    status: 400,
    field,
  });
});

test("refuses an agent name that is too long, and who may not read everything", async () => {
  const long = await api.rest(`/v1/scaling/${"x".repeat(257)}`);
  expect(await long.json()).toMatchObject({ status: 400, field: "agent" });
  for (const path of ["/v1/scaling/agent", "/v1/scaling"]) {
    expect((await api.rest(path, { video: { roomAdmin: true, room: "room" } })).status).toBe(403);
    expect((await api.rest(path, { video: { roomList: true } })).status).toBe(200);
  }
});
