/** Work orders through the REST API: made with all their terms, in the namespaces they are for, and taken back. */

import { parseTarget } from "@muster/domain/target";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as schemas from "../src/rest/schemas.js";
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

type Json = Record<string, unknown>;
interface Whole extends Json {
  id: string;
  jobs: { id: string; namespace: string; type: string; state: string; outcome: string | null }[];
}
const admin = { roomAdmin: true };
const minimal = { room: "room1", agent_name: "agent" };

const post = (body: object, video: object = admin) =>
  api.rest("/v1/orders", {
    ...{ method: "POST", video, body: JSON.stringify(body) },
    headers: { "content-type": "application/json" },
  });

async function make(body: object): Promise<Whole> {
  const answer = await post(body);
  const made = (await answer.json()) as Whole;
  expect({ status: answer.status, made }).toMatchObject({ status: 201 });
  return made;
}

const remove = (id: string, video: object = admin) =>
  api.rest(`/v1/orders/${id}`, { method: "DELETE", video });

const read = async (path: string) => (await (await api.rest(path)).json()) as Json;

async function recordOf(kind: "order" | "job", id: string, namespace = "default") {
  const reply = await api.ledger.readRecord({ namespace, kind, id });
  return reply.status === "found" ? reply.record : {};
}

test("with nothing but a room and an agent, it is LiveKit's dispatch", async () => {
  const owner = await kit.fakeDispatcher(server);
  const order = await make(minimal);
  expect(Object.keys(order).sort()).toEqual(Object.keys({ ...schemas.WholeOrder.shape, warnings: 0 }).sort());
  expect(order).toMatchObject({
    ...{ state: "live", room: "room1", room_sid: "", agent_name: "agent", deployment: "", metadata: "" },
    ...{ attributes: {}, namespaces: [""], priority: 500, restart_policy: "on_failure" },
    ...{
      deadline_ms: null,
      max_attempts: null,
      target: { for: "room" },
      fallback: [],
      ended_at_ms: null,
      deleted_at_ms: null,
    },
    jobs: [{ namespace: "", type: "room", state: "queued", outcome: null }],
  });
  const job = await recordOf("job", order.jobs[0]?.id ?? "");
  expect(job).toMatchObject({
    wait_ms: String(kit.policy.waitMs),
    max_attempts: String(kit.policy.maxAttempts),
    priority: "500",
  });
  expect(await kit.queued(api.redis, "default")).toEqual([order.id]);
  await waitUntil("the owner is told", () => owner.received.length > 0);
  expect(owner.received[0]).toEqual({ actor: "default", message: { kind: "intake", count: 1 } });
  await owner.stop();
  const listed = await api.twirp("ListDispatch", { room: "room1" });
  expect(await listed.json()).toMatchObject({ agent_dispatches: [{ id: order.id, agent_name: "agent" }] });
});

test("all its terms are kept, shown, and go with its job", async () => {
  const asked = {
    ...minimal,
    ...{ deployment: "blue", metadata: "secret", attributes: { who: "you" }, priority: 0 },
    ...{ deadline_ms: 90_000, restart_policy: "never", max_attempts: 7, target: { for: "room" } },
  };
  const order = await make(asked);
  expect(order).toMatchObject(asked);
  const { namespaces: _namespaces, jobs, ...detail } = order;
  expect(await read(`/v1/orders/${order.id}`)).toEqual({ ...detail, namespace: "", jobs, more_jobs: false });
  const { metadata: _metadata, attributes: _attributes, warnings: _warnings, ...inList } = detail;
  expect((await read("/v1/orders")).orders).toEqual([{ ...inList, namespace: "" }]);
  const job = await recordOf("job", jobs[0]?.id ?? "");
  expect(job).toMatchObject({ wait_ms: "90000", max_attempts: "7" });
  expect(Number(job.wait_until) - Number(job.created_at)).toBe(90_000);
  expect(decodeURIComponent(job.pool ?? "")).toBe("room/agent/blue");
});

test("takes what is just within bounds", async () => {
  const order = await make({
    room: "r".repeat(512),
    agent_name: "a".repeat(256),
    // Of the characters that JSON writes longest.
    metadata: "\u0001".repeat(512 * 1024),
    attributes: { a: "\u0001".repeat(64 * 1024 - 1) },
    ...{ priority: 1_000, deadline_ms: 30 * 24 * 3_600_000, max_attempts: 100, deployment: "d".repeat(64) },
  });
  expect(order.state).toBe("live");
});

describe("fallback", () => {
  const own = { ...minimal, deployment: "blue" };

  test("is kept and shown in full: what a step leaves out is as in the one before", async () => {
    const asked = [
      { after_ms: 1_000, agent_name: "second/é" },
      { after_ms: 24 * 3_600_000, deployment: "" },
    ];
    const order = await make({ ...own, fallback: asked });
    expect(order).toMatchObject({
      ...{ agent_name: "agent", deployment: "blue" },
      fallback: [
        { after_ms: 1_000, agent_name: "second/é", deployment: "blue" },
        { after_ms: 24 * 3_600_000, agent_name: "second/é", deployment: "" },
      ],
    });
    const [job] = order.jobs;
    expect(await read(`/v1/jobs/${job?.id}`)).toMatchObject({ agent_name: "agent", fallback_step: 0 });
    expect(await recordOf("job", job?.id ?? "")).toMatchObject({ fallback_after: "1000" });
  });

  test("a job that went a step shows who is asked; LiveKit's calls, and the order, name the order's agent", async () => {
    const order = await make({ ...own, fallback: [{ after_ms: 1_000, agent_name: "second" }] });
    const job = order.jobs[0]?.id ?? "";
    const at = { namespace: "default", job };
    await api.ledger.admit({ ...at, offerMs: 5_000, retryMs: 500, scan: 32 });
    const nowMs = Number((await recordOf("job", job)).created_at) + 1_000;
    const times = {
      ...{ guardMs: 5_000, graceMs: 5_000, stopMs: 5_000, silentMs: 5_000, reportMs: 5_000 },
      ...{ startMs: 5_000, coolMs: 5_000, earlyMs: 10_000 },
    };
    const reply = await api.ledger.expireJob({ ...at, ...times, awakeSinceMs: 0, nowMs });
    expect(reply).toEqual({ status: "fell_back" });
    expect(await read(`/v1/jobs/${job}`)).toMatchObject({
      ...{ agent_name: "second", deployment: "blue", fallback_step: 1 },
    });
    expect(await read(`/v1/orders/${order.id}`)).toMatchObject({ agent_name: "agent", deployment: "blue" });
    const listed = await api.twirp("ListDispatch", { room: "room1" });
    expect(await listed.json()).toMatchObject({
      agent_dispatches: [{ agent_name: "agent", state: { jobs: [{ id: job, agent_name: "agent" }] } }],
    });
  });

  test("an agent that nobody knows is looked for where the next one is known", async () => {
    await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "second" });
    const order = await make({ ...minimal, fallback: [{ after_ms: 1_000, agent_name: "second" }] });
    expect(order.namespaces).toEqual(["eu"]);
  });

  test("other steps under the same key are another order", async () => {
    const keyed = (fallback: object[]) =>
      api.rest("/v1/orders", {
        ...{ method: "POST", video: admin, body: JSON.stringify({ ...minimal, fallback }) },
        headers: { "content-type": "application/json", "idempotency-key": "k" },
      });
    const step = { after_ms: 1_000, agent_name: "second" };
    expect((await keyed([step])).status).toBe(201);
    expect((await keyed([step])).status).toBe(200);
    expect((await keyed([{ ...step, after_ms: 2_000 }])).status).toBe(409);
    expect((await keyed([])).status).toBe(409);
  });
});

describe("orders on participants", () => {
  const target = {
    for: "publishers",
    ...{ identities: ["bob", "alice"], identity_pattern: "*", attributes: { tier: "gold" }, kinds: ["sip"] },
  };

  test("have no job of their own, and stay open", async () => {
    const order = await make({ ...minimal, target, deadline_ms: 90_000 });
    expect(order).toMatchObject({
      ...{ state: "live", jobs: [], deadline_ms: 90_000, max_attempts: kit.policy.maxAttempts },
      target: { ...target, identities: ["alice", "bob"] },
    });
    const record = await recordOf("order", order.id);
    expect(record).toMatchObject({
      open: "1",
      wait_ms: "90000",
      max_attempts: String(kit.policy.maxAttempts),
    });
    expect(parseTarget(record.target ?? "")).toEqual({
      for: "publishers",
      ...{ identities: ["alice", "bob"], identityPattern: "*", attributes: { tier: "gold" }, kinds: ["sip"] },
    });
    expect(await kit.queued(api.redis, "default")).toEqual([]);
  });

  test("end when they are deleted", async () => {
    const { id } = await make({ ...minimal, target: { for: "participants" } });
    expect(await (await remove(id)).json()).toMatchObject({ id, state: "deleted", jobs: [] });
    expect((await read("/v1/orders")).total).toBe(0);
  });
});

describe("namespaces", () => {
  beforeEach(async () => {
    for (const namespace of ["default:eu", "default:us"]) {
      await kit.registerWorker(api.ledger, { namespace, agent: "agent" });
    }
  });

  test("none given: a part wherever the agent is known", async () => {
    const order = await make(minimal);
    expect(order.namespaces).toEqual(expect.arrayContaining(["eu", "us"]));
    expect(order.jobs.map(({ namespace }) => namespace).sort()).toEqual(["eu", "us"]);
  });

  test.each(["eu", "asia", ""])("%j given: there and nowhere else", async (namespace) => {
    const order = await make({ ...minimal, namespace });
    expect(order).toMatchObject({ namespaces: [namespace], jobs: [{ namespace }] });
    for (const other of ["", "eu", "us", "asia"]) {
      const { total } = await read(`/v1/orders?namespace=${other}`);
      expect({ other, total }).toEqual({ other, total: other === namespace ? 1 : 0 });
    }
    const listed = await (await api.twirp("ListDispatch", { room: "room1" })).json();
    expect(listed).toMatchObject({ agent_dispatches: [{ id: order.id }] });
  });

  test("it is deleted in all of them, by its id alone", async () => {
    const { id } = await make(minimal);
    const answer = await remove(id);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      ...{ id, state: "deleted", deleted_at_ms: expect.any(Number), ended_at_ms: expect.any(Number) },
      jobs: [
        { state: "ended", outcome: "canceled" },
        { state: "ended", outcome: "canceled" },
      ],
    });
    for (const namespace of ["eu", "us"]) {
      expect(await read(`/v1/orders?namespace=${namespace}&state=ended`)).toMatchObject({
        orders: [{ id, state: "deleted" }],
      });
    }
  });
});

describe("delete", () => {
  test("ends what runs, tells the gateway, and answers the same when repeated", async () => {
    const gateway = await kit.fakeGateway(server);
    const session = await kit.registerWorker(api.ledger, {
      ...{ namespace: "default", agent: "agent", gateway: gateway.nodeId },
    });
    const { id, jobs } = await make(minimal);
    const job = jobs[0]?.id ?? "";
    await kit.runJob(api.ledger, "default", job);
    const first = await (await remove(id)).json();
    expect(first).toMatchObject({
      id,
      state: "deleted",
      jobs: [{ id: job, state: "ended", outcome: "canceled" }],
    });
    await waitUntil("the gateway is told", () => gateway.received.length > 0);
    expect(gateway.received[0]).toMatchObject({ kind: "stop", session, job });
    const second = await remove(id);
    expect(second.status).toBe(200);
    expect(await second.json()).toEqual(first);
    await gateway.stop();
  });

  test("also what CreateDispatch made", async () => {
    const made = (await (await api.twirp("CreateDispatch", minimal)).json()) as { id: string };
    expect(await (await remove(made.id)).json()).toMatchObject({ id: made.id, state: "deleted" });
  });

  test("what is not there is not found, and ids are checked", async () => {
    const before = await kit.dump(api.redis);
    const missing = await remove("AD_nothing");
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      code: "not_found",
      message: "there is no order AD_nothing",
    });
    expect(await (await remove("a:b")).json()).toMatchObject({ code: "invalid_argument", field: "id" });
    expect(await kit.dump(api.redis)).toEqual(before);
  });
});

describe("who may", () => {
  test.each<[string, object, number]>([
    ["the admin of all rooms", { roomAdmin: true }, 201],
    ["the admin of the room", { roomAdmin: true, room: "room1" }, 201],
    ["the admin of another room", { roomAdmin: true, room: "room2" }, 403],
    ["who may list", { roomList: true }, 403],
    ["a participant", { roomJoin: true, room: "room1" }, 403],
    ["a worker", { agent: true }, 403],
  ])("%s", async (_who, video, status) => {
    const { id } = await make(minimal);
    const before = await kit.dump(api.redis);
    expect((await post({ ...minimal, target: { for: "participants" } }, video)).status).toBe(status);
    if (status !== 201) {
      expect(await (await remove(id, video)).json()).toMatchObject({ status, code: "permission_denied" });
      expect(await kit.dump(api.redis)).toEqual(before);
    } else expect((await remove(id, video)).status).toBe(200);
  });

  test("without a token, nobody", async () => {
    const { id } = await make(minimal);
    const before = await kit.dump(api.redis);
    for (const [method, path] of [
      ["POST", "/v1/orders"],
      ["DELETE", `/v1/orders/${id}`],
    ] as const) {
      const answer = await fetch(api.url + path, { method });
      expect(await answer.json()).toMatchObject({ status: 401, code: "unauthenticated" });
    }
    expect(await kit.dump(api.redis)).toEqual(before);
  });
});

test("orders are counted by the door they came to", async () => {
  await make(minimal);
  await api.twirp("CreateDispatch", minimal);
  await post({ room: "room1" });
  await post(minimal, { roomList: true });
  const lines = (await (await fetch(`${api.url}/metrics`)).text())
    .split("\n")
    .filter((line) => /^\w*orders_(accepted|refused)_total\{/.test(line));
  const counted = (name: string, door: string) =>
    lines
      .find((line) => line.includes(name) && line.includes(`api="${door}"`))
      ?.split(" ")
      .at(-1);
  expect(counted("accepted", "rest")).toBe("1");
  expect(counted("accepted", "twirp")).toBe("1");
  expect(counted("refused", "rest")).toBe("2");
});
