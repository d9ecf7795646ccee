/** Orders of an agent that is one per room: merged into the live one, by every door. */
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;
let livekit: LivekitStandIn;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  livekit = await startLivekitStandIn();
  api = await kit.runApi(server, { livekitUrl: livekit.url });
});
afterEach(async () => {
  await api.stop();
  await livekit.stop();
});
afterAll(() => server.stop());

const order = { room: "room", agent_name: "greeter" };

async function make(body: object, key?: string) {
  const answer = await api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true }, body: JSON.stringify(body) },
    headers: { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) },
  });
  const made = (await answer.json()) as { id: string; merged?: boolean; code?: string; field?: string };
  return { status: answer.status, ...made };
}
async function dispatch(room = "room") {
  const answer = await api.twirp("CreateDispatch", { room, agentName: "greeter" } as { room: string });
  return ((await answer.json()) as { id: string }).id;
}
async function live(): Promise<string[]> {
  const page = (await (await api.rest("/v1/orders")).json()) as { orders: { id: string }[] };
  return page.orders.map(({ id }) => id);
}
const setPolicy = () =>
  api.rest("/v1/placement-policies?agent_name=greeter", {
    ...{ method: "PUT", video: { roomAdmin: true }, body: JSON.stringify({ one_per_room: true }) },
    headers: { "content-type": "application/json" },
  });

test("a second order is answered with the first, and says so", async () => {
  const first = await make(order);
  expect(first).toMatchObject({ status: 201 });
  expect(first).not.toHaveProperty("merged");
  expect(await make({ ...order, one_per_room: true, metadata: "other" })).toMatchObject({
    ...{ status: 200, id: first.id, merged: true, metadata: "" },
  });
  expect(await live()).toEqual([first.id]);
  expect(await make(order)).toMatchObject({ status: 201 });
});

test("by the agent's policy, CreateDispatch answers the first dispatch", async () => {
  expect((await setPolicy()).status).toBe(200);
  const first = await dispatch();
  expect(await dispatch()).toBe(first);
  expect(await dispatch("another")).not.toBe(first);
  expect(await make({ ...order, one_per_room: false })).toMatchObject({ status: 201 });
  const metrics = await (await fetch(`${api.url}/metrics`)).text();
  expect(metrics).toMatch(/^muster_orders_merged_total\{.*api="twirp".*\} 1$/m);
});

test("a key means the same order for good, and never another content", async () => {
  const first = await make(order);
  const again = { ...order, one_per_room: true };
  const merged = { status: 200, id: first.id, merged: true };
  expect(await make(again, "key")).toMatchObject(merged);
  await api.rest(`/v1/orders/${first.id}`, { method: "DELETE", video: { roomAdmin: true } });
  expect(await make(again, "key")).toMatchObject(merged);
  const other = await make({ ...again, metadata: "other" }, "key");
  expect(other).toMatchObject({ status: 409, code: "already_exists", field: "idempotency-key" });
  expect(await make(again)).toMatchObject({ status: 201 });
});

const clearPolicy = () =>
  api.rest("/v1/placement-policies?agent_name=greeter", { method: "DELETE", video: { roomAdmin: true } });

test("a repeat is answered the same when the policy was taken back meanwhile, whatever made it a merge", async () => {
  const first = await make(order);
  const merged = { status: 200, id: first.id, merged: true };
  expect(await make({ ...order, one_per_room: true }, "by-itself")).toMatchObject(merged);
  await setPolicy();
  expect(await make(order, "by-policy")).toMatchObject(merged);
  await clearPolicy();
  for (let time = 0; time < 2; time++) expect(await make(order, "by-policy")).toMatchObject(merged);
  expect(await make({ ...order, one_per_room: true }, "by-itself")).toMatchObject(merged);
  expect(await live()).toEqual([first.id]);
});

test("a dispatch's repeat likewise, by its request id", async () => {
  await setPolicy();
  const first = await dispatch();
  const again = async () => {
    const headers = { "x-livekit-request-id": "request" };
    const body = { room: "room", agentName: "greeter" } as { room: string };
    return ((await (await api.twirp("CreateDispatch", body, headers)).json()) as { id: string }).id;
  };
  expect(await again()).toBe(first);
  await clearPolicy();
  expect(await again()).toBe(first);
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "greeter" });
  expect(await again()).toBe(first);
});

test.each<[string, object]>([
  ["without one_per_room, another room", { room: "other", one_per_room: undefined }],
  ["another room", { room: "other" }],
  ["one_per_room false", { one_per_room: false }],
  ["another namespace", { namespace: "eu" }],
  ["participants", { target: { for: "participants" }, one_per_room: undefined }],
  ["another agent", { agent_name: "other" }],
])(
  "the key of a merged call with another content (%s) is refused, and the rightful repeat is not",
  async (_, other) => {
    const first = await make(order);
    const call = { ...order, one_per_room: true };
    const merged = { status: 200, id: first.id, merged: true };
    expect(await make(call, "key")).toMatchObject(merged);
    // As after a minute.
    await api.redis.del(...(await api.redis.keys("muster:{directory:default}:taken:*")));
    const refused = { status: 409, code: "already_exists", field: "idempotency-key" };
    expect(await make({ ...call, ...other }, "key")).toMatchObject(refused);
    expect(await make(call, "key")).toMatchObject(merged);
    expect(await live()).toEqual([first.id]);
  },
);

test("a merged call's repeat goes where the first one went, wherever its agent is known by then", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "greeter" });
  const first = await make(order);
  const call = { ...order, one_per_room: true };
  const merged = { status: 200, id: first.id, merged: true };
  expect(await make(call, "in-eu")).toMatchObject(merged);
  const plain = await make({ ...order, agent_name: "later" });
  const later = { ...call, agent_name: "later" };
  expect(await make(later, "in-default")).toMatchObject({ ...merged, id: plain.id });
  await kit.registerWorker(api.ledger, { namespace: "default:us", agent: "greeter" });
  await kit.registerWorker(api.ledger, { namespace: "default:us", agent: "later" });
  await api.stop();
  api = await kit.runApi(server, { livekitUrl: livekit.url }); // one that has nothing cached
  expect(await make(call, "in-eu")).toMatchObject(merged);
  expect(await make(later, "in-default")).toMatchObject({ ...merged, id: plain.id });
});

test("twenty at once under one key are answered with the one order", async () => {
  const first = await make(order);
  const call = { ...order, one_per_room: true };
  const answers = await Promise.all(Array.from({ length: 20 }, () => make(call, "key")));
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, id: first.id, merged: true });
});

test("an agent of a token that was ordered before is the one, and the other way round", async () => {
  await setPolicy();
  const first = await dispatch();
  const told = () => livekit.deliver(livekit.events.splice(0), `${api.url}/webhook`);
  livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
  await told();
  expect(await live()).toEqual([first]);
  // However often the room is looked at.
  livekit.rooms.join("room", "ann");
  await told();
  expect(await live()).toEqual([first]);

  livekit.rooms.startRoom("next", { agents: [{ agentName: "greeter" }] });
  await told();
  const [adopted] = livekit.rooms.dispatchesOf("next").map(({ id }) => id);
  expect(await dispatch("next")).toBe(adopted);
  expect(await live()).toEqual([first, adopted]);
});

test("is refused for participants, who have an agent each", async () => {
  const refused = await make({ ...order, one_per_room: true, target: { for: "participants" } });
  expect(refused).toMatchObject({ status: 400, code: "invalid_argument", field: "one_per_room" });
  expect(await live()).toEqual([]);
});
