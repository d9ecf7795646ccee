/**
 * What a LiveKit webhook says of a room, as facts. Owns the meaning of each event; must never conclude more than the
 * event says, since others of the same room may come late, twice, in another order, or not at all.
 *
 * room_started                     the room is there
 * room_finished                    this life of it is over, and with it everybody's stay
 * participant_joined               it is active; whoever only began to connect is not announced
 * participant_left                 it was active, and is gone
 * participant_connection_aborted   it is gone without ever having been active: no time of joining
 * track_published, _unpublished    it publishes, or did: names only, of room and participant
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { MAX_FRAME_BYTES, MAX_METADATA_BYTES, MAX_ROOM_NAME_BYTES } from "@muster/domain/limits";
import type { ParticipantFacts, RoomFacts } from "@muster/domain/room";
import {
  DisconnectReason,
  type ParticipantInfo,
  Room,
  type WebhookEvent,
} from "@muster/wire/generated/livekit";
import { checkBytes, requireText, unixMsOf } from "./fact-bounds.js";
import { joinedAtMsOf, participantFacts } from "./participant-facts.js";

const REASONS: ReadonlyMap<number, string> = new Map(
  Object.entries(DisconnectReason).map(([name, number]) => [number, name]),
);

/**
 * undefined for what is said of no room, and for events that are not known.
 * @throws DispatchError `invalid_argument`, with the field
 */
export function roomFactsOfEvent(event: WebhookEvent): RoomFacts | undefined {
  switch (event.event) {
    case "room_started":
      return factsOf(event, []);
    case "room_finished":
      return { ...factsOf(event, []), isOver: true };
    case "participant_joined":
      return factsOf(event, [joined(event)]);
    case "participant_left":
      return factsOf(event, [{ ...joined(event), ...left(event) }]);
    case "participant_connection_aborted":
      return factsOf(event, [{ ...named(event), ...left(event) }]);
    case "track_published":
    case "track_unpublished":
      return factsOf(event, [{ ...named(event), publishes: true }]);
    default:
      return undefined;
  }
}

function factsOf(event: WebhookEvent, participants: readonly ParticipantFacts[]): RoomFacts {
  const { room } = event;
  if (room === null) throw new DispatchError("invalid_argument", "is required", "room");
  requireText("room.name", room.name, MAX_ROOM_NAME_BYTES);
  if (!isId(room.sid)) throw new DispatchError("invalid_argument", "must be LiveKit's sid", "room.sid");
  checkBytes("room.metadata", room.metadata, MAX_METADATA_BYTES);
  return {
    room: room.name,
    sid: room.sid,
    createdAtMs: unixMsOf(room.creationTimeMs, room.creationTime),
    info: roomInfo(room),
    isOver: false,
    participants,
    isComplete: false,
    asOfMs: asOfMs(event),
  };
}

/** Empty for the rooms of track events, which have their names alone: a whole one has a time of creation. */
function roomInfo(room: Room): string {
  if (room.creationTime === 0n && room.creationTimeMs === 0n) return "";
  const bytes = Room.encode(room).finish();
  if (bytes.byteLength > MAX_FRAME_BYTES) {
    throw new DispatchError("invalid_argument", `more than ${MAX_FRAME_BYTES} bytes`, "room");
  }
  return Buffer.from(bytes).toString("base64");
}

function named(event: WebhookEvent): ParticipantFacts {
  return participantFacts(participantOf(event), "participant");
}

function joined(event: WebhookEvent): ParticipantFacts {
  return { ...named(event), joinedAtMs: joinedAtMsOf(participantOf(event)) || asOfMs(event) };
}

/** The event's time has whole seconds, so it can seem to be before the joining that it ends. */
function left(event: WebhookEvent): Required<Pick<ParticipantFacts, "left">> {
  const info = participantOf(event);
  const { UNKNOWN_REASON } = DisconnectReason;
  const reason = info.disconnectReason === UNKNOWN_REASON ? "" : (REASONS.get(info.disconnectReason) ?? "");
  return { left: { atMs: Math.max(asOfMs(event), joinedAtMsOf(info)), reason } };
}

function participantOf({ participant }: WebhookEvent): ParticipantInfo {
  if (participant === null) throw new DispatchError("invalid_argument", "is required", "participant");
  return participant;
}

function asOfMs({ createdAt }: WebhookEvent): number {
  const ms = unixMsOf(0n, createdAt);
  if (ms === 0) throw new DispatchError("invalid_argument", "must be a Unix time in seconds", "createdAt");
  return ms;
}
