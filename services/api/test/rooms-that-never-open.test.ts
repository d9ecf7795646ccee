/** Orders for participants whose room did not come in time: how they are shown, and what is left of them. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";
import { makeOrder, seenOrder } from "./orders-kit.js";

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
const DEADLINE_MS = 60_000;
const body = { room: "room1", target: { for: "participants" }, deadline_ms: DEADLINE_MS };
const write = (path: string, method: string, sent: object = {}, headers: Record<string, string> = {}) =>
  api.rest(path, {
    ...{ method, video: { roomAdmin: true }, body: JSON.stringify(sent) },
    headers: { "content-type": "application/json", ...headers },
  });
const read = async (path: string) => (await (await api.rest(path)).json()) as Json;
const waitOf = async (id: string, namespace = "default") =>
  Number(await api.redis.zscore(`muster:{${namespace}}:deadlines`, `order|${id}`));
const expire = (order: string, namespace = "default") =>
  api.ledger.expireOrder({ namespace, order, nowMs: Date.now() + DEADLINE_MS + 1_000 });

test("one that expired is shown as such, with why, and goes no further", async () => {
  const key = { "idempotency-key": "one" };
  const made = (await (
    await write("/v1/orders", "POST", { ...body, agent_name: "agent" }, key)
  ).json()) as Json;
  const id = String(made.id);
  expect(made).toMatchObject({ state: "live", cause: "", jobs: [] });
  expect(await expire(id)).toEqual({ status: "expired" });
  const ended = { id, state: "expired", cause: "waited_too_long", ended_at_ms: expect.any(Number) };
  expect(await read(`/v1/orders/${id}`)).toMatchObject({ ...ended, deleted_at_ms: null });
  expect(await read("/v1/orders")).toMatchObject({ total: 0 });
  expect(await read("/v1/orders?state=ended")).toMatchObject({ orders: [ended] });
  const listed = await (await api.twirp("ListDispatch", { room: "room1" })).json();
  expect(listed).toMatchObject({ agent_dispatches: [{ id, state: { deleted_at: "0", jobs: [] } }] });

  const again = await write("/v1/orders", "POST", { ...body, agent_name: "agent" }, key);
  expect({ status: again.status, body: await again.json() }).toMatchObject({ status: 200, body: ended });
  for (const [path, method] of [
    [`/v1/orders/${id}`, "PATCH"],
    [`/v1/orders/${id}/hold`, "POST"],
    [`/v1/orders/${id}/release`, "POST"],
  ] as const)
    expect((await write(path, method, { priority: 1 })).status).toBe(412);
  const deleted = await write(`/v1/orders/${id}`, "DELETE");
  expect(await deleted.json()).toMatchObject({ id, state: "deleted", cause: "deleted" });
});

test("whoever comes into the room after that gets no agent by it", async () => {
  const id = await makeOrder(api, body);
  await expire(id);
  const person = { sid: "PA_1", identity: "ann", kind: "standard", attributes: {}, joined_at: 1 } as const;
  await api.ledger.mergeRoom({
    ...{ room: "room1", sid: "RM_1", createdAt: 1, isOver: false, info: "", saidAt: 1 },
    ...{ changes: [person], keepMs: 60_000 },
  });
  // Looks at the room, as whoever hears of it does.
  const other = await makeOrder(api, body);
  expect(await seenOrder(api, "room1", other)).toMatchObject({ jobs: [{ roomSid: "RM_1" }] });
  expect(await seenOrder(api, "room1", id)).toMatchObject({
    order: { state: "expired", roomSid: "" },
    jobs: [],
  });
});

test("over several namespaces, it is live while it is live anywhere", async () => {
  for (const namespace of ["default:eu", "default:us"])
    await kit.registerWorker(api.ledger, { namespace, agent: "agent" });
  const id = await makeOrder(api, body);
  const whole = async () =>
    (await (await write(`/v1/orders/${id}`, "PATCH", { deadline_ms: DEADLINE_MS })).json()) as Json;
  await expire(id, "default:eu");
  expect(await whole()).toMatchObject({ state: "live", cause: "", ended_at_ms: null });
  await expire(id, "default:us");
  const removed = await write(`/v1/orders/${id}`, "DELETE");
  expect(await removed.json()).toMatchObject({ state: "deleted" });
});

test("another deadline moves its end, also while the namespace rests; hold stops it, release begins it", async () => {
  const id = await makeOrder(api, body);
  const madeAt = (await waitOf(id)) - DEADLINE_MS;
  const rest = () => api.ledger.rest({ namespace: "default", listenMs: 0 });
  await api.redis.del("muster:{default}:queue:wait", "muster:{default}:queue:prioritized");
  expect(await rest()).toMatchObject({ status: "resting" });
  expect((await write(`/v1/orders/${id}`, "PATCH", { deadline_ms: 5_000 })).status).toBe(200);
  expect(await waitOf(id)).toBe(madeAt + 5_000);
  expect(await api.redis.hget("muster:{default}:index", "awake")).toBe("1");
  await write(`/v1/orders/${id}/hold`, "POST");
  expect(await waitOf(id)).toBe(0);
  const before = Date.now();
  await write(`/v1/orders/${id}/release`, "POST");
  expect(await waitOf(id)).toBeGreaterThanOrEqual(before + 5_000);
});
