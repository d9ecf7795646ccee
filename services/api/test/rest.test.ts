/** The REST API: what is shown to whom, page by page, and how a job is terminated. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { encodeParticipant } from "@muster/wire/job-message";
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

async function order(room: string, extra: object = {}): Promise<{ id: string; job: string }> {
  const body = {
    room,
    agent_name: "agent",
    metadata: `secret of ${room}`,
    attributes: { who: room },
    ...extra,
  };
  const created = (await (await api.twirp("CreateDispatch", body)).json()) as {
    id: string;
    state: { jobs: { id: string }[] };
  };
  return { id: created.id, job: created.state.jobs[0]?.id ?? "" };
}

async function read(path: string): Promise<Json> {
  const answer = await api.rest(path);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/json");
  return (await answer.json()) as Json;
}

async function refused(answer: Promise<Response>): Promise<Json> {
  const { headers, status, ...response } = await answer.then(async (got) => ({
    headers: got.headers,
    status: got.status,
    body: (await got.json()) as Json,
  }));
  expect(headers.get("content-type")).toBe("application/problem+json");
  expect(response.body.status).toBe(status);
  expect(response.body.message).not.toBe("");
  return response.body;
}

const fieldsOf = (schema: { shape: object }) => Object.keys(schema.shape).sort();

test("workers are listed and read", async () => {
  const gateway = kit.newId("node");
  const id = await kit.registerWorker(api.ledger, {
    namespace: "default",
    agent: "agent",
    deployment: "blue",
    gateway,
  });
  const sample = { session: id, status: "full", draining: true, load: 0.5, job_count: 2 } as const;
  await api.ledger.sampleSessions({ namespace: "default", gateway, samples: [sample] });
  const one = await read(`/v1/workers/${id}`);
  expect(one).toMatchObject({
    id,
    namespace: "",
    agent_name: "agent",
    deployment: "blue",
    gateway,
    type: "room",
    version: "1.0.0",
  });
  expect(one).toMatchObject({
    status: "full",
    draining: true,
    load: 0.5,
    reported_jobs: 2,
    cooling_until_ms: null,
    health: { state: "ok", until_ms: null, why: null, strikes: 0 },
  });
  expect(Object.keys(one).sort()).toEqual(fieldsOf(schemas.Worker));
  expect(await read("/v1/workers")).toEqual({ workers: [one], next_cursor: null, total: 1 });
});

test("jobs are live, then ended; metadata is in the single read only", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const { id, job } = await order("room1");
  await kit.runJob(api.ledger, "default", job);
  const { jobs } = (await read("/v1/jobs")) as { jobs: Json[] };
  expect(jobs).toHaveLength(1);
  expect(Object.keys(jobs[0] ?? {}).sort()).toEqual(fieldsOf(schemas.Job));
  expect(jobs[0]).toMatchObject({
    id: job,
    order_id: id,
    state: "running",
    outcome: null,
    agent_name: "agent",
    attempts: 1,
  });
  expect(jobs[0]).toMatchObject({ room: "room1", participant_identity: `agent-${job}`, ended_at_ms: null });
  expect(JSON.stringify(jobs)).not.toContain("secret of");
  const one = await read(`/v1/jobs/${job}`);
  const ofItsOwn = {
    participant: null,
    position: null,
    estimated_wait_ms: null,
    workers_ejected_until_ms: null,
  };
  expect(one).toEqual({ ...jobs[0], ...ofItsOwn, metadata: "secret of room1", attributes: { who: "room1" } });
  expect((await read("/v1/jobs?state=ended")).total).toBe(0);

  const { worker_id: session, worker_job_id: wire } = one as { worker_id: string; worker_job_id: string };
  const times = { startMs: 30_000, coolMs: 5_000, earlyMs: 10_000 };
  await api.ledger.report({
    ...{ namespace: "default", job, wire, session, status: "success", message: "", ...times },
  });
  expect((await read("/v1/jobs")).jobs).toEqual([]);
  const ended = (await read("/v1/jobs?state=ended")) as { jobs: Json[] };
  expect(ended.jobs[0]).toMatchObject({ id: job, state: "ended", outcome: "success", cause: "reported" });
});

test("a job is found by what any of its offers carried, as a worker's log has it", async () => {
  const session = await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const { job } = await order("room1");
  const { epoch } = await kit.startJob(api.ledger, "default", job);
  const status = async (id: string, of = "") => (await api.rest(`/v1/jobs/${id}${of}`)).status;
  expect(await status(`${job}.2`)).toBe(404);
  await api.ledger.withdrawStart({ namespace: "default", job, session, epoch, guardMs: 1_000 });
  await kit.startJob(api.ledger, "default", job);
  expect(await read(`/v1/jobs/${job}.2`)).toMatchObject({ id: job, worker_job_id: `${job}.2`, offers: 2 });
  expect(await read(`/v1/jobs/${job}.2`)).toEqual(await read(`/v1/jobs/${job}`));
  expect(await read(`/v1/jobs/${job}.2/explain`)).toMatchObject({ id: job, attempts: [{}, {}] });
  for (const no of [".3", ".1", ".", ".2.2", ".02", ".x"])
    for (const of of ["", "/explain"])
      expect([no, of, await status(`${job}${no}`, of)]).toEqual([no, of, 404]);
  // What an earlier worker was asked is over; whoever ends a job names the job.
  const ended = await api.rest(`/v1/jobs/${job}.2/terminate`, { method: "POST", video: { roomAdmin: true } });
  expect(ended.status).toBe(404);
});

test("an order lists its jobs, the live ones first, and a participant's job says whose it is", async () => {
  const { id, job } = await order("room1");
  const newJob = (nr: number) => ({
    ...{ id: `AJ_${nr}`, type: "participant", pool: "participant/agent/", room_sid: "", max_attempts: 3 },
    participant_info: encoded({ identity: `caller-${nr}`, sid: `PA_${nr}` }),
  });
  const newJobs = Array.from({ length: 101 }, (_, nr) => newJob(nr));
  const told = { roomSid: "RM_1", roomInfo: "", roomInfoAt: 0, opens: false, listenMs: 0, guardMs: 1_000 };
  await api.ledger.extendOrder({
    ...{ namespace: "default", order: id, newJobs, waitMs: 60_000, rests: -1, ...told },
  });
  await api.rest(`/v1/jobs/${job}/terminate`, { method: "POST", video: { roomAdmin: true } });
  const { jobs, more_jobs } = (await read(`/v1/orders/${id}`)) as { jobs: Json[]; more_jobs: boolean };
  expect(more_jobs).toBe(true);
  expect(jobs).toHaveLength(100);
  expect(jobs.every(({ state, type }) => state === "queued" && type === "participant")).toBe(true);
  const participant = { identity: "caller-7", sid: "PA_7" };
  expect(await read("/v1/jobs/AJ_7")).toMatchObject({ type: "participant", participant });
  for (const { id: live } of newJobs)
    await api.rest(`/v1/jobs/${live}/terminate`, { method: "POST", video: { roomAdmin: true } });
  const after = (await read(`/v1/orders/${id}`)) as { jobs: Json[] };
  expect(after.jobs[0]).toEqual({
    id: job,
    namespace: "",
    type: "room",
    state: "ended",
    outcome: "canceled",
  });
});

const encoded = (participant: { identity: string; sid: string }) =>
  Buffer.from(encodeParticipant(participant)).toString("base64");

test("orders are live, then ended or deleted; metadata is in the single read only", async () => {
  const { id, job } = await order("room1", { deployment: "blue", restart_policy: "JRP_NEVER" });
  const { orders } = (await read("/v1/orders")) as { orders: Json[] };
  expect(Object.keys(orders[0] ?? {}).sort()).toEqual(fieldsOf(schemas.Order));
  expect(orders[0]).toMatchObject({
    id,
    state: "live",
    room: "room1",
    agent_name: "agent",
    deployment: "blue",
    restart_policy: "never",
  });
  const one = await read(`/v1/orders/${id}`);
  const secrets = { metadata: "secret of room1", attributes: { who: "room1" } };
  expect(one).toEqual({
    ...orders[0],
    ...secrets,
    warnings: [expect.stringContaining('no worker of type room is known for agent "agent"')],
    jobs: [{ id: job, namespace: "", type: "room", state: "queued", outcome: null }],
    more_jobs: false,
  });
  await api.twirp("DeleteDispatch", { room: "room1", dispatch_id: id } as { room: string });
  expect((await read("/v1/orders")).total).toBe(0);
  expect(((await read("/v1/orders?state=ended")).orders as Json[])[0]).toMatchObject({
    id,
    state: "deleted",
  });
});

test("namespaces are apart", async () => {
  const id = await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  expect((await read("/v1/workers")).total).toBe(0);
  expect(((await read("/v1/workers?namespace=eu")).workers as Json[])[0]).toMatchObject({
    id,
    namespace: "eu",
  });
  expect(await refused(api.rest(`/v1/workers/${id}`))).toMatchObject({ code: "not_found" });
  expect(await read(`/v1/workers/${id}?namespace=eu`)).toMatchObject({ id });
});

describe("paging", () => {
  test("walks a list in pages, once over everything", async () => {
    const made: string[] = [];
    for (let room = 0; room < 7; room++) made.push((await order(`room${room}`)).id);
    const seen: unknown[] = [];
    let pages = 0;
    for (let cursor: unknown = ""; cursor !== null; pages++) {
      const page = await read(`/v1/orders?limit=3${cursor === "" ? "" : `&cursor=${String(cursor)}`}`);
      seen.push(...(page.orders as Json[]).map(({ id }) => id));
      expect(page.total).toBe(7);
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(made);
    expect(pages).toBe(3);
  });

  test.each([
    ["limit=0", "limit"],
    ["limit=501", "limit"],
    ["limit=x", "limit"],
    ["cursor=nonsense", "cursor"],
    [`cursor=${Buffer.from("orders:1").toString("base64url")}`, "cursor"],
    ["state=all", "state"],
    ["namespace=a:b", "namespace"],
    ["namespace=%7Bx%7D", "namespace"],
  ])("refuses %s, and names it", async (query, field) => {
    expect(await refused(api.rest(`/v1/jobs?${query}`))).toMatchObject({
      status: 400,
      code: "invalid_argument",
      field,
    });
  });
});

describe("who may", () => {
  let id: string;
  let job: string;
  beforeEach(async () => {
    ({ id, job } = await order("room1"));
  });

  test("without a token, nobody", async () => {
    for (const path of ["/v1/jobs", "/v1/nothing"]) {
      const problem = await refused(fetch(api.url + path));
      expect(problem).toMatchObject({ status: 401, code: "unauthenticated", field: "authorization" });
    }
  });

  test.each([
    ["lists", () => "/v1/jobs"],
    ["workers", () => "/v1/workers"],
    ["single jobs", () => `/v1/jobs/${job}`],
    ["single jobs, with their attempts", () => `/v1/jobs/${job}/explain`],
    ["single orders", () => `/v1/orders/${id}`],
  ])("reads %s", async (what, path) => {
    const status = async (video: NonNullable<Parameters<typeof api.rest>[1]>["video"] = {}) =>
      (await api.rest(path(), { video })).status;
    const isSingle = what.startsWith("single");
    expect(await status({ roomList: true })).toBe(200);
    expect(await status({ roomAdmin: true })).toBe(200);
    expect(await status({ roomAdmin: true, room: "room1" })).toBe(isSingle ? 200 : 403);
    expect(await status({ roomAdmin: true, room: "room2" })).toBe(403);
    expect(await status({ roomJoin: true, room: "room1" })).toBe(403);
    expect(await status({ agent: true })).toBe(403);
  });

  test("terminates, and what is missing is named", async () => {
    const terminate = (video: object) => api.rest(`/v1/jobs/${job}/terminate`, { method: "POST", video });
    const before = await kit.dump(api.redis);
    expect((await refused(terminate({ roomList: true }))).message).toContain("video.roomAdmin");
    expect((await refused(terminate({ roomAdmin: true, room: "room2" }))).message).toContain("another room");
    expect(await kit.dump(api.redis)).toEqual(before);
    expect((await terminate({ roomAdmin: true, room: "room1" })).status).toBe(200);
  });
});

describe("terminate", () => {
  const video = { roomAdmin: true };

  test("ends the job, tells the gateway, and answers the same when repeated", async () => {
    const gateway = await kit.fakeGateway(server);
    const session = await kit.registerWorker(api.ledger, {
      namespace: "default",
      agent: "agent",
      gateway: gateway.nodeId,
    });
    const { job } = await order("room1");
    await kit.runJob(api.ledger, "default", job);
    const terminate = () =>
      api.rest(`/v1/jobs/${job}/terminate`, {
        ...{ method: "POST", video, headers: { "content-type": "application/json" } },
        body: JSON.stringify({ reason: "enough" }),
      });
    expect(await (await terminate()).json()).toEqual({ id: job, outcome: "canceled", already_ended: false });
    await waitUntil("the gateway is told", () => gateway.received.length > 0);
    expect(gateway.received).toEqual([{ kind: "stop", namespace: "default", session, job, wire: job }]);
    expect(await read(`/v1/jobs/${job}`)).toMatchObject({
      state: "ended",
      error: "enough",
      cause: "terminated",
    });
    expect(await (await terminate()).json()).toEqual({ id: job, outcome: "canceled", already_ended: true });
    await gateway.stop();
  });

  test("needs no body; wakes the owner when others wait for the place", async () => {
    const owner = await kit.fakeDispatcher(server);
    await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
    const [offered, waiting] = [await order("room1"), await order("room2")];
    const claim = { namespace: "default", offerMs: 5_000, retryMs: 500, scan: 32 };
    expect((await api.ledger.admit({ ...claim, job: offered.job })).status).toBe("offered");
    expect((await api.ledger.admit({ ...claim, job: waiting.job })).status).toBe("parked");
    const answer = await api.rest(`/v1/jobs/${offered.job}/terminate`, { method: "POST", video });
    expect(answer.status).toBe(200);
    await waitUntil("the owner serves the pool", () =>
      owner.received.some(({ message }) => message.kind === "serve"),
    );
    expect(owner.received.at(-1)).toEqual({
      actor: "default",
      message: { kind: "serve", pool: "room/agent/" },
    });
    await owner.stop();
  });

  test("refuses a reason that is not sent as JSON, instead of passing over it", async () => {
    const { job } = await order("room1");
    const body = new URLSearchParams({ reason: "enough" });
    const problem = await refused(api.rest(`/v1/jobs/${job}/terminate`, { method: "POST", video, body }));
    expect(problem).toMatchObject({ code: "invalid_argument", field: "content-type" });
    expect(await read(`/v1/jobs/${job}`)).toMatchObject({ state: "queued" });
  });

  test.each([
    [
      "a reason that is too long",
      JSON.stringify({ reason: "r".repeat(4_097) }),
      400,
      "invalid_argument",
      "reason",
    ],
    ["a reason of the wrong type", JSON.stringify({ reason: 7 }), 400, "invalid_argument", "reason"],
    ["a body that is no JSON", "{", 400, "malformed", "body"],
    ["a body that is too large", " ".repeat(70_000), 413, "too_large", "body"],
  ])("refuses %s", async (_what, body, status, code, field) => {
    const { job } = await order("room1");
    const headers = { "content-type": "application/json" };
    const before = await kit.dump(api.redis);
    const problem = await refused(
      api.rest(`/v1/jobs/${job}/terminate`, { method: "POST", video, headers, body }),
    );
    expect(problem).toMatchObject({ status, code, field });
    expect(await kit.dump(api.redis)).toEqual(before);
  });
});

test("what is not there is said in one line", async () => {
  for (const path of ["/v1/jobs/AJ_nothing", "/v1/orders/AD_nothing", "/v1/workers/AW_nothing"]) {
    const { message } = await refused(api.rest(path));
    expect(message).toBe(
      `there is no ${path.split("/")[2]?.slice(0, -1)} ${path.split("/")[3]} in the default namespace`,
    );
  }
  expect(await refused(api.rest("/v1/jobs/a:b"))).toMatchObject({ code: "invalid_argument", field: "id" });
  expect((await refused(api.rest("/v1/nothing"))).message).toBe(
    "no such route: GET /v1/nothing; /v1/openapi.json lists them",
  );
  expect((await refused(api.rest("/v1/jobs", { method: "DELETE" }))).status).toBe(404);
});
