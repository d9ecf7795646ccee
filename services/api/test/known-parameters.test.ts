/** Query parameters that a route does not have are refused by name, on every route; and POSTs that have no body. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningApi, runApi } from "./kit.js";
import { OPERATIONS } from "./operations.js";

const ALL = { video: { roomAdmin: true, roomList: true, roomCreate: true } };

let server: RedisServer;
let api: RunningApi;
beforeAll(async () => {
  server = await startRedis();
  api = await runApi(server);
});
afterAll(async () => {
  await api?.stop();
  await server?.stop();
});

interface Document {
  paths: Record<string, Record<string, { operationId: string; requestBody?: { required?: boolean } }>>;
}

async function operations() {
  const { paths } = (await (await api.rest("/v1/openapi.json")).json()) as Document;
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path: path.replace(/\{\w+\}/g, "AJ_x"),
    })),
  );
}

test("every operation of the document refuses one that it does not know, and names it", async () => {
  const all = await operations();
  expect(all.length).toBeGreaterThan(30);
  for (const { method, path } of all) {
    const answer = await api.rest(`${path}?lable=x`, { method, ...ALL });
    const body = (await answer.json()) as object;
    expect({ path, method, status: answer.status, ...body }).toMatchObject({
      ...{ path, method, status: 400, code: "invalid_argument", field: "lable" },
    });
  }
});

test("it says what the route does know, and what was probably meant", async () => {
  const answer = await api.rest("/v1/orders?rom=old-3");
  expect(await answer.json()).toMatchObject({
    field: "rom",
    message:
      'rom: is not a parameter of GET /v1/orders; known are namespace, limit, cursor, state, room; did you mean "room"?',
  });
  const long = await api.rest(`/v1/workers?${"x".repeat(3_000)}=1`);
  expect(((await long.json()) as { field: string }).field).toHaveLength(64);
});

test("who has no token learns nothing of parameters", async () => {
  expect((await fetch(`${api.url}/v1/orders?rom=x`)).status).toBe(401);
});

test.each([
  ["/v1/orders?room=%", "room"],
  ["/v1/orders?room=%ff", "room"],
  ["/v1/orders?room=a%C3", "room"],
  ["/v1/orders?limit=1&room=%ED%A0%80", "room"], // half a pair
  ["/v1/events?room=%zz", "room"],
  ["/v1/events/dead?limit=0x10", "limit"],
  ["/v1/rules?limit=1e2", "limit"],
  ["/v1/room-configurations?cursor=%f", "cursor"],
  ["/v1/scaling/%ff", "agent"],
  ["/v1/scaling/a?deployment=%", "deployment"],
  ["/v1/jobs/%", "id"],
])("%s is refused, and names what is wrong", async (path, field) => {
  const answer = await api.rest(path, ALL);
  const body = (await answer.json()) as object;
  expect({ status: answer.status, ...body }).toMatchObject({ status: 400, code: "invalid_argument", field });
});

test("what is encoded well is looked for as it was meant", async () => {
  const room = "50 % & ü+😀 \ufffd=";
  const made = await api.twirp("CreateDispatch", { room, agent_name: "a" } as { room: string });
  const { id } = (await made.json()) as { id: string };
  for (const query of [`room=${encodeURIComponent(room)}`, new URLSearchParams({ room })]) {
    const page = (await (await api.rest(`/v1/orders?${query}`, ALL)).json()) as { orders: { id: string }[] };
    expect(page.orders).toMatchObject([{ id, room }]);
  }
  expect((await api.rest("/v1/scaling/50%25", ALL)).status).toBe(200);
});

test("a POST, PUT or DELETE that needs no body may have the content type of one", async () => {
  const bodiless = (await operations()).filter(
    ({ method, requestBody }) => method !== "GET" && requestBody?.required !== true,
  );
  expect(bodiless.map(({ operationId }) => operationId)).toContain("terminateJob");
  for (const { method, path, operationId } of bodiless) {
    const answer = await api.rest(path, { method, ...ALL, headers: { "content-type": "application/json" } });
    const plain = await api.rest(path, { method, ...ALL });
    expect({ operationId, status: answer.status }).toEqual({ operationId, status: plain.status });
    expect(await answer.text()).toBe(await plain.text());
    expect(OPERATIONS[operationId]).toBeDefined();
  }
});

test("orders are listed by room, those that live and those that are over, page by page", async () => {
  const order = async (room: string) =>
    (
      (await (await api.twirp("CreateDispatch", { room, agent_name: "a" } as { room: string })).json()) as {
        id: string;
      }
    ).id;
  const ids = [await order("old-3"), await order("old-3"), await order("old-3")];
  await order("other");
  await api.twirp("DeleteDispatch", { room: "old-3", dispatch_id: ids[1] } as { room: string });
  const list = async (query: string, video: object = { roomList: true }) => {
    const answer = await api.rest(`/v1/orders?${query}`, { video });
    expect(answer.status).toBe(200);
    return (await answer.json()) as { orders: { id: string }[]; next_cursor: string | null; total: number };
  };
  const idsOf = ({ orders }: { orders: { id: string }[] }) => orders.map(({ id }) => id);
  expect(idsOf(await list("room=old-3"))).toEqual([ids[0], ids[2]]);
  expect(idsOf(await list("room=old-3&state=ended"))).toEqual([ids[1]]);
  expect(await list("room=nobody")).toEqual({ orders: [], next_cursor: null, total: 0 });
  const first = await list("room=old-3&limit=1");
  expect(first.total).toBe(2);
  expect(idsOf(await list(`room=old-3&limit=1&cursor=${first.next_cursor}`))).toEqual([ids[2]]);
  // A token for one room sees that room's.
  expect(idsOf(await list("room=old-3", { roomAdmin: true, room: "old-3" }))).toEqual([ids[0], ids[2]]);
  const foreign = await api.rest("/v1/orders?room=old-3", { video: { roomAdmin: true, room: "other" } });
  expect(foreign.status).toBe(403);
});
