/** Orders on hold through the REST API, in all their namespaces; and where a job stands in line, or does not. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
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

const admin = { roomAdmin: true };
const minimal = { room: "room1", agent_name: "agent" };
type Whole = {
  id: string;
  held: boolean;
  state: string;
  jobs: { id: string; namespace: string; state: string }[];
};

async function make(body: object = {}): Promise<Whole> {
  const answer = await api.rest("/v1/orders", {
    ...{ method: "POST", video: admin, body: JSON.stringify({ ...minimal, ...body }) },
    headers: { "content-type": "application/json" },
  });
  expect(answer.status).toBe(201);
  return (await answer.json()) as Whole;
}

async function call(id: string, verb: "hold" | "release", video: object = admin) {
  const answer = await api.rest(`/v1/orders/${id}/${verb}`, { method: "POST", video });
  return { status: answer.status, body: (await answer.json()) as Whole & { code?: string } };
}

const jobOf = async (id: string) => (await (await api.rest(`/v1/jobs/${id}`)).json()) as object;

test("made on hold, it has its job, which shows it; nothing is queued until it is released", async () => {
  const owner = await kit.fakeDispatcher(server);
  const order = await make({ hold: true });
  const [job] = order.jobs;
  expect(order).toMatchObject({ held: true, state: "live", jobs: [{ state: "parked" }] });
  expect(await jobOf(job?.id ?? "")).toMatchObject({ state: "parked", held: true });
  expect(await kit.queued(api.redis, "default")).toEqual([]);
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  for (let time = 0; time < 2; time++) {
    expect(await call(order.id, "release")).toMatchObject({
      status: 200,
      body: { id: order.id, held: false },
    });
  }
  expect(await jobOf(job?.id ?? "")).toMatchObject({ state: "parked", held: false });
  await waitUntil("the owner is told of the room", () => owner.received.length > 0);
  expect(owner.received).toEqual([{ actor: "default", message: { kind: "serve", pool: "room/agent/" } }]);
  await owner.stop();
});

test("put on hold and released over all its namespaces, any number of times", async () => {
  for (const namespace of ["default:eu", "default:us"])
    await kit.registerWorker(api.ledger, { namespace, agent: "agent" });
  const order = await make();
  expect(order).toMatchObject({ held: false, jobs: [{ state: "queued" }, { state: "queued" }] });
  for (const [verb, held] of [
    ["hold", true],
    ["hold", true],
    ["release", false],
    ["release", false],
  ] as const) {
    const { status, body } = await call(order.id, verb);
    expect({ status, held: body.held }).toEqual({ status: 200, held });
    for (const { id, namespace } of body.jobs) {
      const job = await (await api.rest(`/v1/jobs/${id}?namespace=${namespace}`)).json();
      expect(job).toMatchObject({ state: "parked", held });
    }
  }
});

test("an order that is over is refused; so is one that is not there, and a token for another room", async () => {
  const order = await make({ hold: true });
  for (const verb of ["hold", "release"] as const) {
    expect(await call("AD_none", verb)).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(await call("a b", verb)).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    for (const video of [{ roomList: true }, { roomAdmin: true, room: "other" }])
      expect(await call(order.id, verb, video)).toMatchObject({ status: 403 });
  }
  expect(await jobOf(order.jobs[0]?.id ?? "")).toMatchObject({ held: true });
  await api.rest(`/v1/orders/${order.id}`, { method: "DELETE", video: admin });
  const before = await kit.dump(api.redis);
  for (const verb of ["hold", "release"] as const)
    expect(await call(order.id, verb)).toMatchObject({ status: 412, body: { code: "failed_precondition" } });
  expect(await kit.dump(api.redis)).toEqual(before);
});

test("deleted or terminated while its namespace rests, it wakes it first", async () => {
  const end = {
    delete: (order: Whole) => api.rest(`/v1/orders/${order.id}`, { method: "DELETE", video: admin }),
    terminate: ({ jobs: [job] }: Whole) =>
      api.rest(`/v1/jobs/${job?.id}/terminate`, { method: "POST", video: admin }),
  };
  for (const how of ["delete", "terminate"] as const) {
    const order = await make({ hold: true });
    expect(await api.ledger.rest({ namespace: "default", listenMs: 0 })).toMatchObject({
      status: "resting",
    });
    expect((await end[how](order)).status).toBe(200);
    expect(await api.redis.hget("muster:{default}:index", "awake")).toBe("1");
    expect(await jobOf(order.jobs[0]?.id ?? "")).toMatchObject({ state: "ended", held: false });
  }
});

test("on hold or not is part of what a key stands for", async () => {
  const keyed = (hold: boolean) =>
    api.rest("/v1/orders", {
      ...{ method: "POST", video: admin, body: JSON.stringify({ ...minimal, hold }) },
      headers: { "content-type": "application/json", "idempotency-key": "k" },
    });
  expect((await keyed(true)).status).toBe(201);
  expect((await keyed(true)).status).toBe(200);
  expect((await keyed(false)).status).toBe(409);
});

test("a job that waits shows its place in line and how long that may take; on hold, neither", async () => {
  const pace = "muster:{default}:pace:room/agent/";
  const first = await make();
  const second = await make({ priority: 501 });
  const placeOf = async ({ jobs: [job] }: Whole) => {
    const { position, estimated_wait_ms } = (await jobOf(job?.id ?? "")) as Record<string, unknown>;
    return [position, estimated_wait_ms];
  };
  for (const { jobs } of [first, second]) {
    const claim = { namespace: "default", job: jobs[0]?.id ?? "", offerMs: 5_000, retryMs: 500, scan: 32 };
    await api.ledger.admit(claim);
  }
  expect([await placeOf(first), await placeOf(second)]).toEqual([
    [1, null],
    [0, null],
  ]);
  await api.redis.hset(pace, { at: Date.now(), every: 60_000 });
  expect([await placeOf(first), await placeOf(second)]).toEqual([
    [1, 120_000],
    [0, 60_000],
  ]);
  await call(second.id, "hold");
  expect([await placeOf(first), await placeOf(second)]).toEqual([
    [0, 60_000],
    [null, null],
  ]);
});
