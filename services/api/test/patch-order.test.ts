/** PATCH /v1/orders/{id}: what changes, for whom, and what is refused. */

import { MAX_ATTRIBUTES_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
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

const admin = { roomAdmin: true };
const headers = { "content-type": "application/json" };
interface Whole {
  id: string;
  jobs: { id: string; namespace: string }[];
}

async function make(body: object = {}): Promise<Whole> {
  const order = { room: "room1", agent_name: "agent", ...body };
  const answer = await api.rest("/v1/orders", {
    ...{ method: "POST", video: admin, body: JSON.stringify(order), headers },
  });
  expect(answer.status).toBe(201);
  return (await answer.json()) as Whole;
}

async function patch(id: string, body: object | string, video: object = admin) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await api.rest(`/v1/orders/${id}`, { method: "PATCH", video, body: text, headers });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function record(kind: "job" | "order", id: string, namespace = "default") {
  const reply = await api.ledger.readRecord({ namespace, kind, id });
  return reply.status === "found" ? reply.record : {};
}

const ALL = {
  ...{ priority: 900, deadline_ms: 90_000, metadata: "new", attributes: { who: "you" } },
  ...{ max_attempts: 7, restart_policy: "never" },
};

test("all of it changes, for the jobs that wait too, over all namespaces and any number of times", async () => {
  for (const namespace of ["default:eu", "default:us"])
    await kit.registerWorker(api.ledger, { namespace, agent: "agent" });
  const { id, jobs } = await make({ metadata: "old", attributes: { a: "b" } });
  expect(jobs.map(({ namespace }) => namespace).sort()).toEqual(["eu", "us"]);
  for (let time = 0; time < 2; time++) {
    expect(await patch(id, ALL)).toMatchObject({ status: 200, body: { id, room: "room1", ...ALL } });
  }
  for (const { id: job, namespace } of jobs) {
    const kept = await record("job", job, `default:${namespace}`);
    expect(kept).toMatchObject({ priority: "900", max_attempts: "7", wait_ms: "90000" });
    expect(Number(kept.wait_until) - Number(kept.created_at)).toBe(90_000);
    const read = await (await api.rest(`/v1/jobs/${job}?namespace=${namespace}`)).json();
    expect(read).toMatchObject({ priority: 900, metadata: "new", attributes: { who: "you" } });
  }
});

test("what is left out stays as it is", async () => {
  const { id } = await make({ metadata: "old", priority: 3, attributes: { a: "b" } });
  const expected = { metadata: "old", priority: 4, attributes: { a: "b" }, deadline_ms: null };
  expect(await patch(id, { priority: 4 })).toMatchObject({ status: 200, body: expected });
  expect(await patch(id, { attributes: {} })).toMatchObject({ body: { ...expected, attributes: {} } });
});

const REFUSED: [string, object | string, string | undefined][] = [
  ["a room", { room: "other" }, "room"],
  ["an agent", { agent_name: "agent" }, "agent_name"],
  ["a target", { target: { for: "room" } }, "target"],
  ["a namespace", { namespace: "" }, "namespace"],
  ["a deployment", { priority: 1, deployment: "x" }, "deployment"],
  ["fallback steps", { fallback: [] }, "fallback"],
  ["a hold, which has calls of its own", { hold: true }, "hold"],
  ["a field that is none", { priorities: 1 }, "priorities"],
  ["a priority above 1000", { priority: 1_001 }, "priority"],
  ["no priority", { priority: null }, "priority"],
  ["a deadline below 1 s", { deadline_ms: 999 }, "deadline_ms"],
  ["0 attempts", { max_attempts: 0 }, "max_attempts"],
  ["a policy that is none", { restart_policy: "always" }, "restart_policy"],
  ["metadata that is too large", { metadata: "m".repeat(MAX_METADATA_BYTES + 1) }, "metadata"],
  ["attributes that are too large", { attributes: { a: "v".repeat(MAX_ATTRIBUTES_BYTES) } }, "attributes"],
  ["an attribute that is no text", { attributes: { a: 1 } }, "attributes.a"],
  ["an attribute that would get lost", '{"attributes":{"__proto__":"c"}}', "attributes"],
  ["nothing", {}, undefined],
  ["a list", [], undefined],
];

test.each(REFUSED)("refuses %s, and changes nothing", async (_what, body, field) => {
  const { id } = await make();
  const before = await kit.dump(api.redis);
  const answer = await patch(id, body);
  expect(answer).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
  expect(answer.body.field).toBe(field);
  expect(await kit.dump(api.redis)).toEqual(before);
});

test("takes metadata as large as a new order's, and no more", async () => {
  const { id } = await make();
  expect((await patch(id, { metadata: "\u0001".repeat(MAX_METADATA_BYTES) })).status).toBe(200);
  expect(await patch(id, " ".repeat(4 * 1024 * 1024 + 1))).toMatchObject({ status: 413 });
});

test("an order that is over is refused, and one that is not there, and a token for another room", async () => {
  const { id } = await make();
  expect(await patch("AD_none", ALL)).toMatchObject({ status: 404, body: { code: "not_found" } });
  for (const video of [{ roomList: true }, { roomAdmin: true, room: "other" }])
    expect((await patch(id, ALL, video)).status).toBe(403);
  await api.rest(`/v1/orders/${id}`, { method: "DELETE", video: admin });
  expect(await patch(id, ALL)).toMatchObject({ status: 412, body: { code: "failed_precondition" } });
  expect((await record("order", id)).metadata).toBe("");
});
