import { Job as KnownJob } from "@livekit/protocol";
import type { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import {
  buildJob,
  decodeJob,
  decodeParticipant,
  decodeRoom,
  encodeJob,
  encodeParticipant,
  encodeRoom,
  type JobFacts,
  jobTypeFromNumber,
  jobTypeNumber,
} from "@muster/wire/job-message";
import { describe, expect, it } from "vitest";

const FACTS: JobFacts = {
  id: "AJ_1.2",
  dispatchId: "AD_1",
  type: "participant",
  room: encodeRoom({ sid: "RM_1", name: "r", creationTimeMs: 1767225600123n }),
  participant: encodeParticipant({ sid: "PA_1", identity: "ada" }),
  namespace: "blue",
  metadata: "{}",
  agentName: "greeter",
  deployment: "canary",
  attributes: { tier: "gold" },
  enableRecording: true,
  enableRedaction: true,
  state: {
    status: 1,
    startedAtNs: 1767225600123456789n,
    endedAtNs: 1767225600123456790n,
    updatedAtNs: 1767225600123456791n,
    error: "e",
    participantIdentity: "agent-AJ_1",
    workerId: "AW_1",
    agentId: "CA_1",
  },
};

/** Field 200 (a string) and 201 (a varint): newer than any schema we know. */
const NEWER = [0xc2, 0x0c, 0x03, 0x6e, 0x65, 0x77, 0xc8, 0x0c, 0x2a];

describe("a job built from facts", () => {
  it("is read by @livekit/protocol with every field", () => {
    const known = KnownJob.fromBinary(encodeJob(buildJob(FACTS)));
    expect(known.toJson()).toEqual({
      id: "AJ_1.2",
      dispatchId: "AD_1",
      type: "JT_PARTICIPANT",
      room: { sid: "RM_1", name: "r", creationTimeMs: "1767225600123" },
      participant: { sid: "PA_1", identity: "ada" },
      namespace: "blue",
      metadata: "{}",
      agentName: "greeter",
      state: {
        status: "JS_RUNNING",
        error: "e",
        startedAt: "1767225600123456789",
        endedAt: "1767225600123456790",
        updatedAt: "1767225600123456791",
        participantIdentity: "agent-AJ_1",
        workerId: "AW_1",
        agentId: "CA_1",
      },
      enableRecording: true,
      deployment: "canary",
      attributes: { tier: "gold" },
      enableRedaction: true,
    });
  });

  it("needs no more of the room than its name and sid", () => {
    const { participant, deployment, attributes, enableRecording, enableRedaction, ...required } = FACTS;
    const job = buildJob({
      ...required,
      type: "room",
      room: { name: "r", sid: "RM_1" },
      state: { status: 0 },
    });
    expect(KnownJob.fromBinary(encodeJob(job)).toJson()).toEqual({
      id: "AJ_1.2",
      dispatchId: "AD_1",
      room: { sid: "RM_1", name: "r" },
      namespace: "blue",
      metadata: "{}",
      agentName: "greeter",
      state: {},
    });
  });

  it("carries fields of room and participant that are newer than our schema", () => {
    const room = Uint8Array.from([...(FACTS.room as Uint8Array), ...NEWER]);
    const participant = Uint8Array.from([...(FACTS.participant as Uint8Array), ...NEWER]);
    const frame = Buffer.from(encodeJob(buildJob({ ...FACTS, room, participant })));
    expect(frame.includes(Buffer.from(room))).toBe(true);
    expect(frame.includes(Buffer.from(participant))).toBe(true);
  });

  it("is refused when its room is not a room", () => {
    expect(() => buildJob({ ...FACTS, room: Uint8Array.from([0x0a]) })).toThrow(
      "room: not a valid protobuf message",
    );
  });
});

describe("a job that is passed on", () => {
  it("keeps what is newer than our schema byte for byte, at every depth", () => {
    const room = Uint8Array.from([...encodeRoom({ sid: "RM_1" }), ...NEWER]);
    const track = [0x22, 3 + NEWER.length, 0x0a, 0x01, 0x74, ...NEWER];
    const participant = Uint8Array.from([...encodeParticipant({ sid: "PA_1" }), ...track, ...NEWER]);
    const job = Uint8Array.from([
      0x1a,
      room.length,
      ...room,
      0x22,
      participant.length,
      ...participant,
      ...NEWER,
    ]);
    expect([...encodeJob(decodeJob(job))]).toEqual([...job]);
    expect([...encodeRoom(decodeRoom(room))]).toEqual([...room]);
    expect([...encodeParticipant(decodeParticipant(participant))]).toEqual([...participant]);
  });

  it("keeps it after the frame's memory was taken back", () => {
    const frame = Uint8Array.from([...encodeRoom({ sid: "RM_1" }), ...NEWER]);
    const room = decodeRoom(frame);
    const expected = [...frame];
    structuredClone(frame.buffer, { transfer: [frame.buffer] });
    expect([...encodeRoom(room)]).toEqual(expected);
  });

  it("reads what is absent as zero, or as null where the wire can tell", () => {
    const room: Room = decodeRoom(new Uint8Array());
    expect([room.sid, room.numParticipants, room.creationTime, room.enabledCodecs, room.version]).toEqual([
      "",
      0,
      0n,
      [],
      null,
    ]);
    const participant: ParticipantInfo = decodeParticipant(new Uint8Array());
    expect([participant.identity, participant.kind, participant.attributes, participant.permission]).toEqual([
      "",
      0,
      {},
      null,
    ]);
  });
});

describe("job types", () => {
  it("have LiveKit's numbers", () => {
    expect((["room", "publisher", "participant"] as const).map(jobTypeNumber)).toEqual([0, 1, 2]);
    expect([0, 1, 2, 3, -1].map(jobTypeFromNumber)).toEqual([
      "room",
      "publisher",
      "participant",
      undefined,
      undefined,
    ]);
  });
});
