/** The calls of livekit.AgentDispatchService as its clients make them: LiveKit's own SDK, and protobuf bodies. */

import { createDueIndex } from "@muster/actor/due-index";
import { ownerOf } from "@muster/actor/rendezvous";
import type { OrderFacts } from "@muster/ledger/shapes";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import {
  decodeDispatch,
  decodeDispatchList,
  encodeCreateDispatch,
  encodeListDispatch,
} from "@muster/wire/dispatch-codec";
import { JobStatus } from "@muster/wire/generated/livekit";
import { AgentDispatchClient, JobRestartPolicy } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;
let sdk: AgentDispatchClient;
const ending: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  api = await kit.runApi(server);
  ending.push(api.stop);
  sdk = new AgentDispatchClient(api.url, kit.API_KEY, kit.API_SECRET);
});
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});
afterAll(() => server.stop());

async function gateway() {
  const node = await kit.fakeGateway(server);
  ending.push(node.stop);
  return node;
}

async function dispatcher() {
  const node = await kit.fakeDispatcher(server);
  ending.push(node.stop);
  return node;
}

test("the SDK creates, lists, gets and deletes a dispatch", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent", deployment: "blue" });
  const created = await sdk.createDispatch("room1", "agent", {
    metadata: "{}",
    deployment: "blue",
    restartPolicy: 1,
  });
  expect(created).toMatchObject({
    agentName: "agent",
    room: "room1",
    metadata: "{}",
    deployment: "blue",
    restartPolicy: 1,
  });
  expect(created.id).toMatch(/^AD_\w{14}$/);
  expect(Number(created.state?.createdAt)).toBeGreaterThan(1e18);

  const listed = await sdk.listDispatch("room1");
  expect(listed.map(({ id }) => id)).toEqual([created.id]);
  expect(listed[0]?.state?.jobs.map(({ id }) => id)).toEqual(created.state?.jobs.map(({ id }) => id));
  expect((await sdk.getDispatch(created.id, "room1"))?.id).toBe(created.id);
  expect(await sdk.getDispatch(created.id, "room2")).toBeUndefined();
  expect(await sdk.listDispatch("room2")).toEqual([]);

  await sdk.deleteDispatch(created.id, "room1");
  expect(await sdk.listDispatch("room1")).toEqual([]);
  await expect(sdk.deleteDispatch("AD_unknown", "room1")).rejects.toMatchObject({
    status: 404,
    code: "not_found",
    message: "dispatch ID not found",
  });
});

test("the order is in the ledger as it was asked for, and its owner is told", async () => {
  const owner = await dispatcher();
  const answer = await api.twirp("CreateDispatch", {
    ...{
      room: "room1",
      agent_name: "agent",
      metadata: "secret",
      attributes: { a: "1" },
      restart_policy: "JRP_NEVER",
    },
  } as { room: string });
  const { id, state } = (await answer.json()) as { id: string; state: { jobs: { id: string }[] } };
  const order = await api.ledger.readRecord({ namespace: "default", kind: "order", id });
  expect(order).toMatchObject({
    record: {
      room: "room1",
      agent: "agent",
      metadata: "secret",
      attributes: '{"a":"1"}',
      restart_policy: "never",
      priority: "500",
    },
  });
  expect(await kit.queued(api.redis, "default")).toEqual([id]);
  const data = await api.redis.hget(`muster:{default}:queue:${id}`, "data");
  expect(JSON.parse(data ?? "")).toEqual({ jobs: [state.jobs[0]?.id] });
  await waitUntil("the dispatcher is woken", () => owner.received.length > 0);
  expect(owner.received).toEqual([{ actor: "default", message: { kind: "intake", count: 1 } }]);
});

test("protobuf bodies are answered in protobuf", async () => {
  const headers = { "content-type": "application/protobuf", authorization: `Bearer ${kit.adminOf("room1")}` };
  const post = (method: string, body: Uint8Array) =>
    fetch(`${api.url}/twirp/livekit.AgentDispatchService/${method}`, {
      method: "POST",
      headers,
      body: Buffer.from(body),
    });
  const answer = await post(
    "CreateDispatch",
    encodeCreateDispatch("protobuf", { room: "room1", agentName: "a", attributes: { k: "v" } }),
  );
  expect(answer.headers.get("content-type")).toBe("application/protobuf");
  const created = decodeDispatch("protobuf", Buffer.from(await answer.arrayBuffer()));
  expect(created).toMatchObject({ room: "room1", agentName: "a", attributes: { k: "v" } });
  const list = await post("ListDispatch", encodeListDispatch("protobuf", { room: "room1" }));
  const listed = decodeDispatchList("protobuf", Buffer.from(await list.arrayBuffer()));
  expect(listed.agentDispatches.map(({ id }) => id)).toEqual([created.id]);
});

test("a JSON answer is snake_case with unset fields, and exactly application/json", async () => {
  const answer = await api.twirp("ListDispatch", { room: "nobody" });
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await answer.json()).toEqual({ agent_dispatches: [] });
  const created = await (await api.twirp("CreateDispatch", { room: "r" })).json();
  expect(created).toMatchObject({
    agent_name: "",
    restart_policy: "JRP_ON_FAILURE",
    state: { deleted_at: "0" },
  });
});

test("the list shows how each job stands", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const { id } = await sdk.createDispatch("room1", "agent", { restartPolicy: JobRestartPolicy.JRP_NEVER });
  const jobOf = async () => (await sdk.getDispatch(id, "room1"))?.state?.jobs[0];
  const waiting = await jobOf();
  const job = waiting?.id ?? "";
  expect(waiting).toMatchObject({ dispatchId: id, agentName: "agent", room: { name: "room1" } });
  expect(waiting?.state).toMatchObject({ status: JobStatus.JS_PENDING, startedAt: 0n, workerId: "" });

  await kit.runJob(api.ledger, "default", job);
  const running = await jobOf();
  expect(running?.state?.status).toBe(JobStatus.JS_RUNNING);
  expect(running?.state?.participantIdentity).toBe(`agent-${job}`);
  expect(running?.state?.workerId).toMatch(/^AW_/);
  expect(Number(running?.state?.startedAt)).toBeGreaterThan(1e18);

  const { record } = (await api.ledger.readRecord({ namespace: "default", kind: "job", id: job })) as {
    record: Record<string, string>;
  };
  const report = { namespace: "default", job, wire: record.wire ?? "", session: record.session ?? "" };
  const times = { startMs: 30_000, coolMs: 5_000, earlyMs: 10_000 };
  await api.ledger.report({ ...report, ...times, status: "failed", message: "it broke" });
  const ended = await jobOf();
  expect(ended?.state).toMatchObject({ status: JobStatus.JS_FAILED, error: "it broke" });
  expect(Number(ended?.state?.endedAt)).toBeGreaterThan(1e18);
});

test("an agent that nobody has registered is accepted and waits", async () => {
  const { id, state } = await sdk.createDispatch("room1", "stranger");
  expect(state?.jobs).toHaveLength(1);
  expect(await kit.queued(api.redis, "default")).toEqual([id]);
  const marked = (await createDueIndex({ redis: api.redis }).due(10)).map(({ name }) => name);
  expect(marked).toEqual(["default"]);
  expect((await sdk.listDispatch("room1"))[0]?.state?.jobs[0]?.state?.status).toBe(JobStatus.JS_PENDING);
});

test("an agent's newest namespaces get a job of the next order, however lately the directory was read", async () => {
  const namespacesOf = async (room: string) => {
    const created = await sdk.createDispatch(room, "agent");
    return created.state?.jobs.map((job) => job.namespace).sort();
  };
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  expect(await namespacesOf("room1")).toEqual([""]);
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  expect(await namespacesOf("room2")).toEqual(["", "eu"]);
  for (const namespace of ["default:as", "default:us"])
    await kit.registerWorker(api.ledger, { namespace, agent: "agent" });
  expect(await namespacesOf("room3")).toEqual(["", "as", "eu", "us"]);
  const [listed] = await sdk.listDispatch("room3");
  expect(listed?.state?.jobs.map((job) => job.namespace).sort()).toEqual(["", "as", "eu", "us"]);
});

test("an agent known in several namespaces gets one job in each, listed as one dispatch", async () => {
  for (const namespace of ["default", "default:eu", "default:us"]) {
    await kit.registerWorker(api.ledger, { namespace, agent: "agent" });
  }
  const created = await sdk.createDispatch("room1", "agent");
  expect(created.state?.jobs.map((job) => job.namespace).sort()).toEqual(["", "eu", "us"]);
  const [listed, ...others] = await sdk.listDispatch("room1");
  expect(others).toEqual([]);
  expect(listed?.state?.jobs.map((job) => job.namespace).sort()).toEqual(["", "eu", "us"]);
  for (const namespace of ["default", "default:eu", "default:us"]) {
    expect(await kit.queued(api.redis, namespace)).toEqual([created.id]);
  }
  await sdk.deleteDispatch(created.id, "room1");
  for (const namespace of ["default", "default:eu", "default:us"]) {
    expect(await api.ledger.readRecord({ namespace, kind: "order", id: created.id })).toMatchObject({
      record: { state: "deleted" },
    });
  }
});

test("an agent known elsewhere only is not dispatched in the default namespace", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  const created = await sdk.createDispatch("room1", "agent");
  expect(created.state?.jobs.map((job) => job.namespace)).toEqual(["eu"]);
  expect(await kit.queued(api.redis, "default")).toEqual([]);
  expect(await sdk.listDispatch("room1")).toHaveLength(1);
});

test("deleting tells the gateway of the worker to stop, hides the dispatch, and may be repeated", async () => {
  const node = await gateway();
  const session = await kit.registerWorker(api.ledger, {
    namespace: "default",
    agent: "agent",
    gateway: node.nodeId,
  });
  const { id, state } = await sdk.createDispatch("room1", "agent");
  const job = state?.jobs[0]?.id ?? "";
  await kit.runJob(api.ledger, "default", job);
  const deleted = await api.twirp("DeleteDispatch", { room: "room1", dispatch_id: id } as { room: string });
  const answer = (await deleted.json()) as {
    state: { deleted_at: string; jobs: { state: { status: string } }[] };
  };
  expect(Number(answer.state.deleted_at)).toBeGreaterThan(1e18);
  expect(answer.state.jobs[0]?.state.status).toBe("JS_FAILED");
  await waitUntil("the gateway is told", () => node.received.length > 0);
  expect(node.received).toEqual([{ kind: "stop", namespace: "default", session, job, wire: job }]);
  expect(await sdk.listDispatch("room1")).toEqual([]);
  const again = await api.twirp("DeleteDispatch", { room: "room1", dispatch_id: id } as { room: string });
  expect(await again.json()).toEqual(answer);
});

test("deleting wakes the owner when others wait for the place, and nobody when none do", async () => {
  const owner = await dispatcher();
  const serves = () => owner.received.filter(({ message }) => message.kind === "serve");
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const claim = { namespace: "default", offerMs: 5_000, retryMs: 500, scan: 32 };
  const [offered, waiting] = [
    await sdk.createDispatch("room1", "agent"),
    await sdk.createDispatch("room2", "agent"),
  ];
  const admit = async ({ state }: typeof offered) =>
    (await api.ledger.admit({ ...claim, job: state?.jobs[0]?.id ?? "" })).status;
  expect([await admit(offered), await admit(waiting)]).toEqual(["offered", "parked"]);
  await sdk.deleteDispatch(offered.id, "room1");
  await waitUntil("the owner serves the pool", () => serves().length > 0);
  expect(serves()).toEqual([{ actor: "default", message: { kind: "serve", pool: "room/agent/" } }]);
  await sdk.deleteDispatch(waiting.id, "room2");
  // Messages to one node arrive in order: what the deletion had to say is there before this.
  await sdk.createDispatch("room3", "agent");
  await waitUntil(
    "all is told",
    () => owner.received.filter(({ message }) => message.kind === "intake").length === 3,
  );
  expect(serves()).toHaveLength(1);
});

test("an order with more jobs than one script ends is deleted whole", async () => {
  const id = kit.newId("order");
  const newJobs = Array.from({ length: 150 }, () => ({
    ...{ id: kit.newId("job"), type: "room", pool: "room/agent/", room_sid: "", participant_info: "" },
    max_attempts: 3,
  }));
  const facts: OrderFacts = {
    ...{ agent: "agent", deployment: "", metadata: "", attributes: "{}", priority: 0 },
    ...{ restart_policy: "on_failure", target: "room" },
  };
  const { retainMs, guardMs, waitMs } = kit.policy;
  const times = { retainMs, guardMs, waitMs };
  const order = { namespace: "default", order: id, room: "room1", facts, newJobs, ...times };
  await api.ledger.createOrder({ ...order, listenMs: 0, knownForMs: -1, rests: 0 });
  expect((await sdk.getDispatch(id, "room1"))?.state?.jobs).toHaveLength(150);
  await sdk.deleteDispatch(id, "room1");
  const list = { namespace: "default", kind: "job", offset: 0, limit: 1 };
  expect((await api.ledger.listRecords({ ...list, list: "jobs" })).total).toBe(0);
  expect((await api.ledger.listRecords({ ...list, list: "ended-jobs" })).total).toBe(150);
});

test("in steady state a dispatch costs three Redis commands", async () => {
  const owner = await dispatcher();
  const clock = kit.stoppedClock();
  const steady = await kit.runApi(server, { clock });
  ending.push(steady.stop);
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  await steady.twirp("CreateDispatch", { room: "warm", agent_name: "agent" } as { room: string });
  await waitUntil("the first is through", () => owner.received.length === 1);
  const commands = countCommands(steady.redis);
  for (let dispatch = 1; dispatch <= 10; dispatch++) {
    const answer = await steady.twirp(
      "CreateDispatch",
      { room: `room${dispatch}`, agent_name: "agent" } as { room: string },
      {
        "x-livekit-request-id": `request${dispatch}`,
      },
    );
    expect(answer.status).toBe(200);
    await waitUntil("its owner is told", () => owner.received.length === 1 + dispatch);
  }
  expect(commands.byName()).toEqual({ evalsha: 20, xadd: 10 });
});

test("a dispatcher that is gone is passed over for the next", async () => {
  const nodes = [await dispatcher(), await dispatcher()];
  const owner = ownerOf(
    "default",
    nodes.map(({ nodeId }) => nodeId),
  );
  const gone = nodes.find(({ nodeId }) => nodeId === owner);
  const next = nodes.find(({ nodeId }) => nodeId !== owner);
  await gone?.loseInbox();
  await sdk.createDispatch("room1", "agent");
  await waitUntil("the next one hears of it", () => next?.received.length === 1);
});

test("counts orders, and refusals by reason", async () => {
  await sdk.createDispatch("room1", "agent");
  await api.twirp("CreateDispatch", { room: "" });
  const text = await (await fetch(`${api.url}/metrics`)).text();
  expect(text).toMatch(/^muster_orders_accepted_total\{api="twirp"\} 1$/m);
  expect(text).toMatch(/^muster_orders_refused_total\{api="twirp"\} 1$/m);
  expect(text).toMatch(/^muster_refusals_total\{reason="invalid_argument"\} 1$/m);
});
