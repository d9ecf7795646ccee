/** Callers who hang up while nobody is free: what waits for them ends, by their room's end or their own. */

import { JobStatus, ListAgentDispatchResponse } from "@livekit/protocol";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { API_KEY, API_SECRET } from "./kit.js";
import { type House, openHouse } from "./rooms-kit.js";

const ROOM = "support";
let server: RedisServer;
let house: House;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  house = await openHouse(server);
});
afterEach(() => house.stop());
afterAll(() => server.stop());

const seen = async (id: string) => {
  const { order, jobs } = await house.seen(ROOM, id);
  return {
    state: order.state,
    cause: order.cause,
    jobs: jobs.map((job) => [job.state, job.outcome, job.cause]),
  };
};
const WAITS = { state: "live", cause: "", jobs: [["queued", "", ""]] };
const CLOSED = { state: "ended", cause: "room_finished", jobs: [["ended", "canceled", "room_closed"]] };
const deadlines = () => house.api.redis.zrange("muster:{default}:deadlines", "0", "-1", "WITHSCORES");
const aloneUntil = async (id: string) => (await house.seen(ROOM, id)).jobs[0]?.aloneUntilMs ?? 0;

test("a room closes that a caller sat in: the order ends, made before they came or while they sat there", async () => {
  const before = await house.order({ room: ROOM });
  house.play((rooms) => rooms.join(ROOM, "ann"));
  await house.tell();
  const during = await house.order({ room: ROOM });
  const kept = await house.order({ room: ROOM, keep_waiting: true });
  house.play((rooms) => rooms.finishRoom(ROOM));
  await house.tell();
  for (const id of [before, during]) expect(await seen(id)).toEqual(CLOSED);
  expect(await seen(kept)).toEqual(WAITS);
  const answer = await house.api.rest(`/v1/orders/${kept}`, { video: { roomAdmin: true } });
  expect(await answer.json()).toMatchObject({ keep_waiting: true, state: "live" });
});

test("LiveKit's clients read that it failed, and why; ours why", async () => {
  const id = await house.order({ room: ROOM });
  house.play((rooms) => rooms.join(ROOM, "ann"));
  house.play((rooms) => rooms.finishRoom(ROOM));
  await house.tell();
  const { api } = house;
  const dispatch = await new AgentDispatchClient(api.url, API_KEY, API_SECRET).getDispatch(id, ROOM);
  const [job] = dispatch?.state?.jobs ?? [];
  expect(job?.state).toMatchObject({
    status: JobStatus.JS_FAILED,
    error: "canceled: the room closed while the job waited",
  });
  const answer = await api.rest(`/v1/jobs/${job?.id}`);
  expect(await answer.json()).toMatchObject({
    ...{ outcome: "canceled", cause: "room_closed", error: "the room closed while the job waited" },
  });
});

test("a client that does not know JS_CANCELLED takes such a job for one that waits: it is not sent", () => {
  const told = { agentDispatches: [{ state: { jobs: [{ state: { status: "JS_CANCELLED" } }] } }] };
  const read = ListAgentDispatchResponse.fromJson(told, { ignoreUnknownFields: true });
  expect(read.agentDispatches[0]?.state?.jobs[0]?.state?.status).toBe(JobStatus.JS_PENDING);
});

test("nobody but an agent and a recorder was there, or the caller had left before: the order waits for the next life", async () => {
  house.play((rooms) => {
    rooms.join(ROOM, "ann");
    rooms.leave(ROOM, "ann");
    rooms.join(ROOM, "bot", { kind: "agent" });
    rooms.join(ROOM, "recorder", { kind: "egress" });
  });
  await house.tell();
  const id = await house.order({ room: ROOM });
  house.play((rooms) => rooms.finishRoom(ROOM));
  await house.tell();
  expect(await seen(id)).toEqual(WAITS);
});

test("the last caller leaves: the job waits as long as LiveKit keeps the room for them, and not when one is back", async () => {
  house.play((rooms) => rooms.startRoom(ROOM, { departureTimeout: 7 }));
  const id = await house.order({ room: ROOM });
  house.play((rooms) => {
    rooms.join(ROOM, "ann");
    rooms.join(ROOM, "ben");
    rooms.join(ROOM, "bot", { kind: "agent" });
    rooms.leave(ROOM, "ann");
  });
  await house.tell();
  expect(await aloneUntil(id)).toBe(0);
  const left = Date.now();
  house.play((rooms) => rooms.leave(ROOM, "ben"));
  await house.tell();
  const until = await aloneUntil(id);
  // And a second for whoever comes back in the last moment.
  expect(until - left).toBeGreaterThanOrEqual(8_000);
  expect(until - left).toBeLessThan(10_000);
  expect(await deadlines()).toContain(`job|${(await house.seen(ROOM, id)).jobs[0]?.id}`);
  house.play((rooms) => rooms.join(ROOM, "ann"));
  await house.tell();
  expect(await aloneUntil(id)).toBe(0);
});

test("LiveKit is asked by rounds alone: a caller who hangs up is missed by them, and so is the room", async () => {
  await house.stop();
  house = await openHouse(server, { asks: true, roomsEveryMs: 100 });
  house.play((rooms) => rooms.join(ROOM, "ann"));
  const id = await house.order({ room: ROOM });
  await waitUntil("the order is bound", async () => (await house.seen(ROOM, id)).order.roomSid !== "");
  house.play((rooms) => rooms.leave(ROOM, "ann"));
  await waitUntil("they are known to be gone", async () => (await aloneUntil(id)) > 0);
  house.play((rooms) => rooms.finishRoom(ROOM));
  await waitUntil("the order is over", async () => (await seen(id)).state === "ended");
  expect(await seen(id)).toEqual(CLOSED);
});

test("a dispatch of LiveKit's own API ends likewise, and so does one of a rule", async () => {
  await house.api.rest("/v1/rules/all", {
    ...{ method: "PUT", video: { roomAdmin: true }, headers: { "content-type": "application/json" } },
    body: JSON.stringify({
      when: { room_pattern: "*" },
      orders: [{ agent_name: "ruled", keep_waiting: true }],
    }),
  });
  const made = await house.api.twirp("CreateDispatch", { room: ROOM, agentName: "agent" } as {
    room: string;
  });
  expect(made.status).toBe(200);
  house.play((rooms) => rooms.join(ROOM, "ann"));
  await house.tell();
  const { orders } = await house.api.ledger.listRoomOrders({
    ...{ namespace: "default", room: ROOM, only: "", limit: 10 },
  });
  const ids = Object.values(orders).map(({ order }) => order.id ?? "");
  expect(ids).toHaveLength(2);
  house.play((rooms) => rooms.leave(ROOM, "ann"));
  await house.tell();
  const alone = await Promise.all(ids.map(aloneUntil));
  // The rule's keeps waiting while the room lives. Its life is the only one it is for, all the same.
  expect(alone.filter((until) => until > 0)).toHaveLength(1);
  house.play((rooms) => rooms.finishRoom(ROOM));
  await house.tell();
  for (const id of ids) expect(await seen(id)).toEqual(CLOSED);
});

test("who stands in line behind them moves up", async () => {
  house.play((rooms) => rooms.join(ROOM, "ann"));
  await house.order({ room: ROOM });
  await house.tell();
  const next = await house.order({ room: "living" });
  const [job] = (await house.seen("living", next)).jobs;
  for (const room of [ROOM, "living"]) {
    for (const { jobs } of Object.values(
      (await house.api.ledger.listRoomOrders({ namespace: "default", room, only: "", limit: 10 })).orders,
    ))
      for (const { id = "" } of Object.values(jobs))
        await house.api.ledger.admit({
          namespace: "default",
          job: id,
          offerMs: 1_000,
          retryMs: 1_000,
          scan: 8,
        });
  }
  const position = () => house.api.ledger.findPosition({ namespace: "default", job: job?.id ?? "" });
  expect(await position()).toMatchObject({ position: 1 });
  house.play((rooms) => rooms.finishRoom(ROOM));
  await house.tell();
  expect(await position()).toMatchObject({ position: 0 });
});
