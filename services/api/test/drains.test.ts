/** Drains over HTTP: whom they cover, what is refused, how far they are, and that an undone one lets its workers go. */

import type { ActorEnvelope } from "@muster/actor/actor-link";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { plainAddress } from "../src/drain-target.js";
import * as schemas from "../src/rest/drain-schemas.js";
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

interface Drain {
  id: string;
  done: boolean;
}
const ADMIN = { roomAdmin: true };

async function call<T = Drain>(method: string, path: string, body?: object, video = ADMIN) {
  const answer = await api.rest(path, {
    ...{ method, video, headers: { "content-type": "application/json" } },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as T & { field?: string } };
}
const begin = (target: object, rest: object = {}) => call("POST", "/v1/drains", { target, ...rest });
const drainedBy = async (id: string, query = "") => {
  const { body } = await call<{ drained_by: string[] }>("GET", `/v1/workers/${id}${query}`);
  return body.drained_by;
};
const worker = (facts: Partial<kit.WorkerFacts> = {}) =>
  kit.registerWorker(api.ledger, { namespace: "default", agent: "agent", ...facts });

test.each([
  ["worker", (id: string) => ({ kind: "worker", worker: id })],
  ["gateway", () => ({ kind: "gateway", gateway: "NO_1" })],
  ["deployment", () => ({ kind: "deployment", agent_name: "agent", deployment: "blue" })],
  ["client ip", () => ({ kind: "client_ip", client_ip: "::ffff:10.0.0.1" })],
])("a drain of a %s holds whom it covers, here and in no other namespace", async (_, targetOf) => {
  const facts = { gateway: "NO_1", deployment: "blue" };
  const theirs = await worker(facts);
  const elsewhere = await worker({ ...facts, namespace: "default:eu" });
  const target = targetOf(theirs);
  const { status, body } = await begin(target, { reason: "upkeep" });
  expect(status).toBe(201);
  expect(Object.keys(body).sort()).toEqual(Object.keys(schemas.DrainDetail.shape).sort());
  const shown = target.kind === "client_ip" ? { kind: "client_ip", client_ip: "10.0.0.1" } : target;
  expect(body).toMatchObject({ namespace: "", target: shown, reason: "upkeep", workers: 1, done: true });
  expect(await drainedBy(theirs)).toEqual([body.id]);
  expect(await drainedBy(elsewhere, "?namespace=eu")).toEqual([]);
  const {
    done: _done,
    workers: _workers,
    workers_behind: _behind,
    ...rest
  } = body as unknown as Record<string, unknown>;
  const { jobs: _jobs, offers: _offers, jobs_away: _away, ...stored } = rest;
  expect((await call("GET", "/v1/drains")).body).toEqual({ drains: [stored] });
  expect((await call("GET", "/v1/drains?namespace=eu")).body).toEqual({ drains: [] });
});

test("asked for again is the drain that stands, with its own reason", async () => {
  const target = { kind: "gateway", gateway: "NO_1" };
  const first = await begin(target, { reason: "one" });
  const again = await begin(target, { reason: "two" });
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.body).toEqual(first.body);
  const there = await begin(target, { namespace: "eu" });
  expect(there.status).toBe(201);
  expect(there.body.id).not.toBe(first.body.id);
  expect(await api.metrics.render()).toContain('muster_drain_changes_total{change="begun"} 2');
});

test("is done when its workers have nothing left; undone, the waiting job's pool is served", async () => {
  const dispatcher = await kit.fakeDispatcher(server);
  const id = await worker();
  const made = (await (
    await api.twirp("CreateDispatch", { room: "room", agent_name: "agent" } as object)
  ).json()) as { state: { jobs: { id: string }[] } };
  const job = made.state.jobs[0]?.id ?? "";
  await kit.runJob(api.ledger, "default", job);
  const { body: drain } = await begin({ kind: "worker", worker: id });
  const path = `/v1/drains/${drain.id}`;
  expect((await call("GET", path)).body).toMatchObject({ done: false, workers: 1, jobs: 1, offers: 0 });
  const { body: found } = await call<{ worker_job_id: string }>("GET", `/v1/jobs/${job}`);
  const report = { job, wire: found.worker_job_id, session: id, status: "success", message: "" };
  await api.ledger.report({
    namespace: "default",
    ...report,
    startMs: 30_000,
    coolMs: 5_000,
    earlyMs: 10_000,
  });
  expect((await call("GET", path)).body).toMatchObject({ done: true, workers: 1, jobs: 0 });

  const next = (await (
    await api.twirp("CreateDispatch", { room: "other", agent_name: "agent" } as object)
  ).json()) as { state: { jobs: { id: string }[] } };
  const waiting = next.state.jobs[0]?.id ?? "";
  const claim = { namespace: "default", job: waiting, offerMs: 5_000, retryMs: 500, scan: 32 };
  expect(await api.ledger.admit(claim)).toMatchObject({ status: "parked" });
  expect((await call("DELETE", path)).body).toEqual({ id: drain.id, was_there: true });
  expect(await drainedBy(id)).toEqual([]);
  const served = () =>
    dispatcher.received.some(
      ({ message }: ActorEnvelope<NamespaceMessage>) =>
        message.kind === "serve" && message.pool === "room/agent/",
    );
  await waitUntil("the pool is to be served", served);
  expect((await call("DELETE", path)).body).toEqual({ id: drain.id, was_there: false });
  expect((await call("GET", path)).status).toBe(404);
  expect(await api.metrics.render()).toContain('muster_drain_changes_total{change="undone"} 1');
  await dispatcher.stop();
});

describe("refused, and nothing changes:", () => {
  test.each([
    ["no target", {}, "target"],
    ["an unknown kind", { target: { kind: "room" } }, "target.kind"],
    ["a worker without id", { target: { kind: "worker" } }, "target.worker"],
    ["a worker id that is none", { target: { kind: "worker", worker: "a b" } }, "target.worker"],
    ["a gateway that is none", { target: { kind: "gateway", gateway: "" } }, "target.gateway"],
    ["a deployment without agent", { target: { kind: "deployment" } }, "target.agent_name"],
    [
      "an agent name that is too long",
      { target: { kind: "deployment", agent_name: "x".repeat(257) } },
      "target.agent_name",
    ],
    [
      "a deployment with an underscore",
      { target: { kind: "deployment", agent_name: "a", deployment: "a_b" } },
      "target.deployment",
    ],
    ["an address that is none", { target: { kind: "client_ip", client_ip: "10.0.0" } }, "target.client_ip"],
    [
      "a field of another kind",
      { target: { kind: "gateway", gateway: "NO_1", worker: "x" } },
      "target.worker",
    ],
    [
      "a reason that is too long",
      { target: { kind: "gateway", gateway: "NO_1" }, reason: "x".repeat(1025) },
      "reason",
    ],
    [
      "a namespace that is none",
      { target: { kind: "gateway", gateway: "NO_1" }, namespace: "/" },
      "namespace",
    ],
    ["an unknown field", { target: { kind: "gateway", gateway: "NO_1" }, force: true }, "force"],
  ])("%s", async (_, body, field) => {
    const before = await kit.dump(api.redis);
    const { status, body: problem } = await call("POST", "/v1/drains", body);
    expect({ status, field: problem.field }).toEqual({ status: 400, field });
    expect(await kit.dump(api.redis)).toEqual(before);
  });

  test("a worker that is not there", async () => {
    const { status, body } = await begin({ kind: "worker", worker: "AW_nobody" });
    expect({ status, field: body.field }).toEqual({ status: 404, field: "target.worker" });
  });

  test("whoever may not change everything", async () => {
    const body = { target: { kind: "gateway", gateway: "NO_1" } };
    for (const video of [{ roomList: true }, { roomAdmin: true, room: "room" }]) {
      const init = { video, headers: { "content-type": "application/json" } };
      const asked = await api.rest("/v1/drains", { ...init, method: "POST", body: JSON.stringify(body) });
      expect(asked.status).toBe(403);
      expect((await api.rest("/v1/drains/DR_1", { ...init, method: "DELETE" })).status).toBe(403);
    }
    expect((await api.rest("/v1/drains", { video: { roomAdmin: true, room: "room" } })).status).toBe(403);
    expect((await api.rest("/v1/drains")).status).toBe(200);
  });
});

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["::1", "::1"],
  ["fe80::1%eth0", undefined],
  ["10.0.0.256", undefined],
  ["example.org", undefined],
])("the address %s is spelt as gateways do", (text, spelt) => {
  expect(plainAddress(text)).toBe(spelt);
});
