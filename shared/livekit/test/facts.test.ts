import { PARTICIPANT_KINDS } from "@muster/domain/room";
import { disconnectReasonOf, participantFactsOf, roomFactsOf } from "@muster/livekit/facts";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** LiveKit's messages as facts: whole ones say all, thin ones only what they know. */

const NOW_MS = 1_767_225_600_123;
let livekit: LivekitStandIn;

beforeEach(async () => {
  livekit = await startLivekitStandIn({ nowMs: () => NOW_MS });
});
afterEach(() => livekit.stop());

describe("a participant", () => {
  it("is said whole", () => {
    const info = livekit.rooms.join("r", "ada", { kind: "sip", attributes: { tier: "gold" } });
    const facts = participantFactsOf(info);
    expect(facts).toEqual({
      sid: info.sid,
      identity: "ada",
      kind: "sip",
      attributes: { tier: "gold" },
      info: expect.any(String),
      joinedAtMs: NOW_MS,
    });
    expect(ParticipantInfo.decode(Buffer.from(facts.info ?? "", "base64"))).toEqual(info);
  });

  it.each(PARTICIPANT_KINDS)("may be of the kind %s", (kind) => {
    expect(participantFactsOf(livekit.rooms.join("r", kind, { kind })).kind).toBe(kind);
  });

  it("of a kind that is not known yet has none", () => {
    const info = livekit.rooms.join("r", "ada");
    expect(participantFactsOf({ ...info, kind: 99 })).not.toHaveProperty("kind");
  });

  it("publishes once it has a track, not when it could", () => {
    const info = livekit.rooms.join("r", "ada");
    expect(participantFactsOf({ ...info, isPublisher: true })).not.toHaveProperty("publishes");
    const track = livekit.rooms.publish("r", "ada");
    expect(participantFactsOf({ ...info, tracks: [track] }).publishes).toBe(true);
  });

  it("in a track's event is sid and identity alone", () => {
    livekit.rooms.join("r", "ada", { kind: "agent" });
    livekit.rooms.publish("r", "ada");
    const thin = livekit.events.at(-1)?.participant as ParticipantInfo;
    expect(participantFactsOf(thin)).toEqual({ sid: thin.sid, identity: "ada" });
  });

  it("of an older server joined in whole seconds", () => {
    const info = ParticipantInfo.create({ sid: "PA_1", identity: "a", joinedAt: 17n });
    expect(participantFactsOf(info).joinedAtMs).toBe(17_000);
  });

  it("left for a reason that has a name", () => {
    expect(disconnectReasonOf(ParticipantInfo.create({ disconnectReason: 2 }))).toBe("DUPLICATE_IDENTITY");
    expect(disconnectReasonOf(ParticipantInfo.create())).toBe("");
    expect(disconnectReasonOf(ParticipantInfo.create({ disconnectReason: 99 }))).toBe("99");
  });
});

describe("a room", () => {
  it("with a list of who is there is complete", () => {
    const room = livekit.rooms.startRoom("r");
    const ada = livekit.rooms.join("r", "ada");
    const facts = roomFactsOf(room, [ada], NOW_MS + 5);
    expect(facts).toEqual({
      room: "r",
      sid: room.sid,
      createdAtMs: NOW_MS,
      info: expect.any(String),
      isOver: false,
      participants: [participantFactsOf(ada)],
      isComplete: true,
      asOfMs: NOW_MS + 5,
    });
    expect(Room.decode(Buffer.from(facts.info, "base64"))).toEqual(room);
  });

  it("without a list is not", () => {
    const room = livekit.rooms.startRoom("r");
    expect(roomFactsOf(room, undefined, 1)).toMatchObject({ isComplete: false, participants: [] });
    expect(roomFactsOf(room, [], 1)).toMatchObject({ isComplete: true, participants: [] });
  });

  it("lists who is on its way out as gone", () => {
    const room = livekit.rooms.startRoom("r");
    livekit.rooms.join("r", "ada");
    livekit.rooms.leave("r", "ada", "PARTICIPANT_REMOVED");
    const leaving = livekit.events.at(-1)?.participant as ParticipantInfo;
    expect(roomFactsOf(room, [leaving], 7).participants).toMatchObject([
      { identity: "ada", left: { atMs: 7, reason: "PARTICIPANT_REMOVED" } },
    ]);
  });

  it("that only names itself says nothing more", () => {
    const thin = Room.create({ sid: "RM_1", name: "r" });
    expect(roomFactsOf(thin, undefined, 1)).toMatchObject({ sid: "RM_1", info: "", createdAtMs: 0 });
  });
});
