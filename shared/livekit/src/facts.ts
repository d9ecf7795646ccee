/**
 * LiveKit's messages of rooms and participants as the facts that Muster keeps (domain/room.ts). Pure; used for what
 * RoomService answers and for what webhooks carry, whole or thin.
 */

import type { ParticipantFacts, ParticipantKind, RoomFacts } from "@muster/domain/room";
import {
  DisconnectReason,
  ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  Room,
} from "@muster/wire/generated/livekit";

/**
 * `participants` as ListParticipants gave them for this room; undefined when nobody asked. `asOfMs` is when the question
 * was sent, not when the answer came: who joined in between may be missing.
 */
export function roomFactsOf(
  room: Room,
  participants: readonly ParticipantInfo[] | undefined,
  asOfMs: number,
): RoomFacts {
  return {
    room: room.name,
    sid: room.sid,
    createdAtMs: milliseconds(room.creationTimeMs, room.creationTime),
    // A room that only names itself (in track events) says nothing that is worth keeping.
    info: room.creationTime === 0n ? "" : base64(Room.encode(room).finish()),
    isOver: false,
    participants: (participants ?? []).map((participant) => ({
      ...participantFactsOf(participant),
      ...(participant.state === ParticipantInfo_State.DISCONNECTED && {
        left: { atMs: asOfMs, reason: disconnectReasonOf(participant) },
      }),
    })),
    isComplete: participants !== undefined,
    asOfMs,
  };
}

/**
 * Never `left`: when it went is known to who knows the time of the event. Whoever is still joining counts as there.
 * Of a thin one (track events: sid and identity) only those two are facts; its kind is not "standard", it was not said.
 */
export function participantFactsOf(participant: ParticipantInfo): ParticipantFacts {
  const { sid, identity } = participant;
  if (isThin(participant)) return { sid, identity };
  const kind = KINDS[participant.kind];
  return {
    sid,
    identity,
    ...(kind !== undefined && { kind }),
    attributes: { ...participant.attributes },
    info: base64(ParticipantInfo.encode(participant).finish()),
    // livekit-server's own rule for a publisher's job: the first track of media. Its `is_publisher` comes before any.
    ...(participant.tracks.length > 0 && { publishes: true as const }),
    joinedAtMs: milliseconds(participant.joinedAtMs, participant.joinedAt),
  };
}

/** LiveKit's name of why it left: "CLIENT_INITIATED"; "" when it was not said. */
export function disconnectReasonOf(participant: ParticipantInfo): string {
  const { disconnectReason } = participant;
  if (disconnectReason === DisconnectReason.UNKNOWN_REASON) return "";
  return REASONS.get(disconnectReason) ?? String(disconnectReason);
}

const KINDS: Readonly<Record<number, ParticipantKind>> = {
  [ParticipantInfo_Kind.STANDARD]: "standard",
  [ParticipantInfo_Kind.INGRESS]: "ingress",
  [ParticipantInfo_Kind.EGRESS]: "egress",
  [ParticipantInfo_Kind.SIP]: "sip",
  [ParticipantInfo_Kind.AGENT]: "agent",
  [ParticipantInfo_Kind.CONNECTOR]: "connector",
  [ParticipantInfo_Kind.BRIDGE]: "bridge",
};

const REASONS = new Map<number, string>(
  Object.entries(DisconnectReason).map(([name, value]) => [value, name]),
);

/** A whole one has the time at which it came, always. */
function isThin({ state, joinedAt, joinedAtMs }: ParticipantInfo): boolean {
  return state === ParticipantInfo_State.JOINING && joinedAt === 0n && joinedAtMs === 0n;
}

/** Older servers say seconds only. */
function milliseconds(inMs: bigint, inS: bigint): number {
  return inMs === 0n ? Number(inS) * 1000 : Number(inMs);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
