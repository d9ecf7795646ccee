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
