/**
 * Every call that changes something, asked for more than once: because its caller says it twice, because several say it
 * at once, because the answer got lost on the way to the caller, or Redis's reply on the way to us. It is done once.
 */
import { poolName } from "@muster/domain/pool";
import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import { Lanes } from "@muster/runtime/queue/lanes";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { scriptNames } from "@muster/test/bench/script-names";
import { loseAnswers } from "@muster/test/cluster/losing-answers";
import { type FlakyProxy, startFlakyProxy } from "@muster/test/kit/flaky-proxy";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { drainId } from "../src/drain-target.js";
import { hookFor } from "../src/events/hook.js";
import { type DispatchCallsDeps, dispatchCalls } from "../src/twirp/dispatch-calls.js";
import { startReceiver } from "./events-kit.js";
import * as kit from "./kit.js";

interface Dispatch {
  id: string;
  state: { jobs: { id: string }[] };
}

interface Change {
  /** The script that does it. */
  script: string;
  /** What must be there before. Answers what the call is about. */
  prepare(room: string): Promise<Dispatch | undefined>;
  ask(url: string, room: string, subject: Dispatch | undefined): Promise<Response>;
  /** That it was done, and once. */
  check(room: string): Promise<void>;
}

let server: RedisServer;
let proxy: FlakyProxy;
const clients: RedisClient[] = [];
let api: kit.RunningApi;

/** Through the proxy. */
function client(): RedisClient {
  const connected = connectRedis({ url: proxy.url, name: "api", log: kit.silent });
  clients.push(connected);
  return connected;
}

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  proxy = await startFlakyProxy({ target: { host: "127.0.0.1", port: server.port } });
  api = await kit.runApi({ ...server, client });
  // One takes the job of the test, the other that of the call before it.
  for (let index = 0; index < 2; index++)
    await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
});
afterEach(async () => {
  await api.stop();
  await Promise.all(clients.splice(0).map(closeRedis));
  await proxy.stop();
});
afterAll(() => server.stop());

const CHANGES: Record<string, Change> = {
  "POST /twirp/livekit.AgentDispatchService/CreateDispatch": {
    script: "create-order",
    prepare: async () => undefined,
    ask: create,
    check: isMade,
  },
  "POST /twirp/livekit.AgentDispatchService/DeleteDispatch": {
    script: "delete-order",
    prepare: running,
    ask: (url, room, subject) => twirp(url, "DeleteDispatch", { room, dispatch_id: subject?.id }),
    check: (room) => isStopped(room, { order: "deleted", cause: "order_deleted" }),
  },
  "POST /v1/orders": {
    script: "create-order",
    prepare: async () => undefined,
    ask: (url, room) =>
      fetch(`${url}/v1/orders`, {
        method: "POST",
        headers: { ...asAdminOf(room), "content-type": "application/json", "idempotency-key": room },
        body: JSON.stringify({ room, agent_name: "agent" }),
      }),
    check: isMade,
  },
  "DELETE /v1/orders/{id}": {
    script: "delete-order",
    prepare: running,
    ask: (url, room, subject) =>
      fetch(`${url}/v1/orders/${subject?.id}`, { method: "DELETE", headers: asAdminOf(room) }),
    check: (room) => isStopped(room, { order: "deleted", cause: "order_deleted" }),
  },
  "POST /v1/jobs/{id}/terminate": {
    script: "terminate-job",
    prepare: running,
    ask: (url, room, subject) =>
      fetch(`${url}/v1/jobs/${subject?.state.jobs[0]?.id}/terminate`, {
        method: "POST",
        headers: asAdminOf(room),
      }),
    check: (room) => isStopped(room, { order: "ended", cause: "terminated" }),
  },
  "POST /v1/workers/{id}/reinstate": {
    script: "reinstate-session",
    prepare: async (room) => {
      const dispatch = await running(room);
      await api.redis.hset(
        `muster:{default}:session:${(await holderOf(room)).session}`,
        "struck",
        "rejects,AJ_a,AD_a,r;",
      );
      return dispatch;
    },
    ask: async (url, room) => asked(url, "POST", `/v1/workers/${(await holderOf(room)).session}/reinstate`),
    async check(room) {
      const { session = "" } = await holderOf(room);
      expect(await api.redis.hexists(`muster:{default}:session:${session}`, "struck")).toBe(0);
    },
  },
  "PATCH /v1/orders/{id}": {
    script: "change-order",
    prepare: waiting,
    ask: (url, _room, subject) => asked(url, "PATCH", `/v1/orders/${subject?.id}`, { priority: 7 }),
    check: async (room) => expect((await heldIn(room)).orders).toMatchObject([{ priority: "7" }]),
  },
  "POST /v1/orders/{id}/hold": {
    script: "hold-order",
    prepare: waiting,
    ask: (url, _room, subject) => asked(url, "POST", `/v1/orders/${subject?.id}/hold`),
    check: (room) => isOnHold(room, true),
  },
  "POST /v1/orders/{id}/release": {
    script: "release-order",
    async prepare(room) {
      const dispatch = await waiting(room);
      await answered(asked(api.url, "POST", `/v1/orders/${dispatch.id}/hold`));
      return dispatch;
    },
    ask: (url, _room, subject) => asked(url, "POST", `/v1/orders/${subject?.id}/release`),
    check: (room) => isOnHold(room, false),
  },
  "PUT /v1/placement-policies": {
    script: "set-placement",
    prepare: async () => undefined,
    ask: (url, room) => asked(url, "PUT", policyOf(room), { strategy: "pack" }),
    check: async (room) =>
      expect((await policies())[`agent:${encodeURIComponent(room)}`]).toBe('{"strategy":"pack"}'),
  },
  "DELETE /v1/placement-policies": {
    script: "set-placement",
    prepare: async (room) => void (await asked(api.url, "PUT", policyOf(room), { strategy: "pack" })),
    ask: (url, room) => asked(url, "DELETE", policyOf(room)),
    check: async (room) => expect((await policies())[`agent:${encodeURIComponent(room)}`]).toBeUndefined(),
  },
  "PUT /v1/workers/{id}/labels": {
    script: "set-labels",
    prepare: async () => undefined,
    ask: async (url) => asked(url, "PUT", `/v1/workers/${await someWorker()}/labels`, { labels: { a: "b" } }),
    check: async () => expect((await workers())[0]).toMatchObject({ labels: { a: "b" } }),
  },
  "DELETE /v1/pools/{id}": {
    script: "forget-pool",
    async prepare(room) {
      const session = await kit.registerWorker(api.ledger, { namespace: "default", agent: room });
      const ending = { goodbye: true, clean: true, graceMs: 1, guardMs: 1 };
      await api.ledger.deregisterSession({ namespace: "default", session, ...ending });
      return undefined;
    },
    ask: (url, room) => asked(url, "DELETE", `/v1/pools/${Buffer.from(poolFor(room)).toString("base64url")}`),
    async check(room) {
      const asked = { namespace: "default", names: [poolFor(room)] };
      expect((await api.ledger.knownPools(asked)).names).toEqual([]);
      const agent = { project: "default", agent: room, briefMs: 0 };
      expect((await api.ledger.listAgent(agent)).namespaces).toEqual([]);
    },
  },
  "POST /v1/drains": {
    script: "put-drain",
    prepare: async () => undefined,
    ask: (url, room) => asked(url, "POST", "/v1/drains", drainOf(room)),
    check: async (room) => expect(await drainsOf(room)).toHaveLength(1),
  },
  "DELETE /v1/drains/{id}": {
    script: "delete-drain",
    prepare: async (room) => void (await asked(api.url, "POST", "/v1/drains", drainOf(room))),
    ask: (url, room) =>
      asked(url, "DELETE", `/v1/drains/${drainId("default", { kind: "gateway", value: room })}`),
    check: async (room) => expect(await drainsOf(room)).toEqual([]),
  },
  "PUT /v1/deployment-splits": {
    script: "set-split",
    prepare: async () => undefined,
    ask: (url, room) => asked(url, "PUT", `/v1/deployment-splits?agent_name=${room}`, SPLIT),
    check: async (room) => expect(await splitsOf(room)).toHaveLength(1),
  },
  "DELETE /v1/deployment-splits": {
    script: "set-split",
    prepare: async (room) =>
      void (await asked(api.url, "PUT", `/v1/deployment-splits?agent_name=${room}`, SPLIT)),
    ask: (url, room) => asked(url, "DELETE", `/v1/deployment-splits?agent_name=${room}`),
    check: async (room) => expect(await splitsOf(room)).toEqual([]),
  },
  ...changesOf("rules", "/v1/rules", { when: { room_pattern: "*" }, orders: [{ agent_name: "agent" }] }),
  ...changesOf("configurations", "/v1/room-configurations", { agents: [{ agent_name: "agent" }] }),
};

function changesOf(kind: string, path: string, body: object): Record<string, Change> {
  const put = (url: string, id: string) => asked(url, "PUT", `${path}/${id}`, body);
  const read = async (id: string) =>
    (await api.ledger.readDefinition({ project: "default", kind, id })).status;
  const isIt = async (room: string, status: string) => expect(await read(room)).toBe(status);
  return {
    [`PUT ${path}/{id}`]: {
      script: "put-definition",
      prepare: async () => undefined,
      ask: put,
      check: (room) => isIt(room, "found"),
    },
    [`DELETE ${path}/{id}`]: {
      script: "delete-definition",
      prepare: async (room) => void (await put(api.url, room)),
      ask: (url, room) => asked(url, "DELETE", `${path}/${room}`),
      check: (room) => isIt(room, "unknown"),
    },
  };
}

const SPLIT = {
  candidate: "v2",
  steps: [{ after_ms: 0, percent: 10 }],
  rollback: { max_bad_percent: 10, min_jobs: 5 },
};

async function splitsOf(room: string) {
  const { splits } = await api.ledger.readSplits({ namespace: "default" });
  return Object.values(splits).filter(({ agent }) => agent === room);
}

const drainOf = (room: string) => ({ target: { kind: "gateway", gateway: room } });

async function drainsOf(room: string) {
  const { texts } = await api.ledger.listDrains({ namespace: "default" });
  return texts.filter((text) => (JSON.parse(text) as { value: string }).value === room);
}

const poolFor = (agentName: string) => poolName({ agentName, type: "room", deployment: "" });
const policyOf = (agent: string) => `/v1/placement-policies?agent_name=${encodeURIComponent(agent)}`;
const policies = async () => (await api.ledger.readPlacement({ namespace: "default" })).policies;

async function workers() {
  const answer = await asked(api.url, "GET", "/v1/workers");
  return ((await answer.json()) as { workers: { id: string; labels: object }[] }).workers;
}
/** The longest connected. */
const someWorker = async () => (await workers())[0]?.id;

async function asked(url: string, method: string, path: string, body?: object): Promise<Response> {
  return await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${kit.token({ roomAdmin: true })}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

test("there are no others", async () => {
  const document = (await (await api.rest("/v1/openapi.json")).json()) as { paths: Record<string, object> };
  const rest = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const calls = [...dispatchCalls({} as DispatchCallsDeps).keys()];
  const all = [...rest, ...calls.map((name) => `POST /twirp/livekit.AgentDispatchService/${name}`)];
  const changing = all.filter((name) => !/^GET |\/ListDispatch$|\/dry-run$/.test(name));
  expect(changing.sort()).toEqual([...Object.keys(CHANGES), ...REPLAYS, ...WITH_LIVEKIT].sort());
});

/** Asked for more than once in room-configurations.test.ts. */
const WITH_LIVEKIT = ["POST /v1/rooms"];

/** Repeated, they find nothing: what was replayed is no dead letter any more. */
const REPLAYS = ["POST /v1/events/dead/{id}/replay", "POST /v1/events/dead/replay"];

test.each(REPLAYS)("%s asked for ten times at once, and again, has it delivered once", async (name) => {
  const receiver = await startReceiver();
  const hook = hookFor("default", receiver.url);
  const key = await deadLetter(new Lanes({ redis: api.redis, name: hook.id }));
  const signing = { apiKey: kit.API_KEY, apiSecret: kit.API_SECRET };
  const own = await kit.runApi({ ...server, client }, { events: { urls: [receiver.url], signing } });
  const path = name.replace("POST ", "").replace("{id}", `${hook.id}-${key}`);
  const ask = async () => {
    const answer = await own.rest(path, { method: "POST", video: { roomAdmin: true } });
    return answer.ok ? ((await answer.json()) as { replayed: number }).replayed : 0;
  };
  const counts = await Promise.all(Array.from({ length: 10 }, ask));
  expect([...counts, await ask()].reduce((sum, count) => sum + count, 0)).toBe(1);
  await waitUntil("it is delivered", () => receiver.received.length > 0, { deadlineMs: 10_000 });
  await own.stop();
  expect(receiver.names()).toEqual(["queued"]);
});

describe.each(Object.entries(CHANGES))("%s", (_name, change) => {
  const { prepare, ask, check } = change;

  test("asked for twice changes nothing the second time", async () => {
    const subject = await prepare("room");
    const first = await answered(ask(api.url, "room", subject));
    const before = await facts();
    const second = await answered(ask(api.url, "room", subject));
    expect(await facts()).toEqual(before);
    expect(second.id).toBe(first.id);
    await check("room");
  });

  test("asked for ten times at once is done once", async () => {
    const subject = await prepare("room");
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => answered(ask(api.url, "room", subject))),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    await check("room");
  });

  test("asked for again after the answer got lost is done once", async () => {
    const losing = await loseAnswers(api.url, { count: 1, elsewhere: [] });
    try {
      const subject = await prepare("room");
      await expect(ask(losing.url, "room", subject)).rejects.toThrow();
      const [lost = ""] = losing.lost;
      const again = await answered(ask(losing.url, "room", subject));
      expect(again.id).toBe((JSON.parse(lost) as { id: string }).id);
      await check("room");
    } finally {
      await losing.stop();
    }
  });

  test("whose reply of Redis got lost is done once", async () => {
    // Once before, so that the script is known by its sha and the call that counts is the one that does it.
    await answered(ask(api.url, "before", await prepare("before")));
    const subject = await prepare("room");
    const names = scriptNames();
    const lost = proxy.replyLost(
      1,
      ({ name, firstArgument }) =>
        name === "EVALSHA" && names.get(firstArgument) === `ledger ${change.script}`,
    );
    await answered(ask(api.url, "room", subject));
    expect(lost.hasFired).toBe(true);
    await check("room");
  });
});

const asAdminOf = (room: string) => ({ authorization: `Bearer ${kit.adminOf(room)}` });

async function twirp(url: string, method: string, body: { room: string; [field: string]: unknown }) {
  return await fetch(`${url}/twirp/livekit.AgentDispatchService/${method}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...asAdminOf(body.room),
      "x-livekit-request-id": `request for ${body.room}`,
    },
    body: JSON.stringify(body),
  });
}

async function create(url: string, room: string): Promise<Response> {
  return await twirp(url, "CreateDispatch", { room, agent_name: "agent" });
}

async function waiting(room: string): Promise<Dispatch> {
  return (await (await create(api.url, room)).json()) as Dispatch;
}

/** A dispatch whose job a worker runs. */
async function running(room: string): Promise<Dispatch> {
  const dispatch = await waiting(room);
  await kit.runJob(api.ledger, "default", dispatch.state.jobs[0]?.id ?? "");
  return dispatch;
}

/** An event that its receiver did not take, in its only try. Answers its key. */
async function deadLetter(lanes: Lanes): Promise<string> {
  const written = {
    event: "agent_job_queued",
    job: "AJ_1",
    state: "queued",
    type: "room",
    pool: "room/agent/",
  };
  const event = jobEventOf("default", "1-1", Object.entries(written).flat());
  const item = { lane: "AJ_1", key: `${event?.id}.0`, payload: JSON.stringify(event) };
  const run = { lane: item.lane, token: "its only run" };
  await lanes.turn("test", 60_000);
  await lanes.takeIn("test", "", "1-1", [item]);
  await lanes.noteQueued([item]);
  await lanes.begin(run, item.key);
  await lanes.failed(run, item.key, { reason: "answered 500", mostTries: 1, mostDead: 10 });
  await lanes.endTurn("test");
  return item.key;
}

async function answered(asking: Promise<Response>): Promise<{ id: string }> {
  const answer = await asking;
  expect(answer.ok, `${answer.status}`).toBe(true);
  return (await answer.json()) as { id: string };
}

/** All that is kept, but for the queue: BullMQ rewrites an entry that it has, which check() counts. */
async function facts(): Promise<Record<string, string>> {
  const kept = Object.entries(await kit.dump(api.redis));
  return Object.fromEntries(kept.filter(([key]) => !key.includes(":queue:")));
}

async function heldIn(room: string) {
  const { orders } = await api.ledger.listRoomOrders({ namespace: "default", room, only: "", limit: 10 });
  const found = Object.values(orders);
  return { orders: found.map(({ order }) => order), jobs: found.flatMap(({ jobs }) => Object.values(jobs)) };
}

async function holderOf(room: string): Promise<Record<string, string>> {
  return (await heldIn(room)).jobs[0] ?? {};
}

/** One order, one job, one entry in the queue. */
async function isMade(room: string): Promise<void> {
  const { orders, jobs } = await heldIn(room);
  expect([orders.length, jobs.length]).toEqual([1, 1]);
  const id = orders[0]?.id ?? "";
  expect((await kit.queued(api.redis, "default")).filter((entry) => entry === id)).toEqual([id]);
}

async function isOnHold(room: string, isHeld: boolean): Promise<void> {
  const { orders } = await heldIn(room);
  expect(orders.map((order) => order.held === "1")).toEqual([isHeld]);
}

/** The job is over, and its worker is to be told once. */
async function isStopped(room: string, { order, cause }: { order: string; cause: string }): Promise<void> {
  const { orders, jobs } = await heldIn(room);
  expect(orders).toMatchObject([{ state: order }]);
  expect(jobs).toMatchObject([{ state: "ended", outcome: "canceled", cause }]);
  const { session, id } = jobs[0] as Record<string, string>;
  const stops = await api.redis.hkeys("muster:{default}:stops");
  expect(stops.filter((field) => field.includes(id ?? ""))).toEqual([`${session}|${id}`]);
}
