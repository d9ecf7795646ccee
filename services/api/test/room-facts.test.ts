/** What each of LiveKit's events says of a room, and what is refused of them. */

import { DispatchError } from "@muster/domain/errors";
import type { RoomFacts } from "@muster/domain/room";
import { ParticipantInfo, Room, type WebhookEvent } from "@muster/wire/generated/livekit";
import { decodeWebhookEvent } from "@muster/wire/webhook-event";
import { describe, expect, test } from "vitest";
import { roomFactsOfEvent } from "../src/webhook/room-facts.js";

const ROOM = { sid: "RM_1", name: "support", creationTime: "1800000000", creationTimeMs: "1800000000123" };
const THIN_ROOM = { sid: "RM_1", name: "support" };
const ADA = {
  sid: "PA_1",
  identity: "ada",
  state: "ACTIVE",
  joinedAt: "1800000005",
  joinedAtMs: "1800000005678",
  metadata: "notes",
  attributes: { mood: "sunny" },
  kind: "SIP",
};
const THIN_ADA = { sid: "PA_1", identity: "ada" };
const CREATED_AT_S = 1_800_000_010;

const decode = (body: object): WebhookEvent =>
  decodeWebhookEvent(Buffer.from(JSON.stringify({ id: "EV_1", createdAt: String(CREATED_AT_S), ...body })));
const factsOf = (body: object): RoomFacts | undefined => roomFactsOfEvent(decode(body));
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

const SAID = {
  room: "support",
  sid: "RM_1",
  createdAtMs: 1_800_000_000_123,
  info: base64(Room.encode(decode({ room: ROOM }).room ?? {}).finish()),
  isOver: false,
  participants: [],
  isComplete: false,
  asOfMs: CREATED_AT_S * 1_000,
};
const THIN = { ...SAID, createdAtMs: 0, info: "" };
const SAID_OF_ADA = {
  sid: "PA_1",
  identity: "ada",
  kind: "sip",
  attributes: { mood: "sunny" },
  info: base64(ParticipantInfo.encode(decode({ participant: ADA }).participant ?? {}).finish()),
};

describe("each event says what it says, and no more", () => {
  test("room_started and room_finished", () => {
    expect(factsOf({ event: "room_started", room: ROOM })).toEqual(SAID);
    expect(factsOf({ event: "room_finished", room: ROOM })).toEqual({ ...SAID, isOver: true });
  });

  test("participant_joined", () => {
    const joined = { event: "participant_joined", room: ROOM };
    expect(factsOf({ ...joined, participant: ADA })).toEqual({
      ...SAID,
      participants: [{ ...SAID_OF_ADA, joinedAtMs: 1_800_000_005_678 }],
    });
    // By whole seconds where nothing finer is said, and by the event where nothing is.
    const { joinedAtMs: _, ...bySeconds } = ADA;
    expect(factsOf({ ...joined, participant: bySeconds })?.participants[0]?.joinedAtMs).toBe(
      1_800_000_005_000,
    );
    expect(factsOf({ ...joined, participant: THIN_ADA })).toEqual({
      ...SAID,
      participants: [{ ...THIN_ADA, joinedAtMs: CREATED_AT_S * 1_000 }],
    });
  });

  test("participant_left, with the reason where there is one", () => {
    const leaves = (reason: object) =>
      factsOf({ event: "participant_left", room: ROOM, participant: { ...ADA, ...reason } })?.participants[0];
    const atMs = CREATED_AT_S * 1_000;
    expect(leaves({ disconnectReason: "DUPLICATE_IDENTITY" })).toMatchObject({
      ...{ sid: "PA_1", identity: "ada", joinedAtMs: 1_800_000_005_678 },
      left: { atMs, reason: "DUPLICATE_IDENTITY" },
    });
    expect(leaves({})?.left).toEqual({ atMs, reason: "" });
    // Of a newer LiveKit.
    expect(leaves({ disconnectReason: 99 })?.left).toEqual({ atMs, reason: "99" });
    expect(leaves({ disconnectReason: "BORED" })?.left).toEqual({ atMs, reason: "" });
  });

  test("nobody leaves before they came, although events have whole seconds", () => {
    const joinedAtMs = String(CREATED_AT_S * 1_000 + 700);
    const facts = factsOf({
      ...{ event: "participant_left", room: ROOM },
      participant: { ...ADA, joinedAt: String(CREATED_AT_S), joinedAtMs },
    });
    expect(facts?.participants[0]?.left?.atMs).toBe(Number(joinedAtMs));
  });

  test("participant_connection_aborted: gone, and never there", () => {
    const facts = factsOf({
      ...{ event: "participant_connection_aborted", room: ROOM },
      participant: { ...ADA, disconnectReason: "JOIN_FAILURE" },
    });
    const [aborted] = facts?.participants ?? [];
    expect(aborted?.left).toEqual({ atMs: CREATED_AT_S * 1_000, reason: "JOIN_FAILURE" });
    expect(aborted).not.toHaveProperty("joinedAtMs");
  });

  test("track events are thin: they neither empty the room's facts nor make the participant a standard one", () => {
    for (const event of ["track_published", "track_unpublished"]) {
      const track = { sid: "TR_1", type: "VIDEO" };
      expect(factsOf({ event, room: THIN_ROOM, participant: THIN_ADA, track })).toEqual({
        ...THIN,
        participants: [
          { ...THIN_ADA, publishes: true, ...(event === "track_published" && { track: expect.any(String) }) },
        ],
      });
    }
  });

  test("who has tracks publishes, whatever the event", () => {
    const [ada] =
      factsOf({
        ...{ event: "participant_joined", room: ROOM },
        participant: { ...ADA, isPublisher: false, tracks: [{ sid: "TR_1" }] },
      })?.participants ?? [];
    expect(ada?.publishes).toBe(true);
    // It says that the participant may publish, and has the connection for it.
    const [bob] =
      factsOf({ event: "participant_joined", room: ROOM, participant: { ...ADA, isPublisher: true } })
        ?.participants ?? [];
    expect(bob).not.toHaveProperty("publishes");
  });

  test("each kind, and none where it is a newer one", () => {
    const kindOf = (kind: string | number) =>
      factsOf({ event: "participant_joined", room: ROOM, participant: { ...ADA, kind } })?.participants[0]
        ?.kind;
    expect(
      ["STANDARD", "INGRESS", "EGRESS", "SIP", "AGENT", "CONNECTOR", "BRIDGE", 4, 99].map(kindOf),
    ).toEqual(["standard", "ingress", "egress", "sip", "agent", "connector", "bridge", "agent", undefined]);
  });

  test("snake_case and numbers say the same as camelCase and strings", () => {
    const { creationTime, creationTimeMs, ...names } = ROOM;
    const room = { ...names, creation_time: Number(creationTime), creation_time_ms: Number(creationTimeMs) };
    const { joinedAt, joinedAtMs, ...rest } = ADA;
    const participant = { ...rest, kind: 3, joined_at: Number(joinedAt), joined_at_ms: Number(joinedAtMs) };
    expect(
      roomFactsOfEvent(
        decodeWebhookEvent(
          Buffer.from(
            JSON.stringify({
              event: "participant_joined",
              created_at: CREATED_AT_S,
              room,
              participant,
              new: 1,
            }),
          ),
        ),
      ),
    ).toEqual(factsOf({ event: "participant_joined", room: ROOM, participant: ADA }));
  });

  test("what is of no room, or not known, says nothing", () => {
    for (const event of [
      "egress_started",
      "ingress_ended",
      "agent_job_started",
      "room_exploded",
      "",
      "__proto__",
    ]) {
      expect(factsOf({ event, room: ROOM, participant: ADA }), event).toBeUndefined();
    }
  });
});

describe("what is missing or too large is refused, with its field", () => {
  const joined = { event: "participant_joined", room: ROOM, participant: ADA };
  const room = (change: object) => ({ ...joined, room: { ...ROOM, ...change } });
  const ada = (change: object) => ({ ...joined, participant: { ...ADA, ...change } });
  const long = (bytes: number) => "x".repeat(bytes);

  test.each<[string, object]>([
    ["room", { ...joined, room: null }],
    ["room", { event: "room_finished" }],
    ["room.name", room({ name: "" })],
    ["room.name", room({ name: "ü".repeat(257) })],
    ["room.sid", room({ sid: "" })],
    ["room.sid", room({ sid: "RM_{1}" })],
    ["room.sid", room({ sid: long(65) })],
    ["room.metadata", room({ metadata: long(512 * 1024 + 1) })],
    ["room", room({ enabledCodecs: [{ mime: long(2 * 1024 * 1024) }] })],
    ["participant", { ...joined, participant: null }],
    ["participant", { event: "track_published", room: THIN_ROOM }],
    ["participant.identity", ada({ identity: "" })],
    ["participant.identity", ada({ identity: long(513) })],
    ["participant.sid", ada({ sid: "" })],
    ["participant.sid", ada({ sid: "PA 1" })],
    ["participant.metadata", ada({ metadata: long(512 * 1024 + 1) })],
    ["participant.attributes", ada({ attributes: { [long(65_000)]: long(537) } })],
    ["participant", ada({ tracks: [{ name: long(2 * 1024 * 1024) }] })],
    ["createdAt", { ...joined, createdAt: "0" }],
    ["createdAt", { ...joined, createdAt: "-1" }],
    ["createdAt", { ...joined, createdAt: "9223372036854775807" }],
  ])("%s", (field, body) => {
    expect(() => factsOf(body)).toThrow(
      expect.objectContaining({ code: "invalid_argument", field }) as unknown as DispatchError,
    );
  });

  test("and not a byte earlier", () => {
    const largest = {
      ...{ ...room({ name: "ü".repeat(256), sid: long(64), metadata: long(512 * 1024) }) },
      participant: {
        ...{ ...ADA, identity: long(512), metadata: long(512 * 1024) },
        attributes: { [long(65_000)]: long(536) },
      },
    };
    expect(factsOf(largest)?.participants).toHaveLength(1);
    expect(factsOf({ ...joined, createdAt: "253402300799" })?.asOfMs).toBe(253_402_300_799_000);
  });

  test("times that are none are not said: Go's zero time is in the year 1", () => {
    const facts = factsOf({
      ...room({ creationTimeMs: "-62135596800000", creationTime: "-62135596800" }),
      participant: { ...ADA, joinedAt: "-62135596800", joinedAtMs: "-62135596800000" },
    });
    expect(facts?.createdAtMs).toBe(0);
    expect(facts?.participants[0]).toMatchObject({ kind: "sip", joinedAtMs: CREATED_AT_S * 1_000 });
  });
});

test("a refusal never repeats what was in the event", () => {
  try {
    factsOf({ event: "room_started", room: { ...ROOM, sid: "my secret" } });
  } catch (error) {
    expect(error).toBeInstanceOf(DispatchError);
    expect((error as Error).message).not.toContain("secret");
  }
  expect.assertions(2);
});
