/** What is concluded of an agent from webhooks and from RoomService, one or both of which may say nothing, or be late. */

import { createLedger, type Ledger } from "@muster/ledger/ledger";
import type { RoomChange } from "@muster/ledger/shapes";
import { roomServiceOf } from "@muster/livekit/settings";
import { systemClock } from "@muster/runtime/clock";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RoomPresence } from "../src/room-presence.js";

const IDENTITY = "agent-AJ_1";
let server: RedisServer;
let livekit: LivekitStandIn;
let ledger: Ledger;
/** When LiveKit was last heard by webhook. */
let heardAtMs: number | undefined;
let count = 0;
let room = "";

beforeAll(async () => {
  server = await startRedis();
  livekit = await startLivekitStandIn();
  ledger = createLedger(server.client());
});
beforeEach(() => {
  room = `room-${++count}`;
});
afterAll(async () => {
  await livekit.stop();
  await server.stop();
});

const presence = (asks: "both" | "webhooks") => {
  const keys = new Map([[livekit.apiKey, livekit.apiSecret]]);
  const roomService = asks === "both" ? roomServiceOf({ url: livekit.url, keys }, systemClock) : undefined;
  const clock = systemClock;
  return new RoomPresence({
    ledger,
    roomService,
    clock,
    heard: { lastHeardMs: async () => heardAtMs },
    startMs: 1_000,
  });
};
const ask = (asks: "both" | "webhooks", participantSid: string, agentIdentity = IDENTITY) =>
  presence(asks).ask({ ...{ namespace: "default", job: "AJ_1", room, agentIdentity, participantSid } });

/** What a webhook said. */
const told = (change: Partial<RoomChange> & { sid: string }, { sid = "RM_1", isOver = false } = {}) =>
  ledger.mergeRoom({
    ...{
      room,
      sid,
      createdAt: sid === "RM_1" ? 1_000 : 2_000,
      isOver,
      info: "",
      saidAt: 3_000,
      keepMs: 60_000,
    },
    changes: [{ identity: IDENTITY, kind: "agent", joined_at: 3_000, ...change }],
  });
const left = (sid: string, reason: string) => told({ sid, left_at: 4_000, left_reason: reason });
const join = () => livekit.rooms.join(room, IDENTITY, { kind: "agent" });

describe("of an agent that webhooks told to have left", () => {
  test.each(["CLIENT_INITIATED", "SIGNAL_CLOSE", ""])(
    "(%j): it is absent, and LiveKit is not asked",
    async (reason) => {
      await told({ sid: "PA_1" });
      await left("PA_1", reason);
      const asked = livekit.calls.length;
      expect(await ask("webhooks", "PA_1")).toBe("absent");
      expect(await ask("both", "PA_1")).toBe("absent");
      expect(livekit.calls).toHaveLength(asked);
    },
  );

  test.each(["DUPLICATE_IDENTITY", "MIGRATION"])(
    "put out by its own next connection (%s): that says nothing",
    async (reason) => {
      await told({ sid: "PA_1" });
      await left("PA_1", reason);
      expect(await ask("webhooks", "PA_1")).toBe("unknown");
      expect(await ask("both", "PA_1")).toBe("absent");
      join();
      expect(await ask("both", "PA_1")).toBe("present");
    },
  );

  test("and whose room is over: it is absent", async () => {
    await told({ sid: "PA_1" });
    await told({ sid: "PA_1" }, { isOver: true });
    expect(await ask("webhooks", "PA_1")).toBe("absent");
    expect(await ask("both", "PA_1")).toBe("absent");
  });
});

describe("of an agent that webhooks told to be there", () => {
  test("it is present, for want of somebody better to ask", async () => {
    await told({ sid: "PA_1" });
    expect(await ask("webhooks", "PA_1")).toBe("present");
  });

  test("and RoomService has not: it is absent, with its room or without", async () => {
    await told({ sid: "PA_1" });
    expect(await ask("both", "PA_1")).toBe("absent");
    livekit.rooms.startRoom(room);
    expect(await ask("both", "PA_1")).toBe("absent");
  });

  test.each(["standard", "sip"] as const)(
    "and somebody else (%s) has taken its identity: it is absent",
    async (kind) => {
      await told({ sid: "PA_1" });
      livekit.rooms.join(room, IDENTITY, { kind });
      expect(await ask("both", "PA_1")).toBe("absent");
    },
  );

  test("and RoomService has too: it is present, also under another sid", async () => {
    const { sid } = join();
    await told({ sid });
    expect(await ask("both", sid)).toBe("present");
    livekit.rooms.rejoin(room, IDENTITY);
    expect(await ask("both", sid)).toBe("present");
  });

  test("and whose node crashed: RoomService has its row, and it is present until that is gone", async () => {
    const { sid } = join();
    await told({ sid });
    livekit.rooms.crashNode(room);
    expect(await ask("both", sid)).toBe("present");
  });

  test("while RoomService is away, or too slow: what webhooks told counts", async () => {
    await told({ sid: "PA_1" });
    livekit.fail("GetParticipant", { kind: "hold", until: new Promise(() => undefined) });
    expect(await ask("both", "PA_1")).toBe("present");
    await livekit.goDown();
    try {
      expect(await ask("both", "PA_1")).toBe("present");
      expect(await ask("both", "PA_unheard_of")).toBe("unknown");
      await left("PA_1", "CLIENT_INITIATED");
      expect(await ask("both", "PA_1")).toBe("absent");
    } finally {
      await livekit.comeBack();
    }
  });
});

describe("of an agent that webhooks never told of", () => {
  test.each([
    ["whose room they never told of", async () => undefined],
    ["in a room they told of", () => told({ sid: "PA_other", identity: "ann" })],
    ["of an earlier life of its room", () => told({ sid: "PA_other", identity: "ann" }, { sid: "RM_2" })],
  ])("%s: RoomService knows, and else nobody", async (_, before) => {
    await before();
    expect(await ask("webhooks", "PA_1")).toBe("unknown");
    expect(await ask("both", "PA_1")).toBe("absent");
    join();
    expect(await ask("both", "PA_1")).toBe("present");
  });

  test("never seen to join: it goes by its name", async () => {
    expect(await ask("webhooks", "")).toBe("unknown");
    expect(await ask("both", "")).toBe("absent");
    join();
    expect(await ask("both", "")).toBe("present");
  });

  test("of which not even the name is known: nobody can say", async () => {
    expect(await ask("both", "", "")).toBe("unknown");
  });
});

describe("that an agent never joined", () => {
  const startedAtMs = Date.now();
  const hasJoined = (asks: "both" | "webhooks", ranForMs: number, participantSid = "") =>
    presence(asks).hasJoined({
      ...{ namespace: "default", job: "AJ_1", epoch: 1, room, agentIdentity: IDENTITY, participantSid },
      ...{ startedAtMs, untilMs: startedAtMs + ranForMs, hasEnded: true },
    });
  const LONG_MS = 60_000;
  beforeEach(() => {
    heardAtMs = undefined;
  });

  test("is not said of one that was seen, or is there", async () => {
    expect(await hasJoined("both", 10, "PA_1")).toBe("joined");
    join();
    expect(await hasJoined("both", 10)).toBe("joined");
  });

  test("is said of one whose identity somebody else has taken", async () => {
    livekit.rooms.join(room, IDENTITY, { kind: "standard" });
    expect(await hasJoined("both", 500)).toBe("never");
  });

  test("is said of one that had no time to join and do anything, where it can be asked", async () => {
    expect(await hasJoined("both", 500)).toBe("never");
    expect(await hasJoined("both", 1_001)).toBe("unknown");
    expect(await hasJoined("webhooks", 500)).toBe("unknown");
  });

  test("is said of one that had time when webhooks arrive and told of its room", async () => {
    expect(await hasJoined("both", LONG_MS)).toBe("unknown");
    await told({ sid: "PA_ann", identity: "ann", kind: "standard" });
    expect(await hasJoined("both", LONG_MS)).toBe("unknown");
    expect(await hasJoined("webhooks", LONG_MS)).toBe("unknown");
    heardAtMs = Date.now();
    expect(await hasJoined("both", LONG_MS)).toBe("never");
    expect(await hasJoined("webhooks", LONG_MS)).toBe("never");
    // Rounds write the book as well: that webhooks came once shows nothing.
    heardAtMs = Date.now() - 3_600_000;
    expect(await hasJoined("both", LONG_MS)).toBe("unknown");
    expect(await hasJoined("webhooks", LONG_MS)).toBe("never");
  });

  test("is not said while RoomService is away", async () => {
    heardAtMs = Date.now();
    await told({ sid: "PA_ann", identity: "ann", kind: "standard" });
    await livekit.goDown();
    try {
      expect(await hasJoined("both", 10)).toBe("unasked");
    } finally {
      await livekit.comeBack();
    }
  });
});

describe("company", () => {
  test.each(["both", "webhooks"] as const)("is whoever is there and no agent (%s)", async (asks) => {
    const company = () => presence(asks).hasCompany(room);
    expect(await company()).toBe(asks === "both" ? false : undefined);
    join();
    await told({ sid: "PA_1" });
    expect(await company()).toBe(false);
    livekit.rooms.join(room, "ann", { kind: "standard" });
    await told({ sid: "PA_ann", identity: "ann", kind: "standard" });
    expect(await company()).toBe(true);
  });
});

describe("a room with an agent", () => {
  const ANN = { sid: "PA_ann", identity: "ann", kind: "standard" };
  const isDeserted = (asks: "both" | "webhooks") => presence(asks).isDeserted(room);
  /** Heard of before the time that somebody may take to come back. */
  const leftLongAgo = async (change: Partial<RoomChange> & { sid: string }) => {
    await told({ ...change, left_at: 4_000, left_reason: "CLIENT_INITIATED" });
    const key = `muster:{room/${room}}:people:RM_1`;
    const redis = server.client();
    const person = JSON.parse((await redis.hget(key, change.sid)) ?? "{}");
    await redis.hset(key, change.sid, JSON.stringify({ ...person, heard_at: Date.now() - 6_000 }));
  };

  test("where nobody ever was is not deserted: the agent may be about to call somebody", async () => {
    expect(await isDeserted("webhooks")).toBe(false);
    await told({ sid: "PA_1" });
    expect(await isDeserted("webhooks")).toBe(false);
    expect(await isDeserted("both")).toBe(false);
  });

  test("is deserted when everybody else has left, and does not come back", async () => {
    await told({ sid: "PA_1" });
    await told(ANN);
    expect(await isDeserted("webhooks")).toBe(false);
    await told({ ...ANN, left_at: 4_000 });
    expect(await isDeserted("webhooks")).toBe(false);
    await leftLongAgo(ANN);
    expect(await isDeserted("webhooks")).toBe(true);
    livekit.rooms.join(room, IDENTITY, { kind: "agent" });
    livekit.rooms.join(room, "recorder", { kind: "egress" });
    expect(await isDeserted("both")).toBe(true);
  });

  test("is not deserted when RoomService knows of somebody, or cannot be asked", async () => {
    await leftLongAgo(ANN);
    livekit.rooms.join(room, "ben");
    expect(await isDeserted("webhooks")).toBe(true);
    expect(await isDeserted("both")).toBe(false);
    livekit.rooms.leave(room, "ben");
    livekit.fail("ListParticipants", { kind: "twirp", status: 503, code: "unavailable", msg: "no" }, 3);
    expect(await isDeserted("both")).toBe(false);
    expect(await isDeserted("both")).toBe(true);
  });
});
