import { createRoomService, type RoomServiceDeps } from "@muster/livekit/create-room-service";
import type { RoomService } from "@muster/livekit/room-service";
import { systemClock } from "@muster/runtime/clock";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

/** Each call as livekit-server answers it: what comes back, with which grants it was made, and what "not there" is. */

let livekit: LivekitStandIn;
let told: [string, string][];
let service: RoomService;
let room: string;
let rooms = 0;

beforeAll(async () => {
  livekit = await startLivekitStandIn({ pathPrefix: "/behind/a/proxy" });
});
afterAll(() => livekit.stop());
beforeEach(() => {
  room = `room-${++rooms}`;
  told = [];
  service = serviceAt(livekit.url);
  livekit.calls.length = 0;
});

function serviceAt(url: string, more: Partial<RoomServiceDeps> = {}): RoomService {
  const { apiKey, apiSecret } = livekit;
  return createRoomService({
    url,
    apiKey,
    apiSecret,
    clock: systemClock,
    random: () => 0,
    bounds: { backOffMs: 1 },
    onCall: (method, outcome) => told.push([method, outcome]),
    ...more,
  });
}

const lastCall = () => livekit.calls.at(-1);

describe("rooms", () => {
  it("are made with what is asked for, and then stay", async () => {
    const made = await service.createRoom({
      name: room,
      emptyTimeoutS: 3600,
      departureTimeoutS: 7,
      maxParticipants: 4,
      metadata: "æ",
    });
    expect(made).toMatchObject({
      name: room,
      emptyTimeout: 3600,
      departureTimeout: 7,
      maxParticipants: 4,
      metadata: "æ",
    });
    expect(made.sid).toMatch(/^RM_/);
    expect(lastCall()?.grant).toMatchObject({ roomCreate: true, roomAdmin: false, roomList: false });

    const again = await service.createRoom({ name: room });
    expect(again).toEqual(made);
  });

  it("take livekit-server's settings where none are given", async () => {
    expect(await service.createRoom({ name: room })).toMatchObject({ emptyTimeout: 300, metadata: "" });
  });

  it("are listed, by name or all", async () => {
    livekit.rooms.startRoom(room);
    livekit.rooms.startRoom(`${room}-b`);
    expect((await service.listRooms([room, "no such room"])).map(({ name }) => name)).toEqual([room]);
    expect(lastCall()?.grant).toMatchObject({ roomList: true, roomAdmin: false, roomCreate: false });
    const all = (await service.listRooms()).map(({ name }) => name);
    expect(all).toEqual(expect.arrayContaining([room, `${room}-b`]));
  });

  it("of no name at all are none, and nobody is asked", async () => {
    livekit.rooms.startRoom(room);
    expect(await service.listRooms([])).toEqual([]);
    expect(livekit.calls).toEqual([]);
  });
});

describe("participants", () => {
  it("are listed, joining ones too", async () => {
    livekit.rooms.join(room, "ada", { kind: "sip", attributes: { "sip.callID": "7" } });
    livekit.rooms.beginJoin(room, "bob");
    const there = await service.listParticipants(room);
    expect(there.map(({ identity, state }) => [identity, state])).toEqual([
      ["ada", 2],
      ["bob", 1],
    ]);
    expect(there[0]).toMatchObject({ kind: 3, attributes: { "sip.callID": "7" } });
    expect(lastCall()?.grant).toMatchObject({ roomAdmin: true, room, roomList: false });
  });

  it("of a room that is not there are none", async () => {
    expect(await service.listParticipants(room)).toEqual([]);
  });

  it("of a room that is not there are none, also where livekit-server asks its nodes", async () => {
    livekit.fail("ListParticipants", { kind: "twirp", status: 404, code: "not_found", msg: "no room" });
    expect(await service.listParticipants(room)).toEqual([]);
    expect(told).toEqual([["ListParticipants", "absent"]]);
  });

  it("are found by identity, or are not there", async () => {
    const ada = livekit.rooms.join(room, "ada");
    expect((await service.getParticipant(room, "ada"))?.sid).toBe(ada.sid);
    expect(await service.getParticipant(room, "bob")).toBeUndefined();
    expect(await service.getParticipant("no such room", "ada")).toBeUndefined();
    expect(told.map(([, outcome]) => outcome)).toEqual(["ok", "absent", "absent"]);
  });

  it("are removed once", async () => {
    livekit.rooms.join(room, "ada");
    expect(await service.removeParticipant(room, "ada")).toBe("removed");
    expect(livekit.events.at(-1)).toMatchObject({ event: "participant_left" });
    expect(await service.removeParticipant(room, "ada")).toBe("absent");
    expect(told.map(([, outcome]) => outcome)).toEqual(["ok", "absent"]);
  });

  it("take their tokens along, not those that are made from now on", async () => {
    const nowMs = Date.now();
    service = serviceAt(livekit.url, { clock: { ...systemClock, now: () => nowMs } });
    livekit.rooms.join(room, "ada");
    await service.removeParticipant(room, "ada");
    const revokeTokenTs = BigInt(Math.floor(nowMs / 1000));
    expect(lastCall()?.request).toEqual(expect.objectContaining({ room, identity: "ada", revokeTokenTs }));
  });

  it("of a node that crashed are still listed, and cannot be removed", async () => {
    livekit.rooms.join(room, "ada");
    livekit.rooms.crashNode(room);
    expect((await service.listRooms([room])).length).toBe(1);
    expect((await service.listParticipants(room)).map(({ identity }) => identity)).toEqual(["ada"]);
    await expect(service.removeParticipant(room, "ada")).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("livekit-server's own dispatches", () => {
  it("are the unnamed one, or those that the room was made with, and those that came later", async () => {
    livekit.rooms.startRoom(room);
    expect((await service.listDispatches(room)).map(({ agentName }) => agentName)).toEqual([""]);

    const named = `${room}-named`;
    livekit.rooms.startRoom(named, { agents: [{ agentName: "a", metadata: "m" }, { agentName: "b" }] });
    const later = livekit.rooms.addDispatch(named, { agentName: "c" });
    const dispatches = await service.listDispatches(named);
    expect(dispatches.map(({ agentName }) => agentName)).toEqual(["a", "b", "c"]);
    expect(dispatches[0]).toMatchObject({ room: named, metadata: "m" });
    expect(dispatches[2]).toEqual(later);
    expect(lastCall()?.grant).toMatchObject({ roomAdmin: true, room: named });
  });

  it("of a room that no node has: nobody answers, which is not the same as none", async () => {
    await expect(service.listDispatches(room)).rejects.toMatchObject({
      code: "unavailable",
      method: "ListDispatch",
      httpStatus: 503,
    });
  });

  it("of a room that its node no longer has are none", async () => {
    livekit.fail("ListDispatch", { kind: "twirp", status: 404, code: "not_found", msg: "no such room" });
    expect(await service.listDispatches(room)).toEqual([]);
  });
});

describe("every call", () => {
  it("tells the server how long it waits", async () => {
    livekit.rooms.startRoom(room);
    await service.listRooms([room], { overallMs: 1_500 });
    const timeoutMs = Number(lastCall()?.headers["x-twirp-timeout-ms"]);
    expect(timeoutMs).toBeGreaterThan(500);
    expect(timeoutMs).toBeLessThanOrEqual(1_500);
  });

  it("takes the url of the SDKs", async () => {
    livekit.rooms.startRoom(room);
    const { host, pathname } = new URL(livekit.url);
    for (const url of [
      `ws://${host}${pathname}`,
      `http://${host}${pathname}/`,
      `ws://${host}${pathname}//?x=1#y`,
    ]) {
      expect((await serviceAt(url).listRooms([room])).length).toBe(1);
    }
  });

  it.each([
    ["", "must be livekit-server's url"],
    ["livekit.example", "must be livekit-server's url"],
    ["redis://livekit.example", "must be livekit-server's url"],
    ["ws://key:secret@livekit.example", "must not carry a user"],
  ])("refuses the url %j", (url, problem) => {
    expect(() => serviceAt(url)).toThrow(problem);
  });

  it("with the wrong secret is refused, and not repeated", async () => {
    const wrong = serviceAt(livekit.url, { apiSecret: "another" });
    await expect(wrong.listRooms()).rejects.toMatchObject({ code: "unauthenticated", httpStatus: 401 });
    expect(told).toEqual([["ListRooms", "unauthenticated"]]);
    // livekit-server says the token back.
    await expect(wrong.listRooms()).rejects.toThrow(
      /^LiveKit ListRooms: 401 "invalid token: \(the token\), error: /,
    );
  });
});
