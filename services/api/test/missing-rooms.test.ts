/** The room of an order that is not there is made, once, and whoever dies or is away in between. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { Room, WebhookEvent } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type House, type HouseOptions, openHouse } from "./rooms-kit.js";

const ROOM = "support";
const WANTED = "muster:rooms-wanted";
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
  const house = await openHouse(server, { asks: true, createRooms: true, ...options });
  open.push(house);
  return house;
}

const madeIn = ({ livekit }: House) => livekit.calls.filter(({ method }) => method === "CreateRoom");
const isLive = ({ livekit }: House) => livekit.rooms.hasLive(ROOM);
const roomSidOf = async (house: House, id: string) => (await house.seen(ROOM, id)).order.roomSid;
const post = (house: House, body: object) =>
  house.api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true } },
    body: JSON.stringify({ room: ROOM, agent_name: "agent", ...body }),
    headers: { "content-type": "application/json" },
  });

describe("the room of an order", () => {
  test("is made when it is not there, and the order is bound to it without any webhook", async () => {
    const house = await houseWith();
    const id = await house.order({ room: ROOM });
    await waitUntil("the order is bound", async () => (await roomSidOf(house, id)) !== "");
    const [row] = house.livekit.rooms.rowsOf([ROOM]);
    const { order, jobs } = await house.seen(ROOM, id);
    expect(order).toMatchObject({ state: "live", roomSid: row?.sid });
    expect(jobs).toMatchObject([{ roomSid: row?.sid }]);
    expect(Room.decode(Buffer.from(jobs[0]?.roomInfo ?? "", "base64"))).toMatchObject({ name: ROOM });
    await waitUntil("it is off the list", async () => (await house.api.redis.zcard(WANTED)) === 0);
    expect(madeIn(house)).toHaveLength(1);
    const counted = await house.api.metrics.render();
    expect(counted).toContain('muster_livekit_calls_total{method="CreateRoom",outcome="ok"} 1');
  });

  test("of one on participants too", async () => {
    const house = await houseWith();
    await house.order({ room: ROOM, target: { for: "participants" } });
    await waitUntil("the room is there", () => isLive(house));
  });

  test("has livekit-server's own time-outs, however long the order may wait", async () => {
    const house = await houseWith();
    expect((await post(house, { deadline_ms: 7_200_000 })).status).toBe(201);
    await waitUntil("the room is there", () => isLive(house));
    const [call] = madeIn(house);
    expect(call?.request).toEqual({ name: ROOM, agents: [] });
  });

  test("that is there already is not touched, and the order is bound to it", async () => {
    const house = await houseWith();
    const { sid } = house.play((rooms) => rooms.startRoom(ROOM, { emptyTimeout: 17 }));
    const id = await house.order({ room: ROOM });
    await waitUntil("the order is bound", async () => (await roomSidOf(house, id)) === sid);
    await waitUntil("it is off the list", async () => (await house.api.redis.zcard(WANTED)) === 0);
    expect(madeIn(house)).toEqual([]);
    expect(house.livekit.rooms.rowsOf([ROOM])).toMatchObject([{ emptyTimeout: 17 }]);
  });

  test("is not made where that is switched off, or nobody can be asked", async () => {
    for (const options of [{ createRooms: false }, { asks: false }]) {
      const house = await houseWith(options);
      const id = await house.order({ room: ROOM });
      expect(await house.api.redis.exists(WANTED)).toBe(0);
      expect(await roomSidOf(house, id)).toBe("");
      expect(madeIn(house)).toEqual([]);
    }
  });

  test("of a dispatch that livekit-server made is left to it", async () => {
    const house = await houseWith();
    house.play((rooms) => rooms.startRoom(ROOM, { agents: [{ agentName: "greeter" }] }));
    await house.tell();
    const { orders } = await house.api.ledger.listRoomOrders({
      ...{ namespace: "default", room: ROOM, only: "", limit: 10 },
    });
    expect(Object.values(orders)).toHaveLength(1);
    expect(await house.api.redis.exists(WANTED)).toBe(0);
  });

  test("is made once for many orders at once, and no answer waits for it", async () => {
    const house = await houseWith();
    let release = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    house.livekit.fail("ListRooms", { kind: "hold", until }, 4);
    house.livekit.fail("CreateRoom", { kind: "hold", until }, 4);
    const ids = await Promise.all(Array.from({ length: 20 }, () => house.order({ room: ROOM })));
    expect(isLive(house)).toBe(false);
    release();
    await waitUntil("all are bound", async () => {
      const sids = await Promise.all(ids.map((id) => roomSidOf(house, id)));
      return sids.every((sid) => sid !== "");
    });
    expect(house.livekit.events.filter(({ event }) => event === "room_started")).toHaveLength(1);
  });

  test.each(["a webhook tells of it", "no webhook tells of it"])(
    "that closed before anybody came is made again while the order waits: %s",
    async (how) => {
      const isTold = how === "a webhook tells of it";
      const house = await houseWith(isTold ? {} : { roomsEveryMs: 100 });
      const id = await house.order({ room: ROOM });
      const first = await waitUntil(
        "the order is bound",
        async () => (await roomSidOf(house, id)) || undefined,
      );
      house.play((rooms) => rooms.finishRoom(ROOM));
      const events = house.untold();
      if (isTold) await house.deliver(events);
      await waitUntil("it is bound to the next life", async () => {
        const sid = await roomSidOf(house, id);
        return sid !== "" && sid !== first;
      });
      expect(isLive(house)).toBe(true);
      await waitUntil("it is off the list", async () => (await house.api.redis.zcard(WANTED)) === 0);
      expect(madeIn(house)).toHaveLength(2);
    },
  );

  test("that closed is not made again for an order that is over, or was served, or for its own life alone", async () => {
    const house = await houseWith();
    const id = await house.order({ room: ROOM });
    await waitUntil("the order is bound", async () => (await roomSidOf(house, id)) !== "");
    house.play((rooms) => rooms.join(ROOM, "ann"));
    house.play((rooms) => rooms.finishRoom(ROOM));
    await house.tell();
    expect((await house.seen(ROOM, id)).order.state).toBe("ended");
    expect(await house.api.redis.zcard(WANTED)).toBe(0);
    expect(madeIn(house)).toHaveLength(1);
  });

  test("that LiveKit still lists when it tells of its end is made once it is off its list", async () => {
    const house = await houseWith();
    const id = await house.order({ room: ROOM });
    const first = await waitUntil(
      "the order is bound",
      async () => (await roomSidOf(house, id)) || undefined,
    );
    const [listed] = house.livekit.rooms.rowsOf([ROOM]);
    // The end is told, and the row is still there: as a node does that has not got to its store yet.
    const asked = () => house.livekit.calls.filter(({ method }) => method === "ListRooms").length;
    const before = asked();
    const over = WebhookEvent.create({ event: "room_finished", id: "EV_over", room: listed ?? null });
    await house.deliver([{ ...over, createdAt: BigInt(Math.floor(Date.now() / 1000)) }]);
    await waitUntil("it was asked for some times", () => asked() >= before + 3);
    expect(madeIn(house)).toHaveLength(1);
    house.play((rooms) => rooms.finishRoom(ROOM));
    await waitUntil("it is bound to the next life", async () => {
      const sid = await roomSidOf(house, id);
      return sid !== "" && sid !== first;
    });
    expect(madeIn(house)).toHaveLength(2);
  });
});

describe("the rounds make up for it", () => {
  test("when LiveKit was away", async () => {
    const house = await houseWith({ roomsEveryMs: 100 });
    await house.livekit.goDown();
    const id = await house.order({ room: ROOM });
    expect(await house.api.redis.zcard(WANTED)).toBe(1);
    await house.livekit.comeBack();
    await waitUntil("the order is bound", async () => (await roomSidOf(house, id)) !== "");
    await waitUntil("it is off the list", async () => (await house.api.redis.zcard(WANTED)) === 0);
  });

  test("of one that LiveKit refuses it is not: that one holds up no other, and is asked for once", async () => {
    const house = await houseWith({ roomsEveryMs: 100 });
    await house.livekit.goDown();
    // First in the list, as they wait for the shortest time; more than are asked for at once.
    const refused = Array.from({ length: 6 }, (_, at) => `${at}${"n".repeat(256)}`);
    for (const room of refused) expect((await post(house, { room, deadline_ms: 600_000 })).status).toBe(201);
    const id = await house.order({ room: ROOM });
    expect(await house.api.redis.zcard(WANTED)).toBe(7);
    await house.livekit.comeBack();
    await waitUntil("the order is bound", async () => (await roomSidOf(house, id)) !== "");
    await waitUntil("none is listed", async () => (await house.api.redis.zcard(WANTED)) === 0);
    expect(
      madeIn(house)
        .map(({ request }) => request.name)
        .sort(),
    ).toEqual([...refused, ROOM].sort());
  });

  /** All that an api did that died after putting the room on the list. */
  async function diedAfterListing(untilMs: number) {
    const before = await houseWith({ createRooms: false });
    const id = await before.order({ room: ROOM });
    await before.api.redis.zadd(WANTED, untilMs, ROOM);
    await before.api.stop();
    await before.api.redis.del("muster:rooms-round");
    return id;
  }

  test("when the api died with it", async () => {
    const id = await diedAfterListing(Date.now() + 60_000);
    const house = await houseWith({ roomsEveryMs: 100 });
    await waitUntil("the order is bound", async () => (await roomSidOf(house, id)) !== "");
    expect(isLive(house)).toBe(true);
  });

  test.each(["it is deleted", "its time is over"])("not when nobody waits any more: %s", async (why) => {
    const isDeleted = why === "it is deleted";
    const id = await diedAfterListing(Date.now() + (isDeleted ? 60_000 : 0));
    if (isDeleted) {
      const deleting = await houseWith({ asks: false });
      await deleting.api.twirp("DeleteDispatch", { room: ROOM, dispatch_id: id } as { room: string });
      await deleting.api.redis.del("muster:rooms-round");
    }
    const other = await houseWith({ roomsEveryMs: 100 });
    await waitUntil("it is off the list", async () => (await other.api.redis.zcard(WANTED)) === 0);
    expect(madeIn(other)).toEqual([]);
  });
});
