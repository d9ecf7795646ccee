import type { JobRecord } from "@muster/ledger/records";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as kit from "./kit.js";
import { liveFor, nameOf, whomOf } from "./orders-kit.js";
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

const jobOf = async (order: string, whom = "the room"): Promise<JobRecord> => {
  const { jobs } = await house.seen(ROOM, order);
  const found = jobs.find((job) => whomOf(job) === whom);
  if (found === undefined) throw new Error(`${whom} has no job`);
  return found;
};
const live = async (order: string, namespace?: string) => liveFor(await house.seen(ROOM, order, namespace));

describe("an order on participants", () => {
  const there = () =>
    house.play((rooms) => ({
      ann: rooms.join(ROOM, "caller-ann", { attributes: { tier: "gold" } }),
      ben: rooms.join(ROOM, "ben", { kind: "sip", attributes: { tier: "gold", lang: "de" } }),
      cleo: rooms.join(ROOM, "caller-cleo", { attributes: { tier: "tin" } }),
      bot: rooms.join(ROOM, "bot", { kind: "agent" }),
      recorder: rooms.join(ROOM, "recorder", { kind: "egress" }),
    }));
  type Who = keyof ReturnType<typeof there>;

  describe.each<[string, object, Who[]]>([
    ["all", {}, ["ann", "ben", "cleo"]],
    ["those listed", { identities: ["ben", "caller-cleo", "nobody"] }, ["ben", "cleo"]],
    ["a pattern", { identity_pattern: "caller-*" }, ["ann", "cleo"]],
    ["attributes", { attributes: { tier: "gold" } }, ["ann", "ben"]],
    ["all of several attributes", { attributes: { tier: "gold", lang: "de" } }, ["ben"]],
    ["kinds", { kinds: ["agent", "sip"] }, ["ben", "bot"]],
    ["several criteria", { attributes: { tier: "gold" }, identity_pattern: "caller-?nn" }, ["ann"]],
  ])("for %s", (_, criteria, whom) => {
    test.each(["participants", "publishers"])(
      "%s: who is there already, and who comes later",
      async (who) => {
        const target = { for: who, ...criteria };
        const before = await house.order({ room: ROOM, target });
        const people = there();
        await house.tell();
        const expected = whom.map((name) => nameOf(people[name])).sort();
        const after = await house.order({ room: ROOM, target });
        for (const id of [before, after])
          expect(await live(id)).toEqual(who === "participants" ? expected : []);
        house.play((rooms) => {
          for (const { identity } of Object.values(people)) rooms.publish(ROOM, identity);
        });
        await house.tell();
        for (const id of [before, after]) expect(await live(id)).toEqual(expected);
        const { order, jobs } = await house.seen(ROOM, after);
        expect(order).toMatchObject({ state: "live", isOpen: true });
        expect(jobs.map(({ type }) => type)).toEqual(whom.map(() => who.slice(0, -1)));
        expect(jobs[0]).toMatchObject({ roomSid: order.roomSid, roomInfo: expect.stringMatching(/./) });
      },
    );
  });

  test("a publisher has one job, however many tracks it publishes and takes back", async () => {
    const id = await house.order({ room: ROOM, target: { for: "publishers" } });
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    const track = house.play((rooms) => rooms.publish(ROOM, "ann"));
    house.play((rooms) => rooms.unpublish(ROOM, "ann", track.sid));
    house.play((rooms) => rooms.publish(ROOM, "ann"));
    await house.tell();
    const { jobs } = await house.seen(ROOM, id);
    expect(jobs.map(whomOf)).toEqual([nameOf(ann)]);
    expect(await kit.queued(house.api.redis, "default")).toHaveLength(1);
  });

  test("track_published before participant_joined is enough, once it is known who that is", async () => {
    const gold = { for: "publishers", attributes: { tier: "gold" } };
    const id = await house.order({ room: ROOM, target: gold });
    const ann = house.play((rooms) => rooms.join(ROOM, "ann", { attributes: { tier: "gold" } }));
    house.play((rooms) => rooms.publish(ROOM, "ann"));
    const [started, joined, published] = house.untold();
    if (!started || !joined || !published) throw new Error("three events were expected");
    await house.deliver([published]);
    expect(await live(id)).toEqual([]);
    await house.deliver([joined, started]);
    expect(await live(id)).toEqual([nameOf(ann)]);
  });

  test("whoever comes back is somebody new, and the job of the stay before is taken back", async () => {
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    const first = house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    const second = house.play((rooms) => rooms.rejoin(ROOM, "ann"));
    await house.tell();
    expect(second.sid).not.toBe(first.sid);
    expect(await live(id)).toEqual([nameOf(second)]);
    expect(await jobOf(id, nameOf(first))).toMatchObject({
      ...{ state: "ended", outcome: "canceled", cause: "participant_left" },
    });
  });

  test("a second connection puts out the first: its job waits for nobody", async () => {
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    const second = house.play((rooms) => rooms.join(ROOM, "ann"));
    const events = house.untold();
    expect(events[0]?.participant?.disconnectReason).toBe(2);
    await house.deliver(events);
    expect(await live(id)).toEqual([nameOf(second)]);
  });

  test("a job that runs is left to its agent when its participant leaves", async () => {
    await kit.registerWorker(house.api.ledger, { namespace: "default", agent: "agent", type: "participant" });
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    await kit.runJob(house.api.ledger, "default", (await jobOf(id, nameOf(ann))).id);
    house.play((rooms) => rooms.leave(ROOM, "ann"));
    await house.tell();
    expect(await jobOf(id, nameOf(ann))).toMatchObject({ state: "running" });
  });

  test("who never became active gets none", async () => {
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    house.play((rooms) => rooms.beginJoin(ROOM, "ann"));
    house.play((rooms) => rooms.leave(ROOM, "ann", "JOIN_FAILURE"));
    await house.tell();
    expect((await house.seen(ROOM, id)).jobs).toEqual([]);
  });

  test("who leaves while their coming is still being taken in leaves no job behind", async () => {
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    for (let at = 0; at < 30; at++) {
      house.play((rooms) => rooms.join(ROOM, `caller-${at}`));
      house.play((rooms) => rooms.leave(ROOM, `caller-${at}`));
    }
    await Promise.all(house.untold().map((event) => house.deliver([event])));
    expect(await live(id)).toEqual([]);
  });

  test("in two namespaces, each has its own", async () => {
    const target = { for: "participants" };
    const [east, west] = await Promise.all(
      ["east", "west"].map((namespace) => house.order({ room: ROOM, namespace, target })),
    );
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    expect(await live(east ?? "", "default:east")).toEqual([nameOf(ann)]);
    expect(await live(west ?? "", "default:west")).toEqual([nameOf(ann)]);
    const jobs = await Promise.all(
      ["east", "west"].map((name) => house.api.redis.zcard(`muster:{default:${name}}:jobs`)),
    );
    expect(jobs).toEqual([1, 1]);
  });
});

describe("a job that waits", () => {
  const describedTo = async (order: string, whom: string) => {
    const { roomInfo, participantInfo } = await jobOf(order, whom);
    const [room, participant] = [roomInfo, participantInfo].map((info) => Buffer.from(info, "base64"));
    return {
      people: Room.decode(room ?? Buffer.alloc(0)).numParticipants,
      tracks: ParticipantInfo.decode(participant ?? Buffer.alloc(0)).tracks.length,
    };
  };

  test("has its room as LiveKit described it last, in whatever order that is told", async () => {
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    expect(await describedTo(id, nameOf(ann))).toMatchObject({ people: 1 });
    house.play((rooms) => rooms.join(ROOM, "ben"));
    house.play((rooms) => rooms.join(ROOM, "cleo"));
    await house.deliver(house.untold().reverse());
    expect(await describedTo(id, nameOf(ann))).toMatchObject({ people: 3 });
  });

  test("has its participant as RoomService described it last, where webhooks say less or nothing", async () => {
    await house.stop();
    house = await openHouse(server, { asks: true, roomsEveryMs: 100 });
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    expect(await describedTo(id, nameOf(ann))).toEqual({ people: 1, tracks: 0 });
    house.play((rooms) => rooms.publish(ROOM, "ann"));
    house.untold();
    await waitUntil("a round sees it", async () => (await describedTo(id, nameOf(ann))).tracks === 1);
  });
});

describe("the end of a room", () => {
  test("ends its orders and their jobs: who waits is let go, who runs has done its work and is stopped", async () => {
    const gateway = await kit.fakeGateway(server);
    const worker = { namespace: "default", agent: "agent", gateway: gateway.nodeId };
    const session = await kit.registerWorker(house.api.ledger, { ...worker, type: "participant" });
    const id = await house.order({ room: ROOM, target: { for: "participants" } });
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    const ben = house.play((rooms) => rooms.join(ROOM, "ben"));
    await house.tell();
    const running = await jobOf(id, nameOf(ann));
    await kit.runJob(house.api.ledger, "default", running.id);
    house.play((rooms) => rooms.finishRoom(ROOM));
    // What is told of the participants may be lost with the node that closes the room.
    await house.deliver(house.untold().filter(({ event }) => event === "room_finished"));
    expect((await house.seen(ROOM, id)).order.state).toBe("ended");
    expect(await jobOf(id, nameOf(ann))).toMatchObject({
      state: "ended",
      outcome: "success",
      cause: "room_finished",
    });
    expect(await jobOf(id, nameOf(ben))).toMatchObject({
      state: "ended",
      outcome: "canceled",
      cause: "room_closed",
    });
    await waitUntil("the gateway is told to stop it", () => gateway.received.length > 0);
    expect(gateway.received[0]).toMatchObject({ kind: "stop", session, job: running.id });
    await gateway.stop();
  });

  test("that nobody served leaves an order for the room to its next life, and binds it to that", async () => {
    const id = await house.order({ room: ROOM });
    house.play((rooms) => rooms.startRoom(ROOM));
    await house.tell();
    const first = (await house.seen(ROOM, id)).order.roomSid;
    expect(first).not.toBe("");
    house.play((rooms) => rooms.finishRoom(ROOM));
    await house.tell();
    expect(await house.seen(ROOM, id)).toMatchObject({
      order: { state: "live", roomSid: "" },
      jobs: [{ roomSid: "" }],
    });
    const next = house.play((rooms) => rooms.startRoom(ROOM));
    await house.tell();
    expect(next.sid).not.toBe(first);
    expect(await house.seen(ROOM, id)).toMatchObject({
      ...{ order: { state: "live", roomSid: next.sid }, jobs: [{ state: "queued", roomSid: next.sid }] },
    });
  });

  test("that comes while its beginning is still being taken in leaves no order bound to it", async () => {
    const rooms = Array.from({ length: 30 }, (_, at) => `${ROOM}-${at}`);
    const ids = await Promise.all(rooms.map((room) => house.order({ room })));
    for (const room of rooms) {
      house.play((all) => all.startRoom(room));
      house.play((all) => all.finishRoom(room));
    }
    await Promise.all(house.untold().map((event) => house.deliver([event])));
    const orders = await Promise.all(rooms.map((room, at) => house.seen(room, ids[at] ?? "")));
    expect(orders.filter(({ order }) => order.roomSid !== "" || order.state !== "live")).toEqual([]);
  });

  test("that an api took in and died of is followed up by the next round", async () => {
    await house.stop();
    house = await openHouse(server, { asks: true, roomsEveryMs: 200 });
    await kit.registerWorker(house.api.ledger, { namespace: "default", agent: "agent" });
    const id = await house.order({ room: ROOM });
    house.play((rooms) => rooms.startRoom(ROOM));
    await house.tell();
    await kit.runJob(house.api.ledger, "default", (await jobOf(id)).id);
    const sid = (await house.seen(ROOM, id)).order.roomSid;
    // All that the dead one did: the book has it, LiveKit was not answered, and does not say it again.
    house.play((rooms) => rooms.finishRoom(ROOM));
    house.untold();
    await house.api.ledger.mergeRoom({
      ...{ room: ROOM, sid, createdAt: 0, isOver: true, info: "", saidAt: Date.now(), changes: [] },
      keepMs: 60_000,
    });
    await waitUntil("its order ends", async () => (await house.seen(ROOM, id)).order.state === "ended");
    await waitUntil("it is off the list", async () => (await house.api.redis.zcard("muster:rooms")) === 0);
  });

  test("of which nobody ever says anything takes it off the list in time", async () => {
    await house.stop();
    const redis = server.client();
    await redis.zadd("muster:rooms", Date.now() - 25 * 3_600_000, "long ago");
    house = await openHouse(server, { roomsEveryMs: 200 });
    await waitUntil(
      "it is off the list",
      async () => (await redis.zscore("muster:rooms", "long ago")) === null,
    );
  });

  test("that was never told is known from the next life", async () => {
    await kit.registerWorker(house.api.ledger, { namespace: "default", agent: "agent" });
    const id = await house.order({ room: ROOM });
    const onPeople = await house.order({ room: ROOM, target: { for: "participants" } });
    house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    await kit.runJob(house.api.ledger, "default", (await jobOf(id)).id);
    house.play((rooms) => rooms.finishRoom(ROOM));
    house.untold();
    house.play((rooms) => rooms.join(ROOM, "ben"));
    await house.tell();
    expect(await house.seen(ROOM, id)).toMatchObject({
      ...{ order: { state: "ended" }, jobs: [{ outcome: "success", cause: "room_finished" }] },
    });
    // Somebody was there: it was for that life.
    expect(await house.seen(ROOM, onPeople)).toMatchObject({
      ...{
        order: { state: "ended", cause: "room_finished" },
        jobs: [{ outcome: "canceled", cause: "room_closed" }],
      },
    });
  });
});

describe("LiveKit's own expectations", () => {
  const TYPES = ["room", "publisher", "participant"] as const;

  test("two workers of each type, two participants who publish: a job for the room, two for each of the others", async () => {
    for (const type of [...TYPES, ...TYPES]) {
      await kit.registerWorker(house.api.ledger, { namespace: "default", agent: "agent", type });
    }
    const made = await house.api.twirp("CreateDispatch", { room: ROOM, agent_name: "agent" } as {
      room: string;
    });
    const { id } = (await made.json()) as { id: string };
    const people = ["ann", "ben"].map((name) => house.play((rooms) => rooms.join(ROOM, name)));
    for (const { identity } of people) house.play((rooms) => rooms.publish(ROOM, identity));
    await house.tell();
    const { jobs } = await house.seen(ROOM, id);
    const of = (type: string) =>
      jobs
        .filter((job) => job.type === type)
        .map(whomOf)
        .sort();
    expect(of("room")).toEqual(["the room"]);
    expect(of("publisher")).toEqual(people.map(nameOf).sort());
    expect(of("participant")).toEqual(people.map(nameOf).sort());
    expect(jobs).toHaveLength(5);
    for (const job of jobs) await kit.runJob(house.api.ledger, "default", job.id);
    expect((await house.seen(ROOM, id)).jobs.map(({ state }) => state)).toEqual(jobs.map(() => "running"));
  });

  test("the same agent in two namespaces: a job for the room in each", async () => {
    const namespaces = ["default:east", "default:west"];
    for (const namespace of namespaces) {
      for (const type of TYPES)
        await kit.registerWorker(house.api.ledger, { namespace, agent: "agent", type });
    }
    const made = await house.api.twirp("CreateDispatch", { room: ROOM, agent_name: "agent" } as {
      room: string;
    });
    const { id } = (await made.json()) as { id: string };
    const ann = house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    for (const namespace of namespaces) {
      const { jobs } = await house.seen(ROOM, id, namespace);
      expect(jobs.map((job) => [job.type, whomOf(job)]).sort()).toEqual([
        ["participant", nameOf(ann)],
        ["room", "the room"],
      ]);
    }
  });
});

describe("what is refused changes nothing", () => {
  test.each<[string, (event: Record<string, unknown>) => unknown, string | undefined]>([
    ["no room", (event) => ({ ...event, room: undefined }), "room"],
    ["a room without a sid", (event) => ({ ...event, room: { name: ROOM } }), "room.sid"],
    [
      "a participant without a name",
      (event) => ({ ...event, participant: { sid: "PA_1" } }),
      "participant.identity",
    ],
    ["no time", (event) => ({ ...event, createdAt: "0" }), "createdAt"],
  ])("%s", async (_, change, field) => {
    await house.order({ room: ROOM, target: { for: "participants" } });
    house.play((rooms) => rooms.join(ROOM, "ann"));
    await house.tell();
    const before = await kit.dump(house.api.redis);
    const good = {
      ...{ event: "participant_joined", id: "EV_1", createdAt: "1800000010" },
      ...{ room: { sid: "RM_1", name: ROOM }, participant: { sid: "PA_1", identity: "ben" } },
    };
    const body = JSON.stringify(change(good));
    const answer = await house.post(body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "invalid_argument", field });
    expect((await house.post(body, "another-secret")).status).toBe(401);
    expect((await house.post("{", undefined)).status).toBe(400);
    expect(await kit.dump(house.api.redis)).toEqual(before);
  });
});
