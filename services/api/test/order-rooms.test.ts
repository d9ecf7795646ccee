/** What a new order knows of its room, and whom it finds there, at once: no webhook and no round helps in these tests. */

import type { JobType } from "@muster/domain/pool";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as kit from "./kit.js";
import { liveFor, nameOf } from "./orders-kit.js";
import { type House, type HouseOptions, openHouse } from "./rooms-kit.js";

const ROOM = "support";
const METADATA = '{"language":"de"}';
const NAMESPACE = "default";
const AGENT = "agent";
let server: RedisServer;
const open: House[] = [];

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(() => server.flush());
afterEach(async () => {
  for (const house of open.splice(0)) await house.stop();
});
afterAll(() => server.stop());

async function houseWith(options: HouseOptions = {}): Promise<House> {
  const house = await openHouse(server, { asks: true, ...options });
  open.push(house);
  // The first round asks too; from then on nobody does but orders.
  if (options.asks ?? true)
    await waitUntil("the first round asked", () => asked(house, "ListRooms").length > 0);
  return house;
}

/** Orders until one was answered in time: on a busy machine a question can take longer than an order waits for it. */
const inTime = (house: House, isInTime: (id: string) => Promise<boolean>, body = {}) =>
  waitUntil("an order was answered in time", async () => {
    const made = await post(house, body);
    return (await isInTime(made.id)) && made;
  });

const roomOf = async (house: House, id: string) => {
  const [job] = (await house.seen(ROOM, id)).jobs;
  return Room.decode(Buffer.from(job?.roomInfo ?? "", "base64"));
};
const asked = (house: House, method: string) => house.livekit.calls.filter((call) => call.method === method);
const openRoom = (house: House) => house.play((rooms) => rooms.startRoom(ROOM, { metadata: METADATA }));
const metricOf = async (house: House, name: string) =>
  (await house.api.metrics.render()).split("\n").find((line) => line.startsWith(`muster_${name}`));

/** Resolved by hand. */
function gate() {
  let release = (): void => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { until, release: () => release() };
}

async function post(house: House, body: object) {
  const answer = await house.api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true } },
    body: JSON.stringify({ room: ROOM, agent_name: AGENT, ...body }),
    headers: { "content-type": "application/json" },
  });
  return (await answer.json()) as { id: string; room_sid: string; jobs: unknown[]; warnings: string[] };
}

describe("the job of a new order", () => {
  test("has its room as LiveKit describes it, when the order is answered", async () => {
    const house = await houseWith();
    const { sid } = openRoom(house);
    const made = await inTime(house, async (id) => (await roomOf(house, id)).sid !== "");
    expect(await roomOf(house, made.id)).toMatchObject({ sid, name: ROOM, metadata: METADATA });
    expect(made.room_sid).toBe(sid);
    expect(await metricOf(house, 'order_rooms_total{from="livekit"}')).toMatch(/ 1$/);
  });

  test("has the room that is made for it, when the order is answered", async () => {
    const house = await houseWith({ createRooms: true });
    const told = await waitUntil("an order was answered in time", async () => {
      house.play((rooms) => rooms.hasLive(ROOM) && rooms.finishRoom(ROOM));
      const { id } = await post(house, {});
      const counted = await metricOf(house, 'order_rooms_total{from="made"}');
      return counted?.endsWith(" 0") ? undefined : roomOf(house, id);
    });
    const [made] = house.livekit.rooms.rowsOf([ROOM]);
    expect(told).toMatchObject({ sid: made?.sid, name: ROOM });
  });

  test("has it from the room book where LiveKit only tells of its rooms", async () => {
    const house = await houseWith({ asks: false });
    const { sid } = openRoom(house);
    await house.tell();
    const { id } = await post(house, {});
    expect(await roomOf(house, id)).toMatchObject({ sid, metadata: METADATA });
  });

  test("is made without it while LiveKit hangs, which is then not asked for a while", async () => {
    const house = await houseWith();
    openRoom(house);
    const { until, release } = gate();
    house.livekit.fail("ListRooms", { kind: "hold", until }, 1);
    const beganAtMs = Date.now();
    const first = await post(house, {});
    const tookMs = Date.now() - beganAtMs;
    expect(tookMs).toBeGreaterThanOrEqual(90);
    expect(tookMs).toBeLessThan(2_000);
    expect((await roomOf(house, first.id)).sid).toBe("");
    expect(await metricOf(house, "livekit_questions_paused")).toMatch(/ 1$/);
    const before = asked(house, "ListRooms").length;
    await post(house, {});
    expect(asked(house, "ListRooms")).toHaveLength(before);
    release();
    await waitUntil("LiveKit is asked again", async () => {
      await post(house, {});
      return (await metricOf(house, "livekit_questions_paused"))?.endsWith(" 0");
    });
  });

  test("of many at once for one room shares the question with those that came meanwhile", async () => {
    const house = await houseWith();
    openRoom(house);
    await Promise.all(Array.from({ length: 20 }, () => post(house, {})));
    expect(asked(house, "ListRooms").length).toBeLessThan(20);
  });
});

describe("people who are there already", () => {
  const enter = (house: House) =>
    house.play((rooms) => {
      const ann = rooms.join(ROOM, "ann");
      rooms.publish(ROOM, "ann");
      return ann;
    });

  test.each(["participants", "publishers"])("have their jobs of an order on %s at once", async (who) => {
    const house = await houseWith();
    const ann = enter(house);
    const { id } = await post(house, { target: { for: who } });
    await waitUntil("she has her job", async () => liveFor(await house.seen(ROOM, id)).includes(nameOf(ann)));
    const [job] = (await house.seen(ROOM, id)).jobs;
    const told = ParticipantInfo.decode(Buffer.from(job?.participantInfo ?? "", "base64"));
    expect(told.tracks).toHaveLength(1);
  });

  test.each(["participant", "publisher"] as const)(
    "have a job of an order for the room at once, where its agent has workers of type %s",
    async (type) => {
      const house = await houseWith();
      await kit.registerWorker(house.api.ledger, { namespace: NAMESPACE, agent: AGENT, type });
      const ann = enter(house);
      const { id } = await post(house, {});
      await waitUntil("she has her job", async () =>
        liveFor(await house.seen(ROOM, id)).includes(nameOf(ann)),
      );
    },
  );

  test("are asked for once by many orders that come meanwhile", async () => {
    const house = await houseWith();
    enter(house);
    const { until, release } = gate();
    house.livekit.fail("ListParticipants", { kind: "hold", until }, 1);
    const made = await Promise.all(
      Array.from({ length: 10 }, () => post(house, { target: { for: "participants" } })),
    );
    release();
    await waitUntil("each order has its job", async () => {
      const seen = await Promise.all(made.map(({ id }) => house.seen(ROOM, id)));
      return seen.every(({ jobs }) => jobs.length === 1);
    });
    expect(asked(house, "ListParticipants").length).toBeLessThanOrEqual(2);
  });

  test("wait for the round when LiveKit is away, and the order is taken all the same", async () => {
    const house = await houseWith();
    enter(house);
    await house.livekit.goDown();
    expect((await post(house, { target: { for: "participants" } })).jobs).toEqual([]);
  });
});

describe("a publisher", () => {
  test("who begins to publish is told of with the track, which its webhook alone has", async () => {
    const house = await houseWith({ asks: false });
    const { id } = await post(house, { target: { for: "publishers" } });
    house.play((rooms) => rooms.join(ROOM, "ann"));
    const track = house.play((rooms) => rooms.publish(ROOM, "ann"));
    await house.tell();
    const [job] = (await house.seen(ROOM, id)).jobs;
    const told = ParticipantInfo.decode(Buffer.from(job?.participantInfo ?? "", "base64"));
    expect(told).toMatchObject({ identity: "ann", isPublisher: true, tracks: [{ sid: track.sid }] });
  });
});

describe("an order whose target needs another type of worker", () => {
  test.each(["participants", "publishers"])("on %s warns, until such a worker was seen", async (who) => {
    const type = who === "participants" ? "participant" : "publisher";
    const house = await houseWith({ asks: false });
    await kit.registerWorker(house.api.ledger, { namespace: NAMESPACE, agent: AGENT });
    const { id, warnings } = await post(house, { target: { for: who } });
    expect(warnings).toEqual([
      expect.stringContaining(`no worker of type ${type} is known for agent "agent"`),
    ]);
    const read = async () =>
      (await (await house.api.rest(`/v1/orders/${id}`)).json()) as { warnings: string[] };
    expect((await read()).warnings).toEqual(warnings);
    house.play((rooms) => rooms.join(ROOM, "ann"));
    house.play((rooms) => rooms.publish(ROOM, "ann"));
    await house.tell();
    const [job] = (await house.seen(ROOM, id)).jobs;
    const explained = await (await house.api.rest(`/v1/jobs/${job?.id}/explain`)).json();
    expect(explained).toMatchObject({ now: { worker_count: 0, warnings } });
    await kit.registerWorker(house.api.ledger, { namespace: NAMESPACE, agent: AGENT, type });
    expect((await read()).warnings).toEqual([]);
  });

  test("for the room warns, until a worker for rooms was seen; those of other types do not take its job", async () => {
    const house = await houseWith({ asks: false });
    const none = 'no worker of type room is known for agent "agent"';
    const waits = "; a job of this type waits until such a worker registers";
    expect((await post(house, {})).warnings).toEqual([`${none}${waits}`]);
    const register = (type: JobType) =>
      kit.registerWorker(house.api.ledger, { namespace: NAMESPACE, agent: AGENT, type });
    for (const type of ["publisher", "participant"] as const) await register(type);
    const { id, warnings } = await post(house, {});
    expect(warnings).toEqual([`${none}, only of type participant and publisher${waits}`]);
    const [job] = (await house.seen(ROOM, id)).jobs;
    const explained = await (await house.api.rest(`/v1/jobs/${job?.id}/explain`)).json();
    expect(explained).toMatchObject({ now: { worker_count: 0, warnings } });
    await register("room");
    expect((await post(house, {})).warnings).toEqual([]);
  });

  test("for the room does not warn where a step of its fallback has a worker for rooms", async () => {
    const house = await houseWith({ asks: false });
    for (const [agent, type] of [
      [AGENT, "publisher"],
      ["second", "room"],
    ] as const)
      await kit.registerWorker(house.api.ledger, { namespace: NAMESPACE, agent, type });
    const fallback = [{ agent_name: "second", after_ms: 1_000 }];
    expect((await post(house, { fallback })).warnings).toEqual([]);
  });
});
