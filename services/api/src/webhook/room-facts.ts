/**
 * What a LiveKit webhook says of a room, as facts. Owns the meaning of each event; must never conclude more than the
 * event says, since others of the same room may come late, twice, in another order, or not at all.
 *
 * room_started                     the room is there
 * room_finished                    this life of it is over, and with it everybody's stay
 * participant_joined               it is active; whoever only began to connect is not announced
 * participant_left                 it was active, and is gone
 * participant_connection_aborted   it is gone without ever having been active: no time of joining
 * track_published, _unpublished    it publishes, or did: names only, of room and participant; the track is whole
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { MAX_METADATA_BYTES, MAX_ROOM_NAME_BYTES } from "@muster/domain/limits";
import type { ParticipantFacts, RoomFacts } from "@muster/domain/room";
import { disconnectReasonOf, roomFactsOf } from "@muster/livekit/facts";
import { type ParticipantInfo, TrackInfo, type WebhookEvent } from "@muster/wire/generated/livekit";
import { checkBytes, checkInfo, requireText, unixMsOf } from "./fact-bounds.js";
import { joinedAtMsOf, participantFacts } from "./participant-facts.js";

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
      return factsOf(event, [{ ...named(event), publishes: true, ...published(event) }]);
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
  const facts = roomFactsOf(room, undefined, asOfMs(event));
  checkInfo("room", facts.info);
  return { ...facts, createdAtMs: unixMsOf(room.creationTimeMs, room.creationTime), participants };
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
  const atMs = Math.max(asOfMs(event), joinedAtMsOf(info));
  return { left: { atMs, reason: disconnectReasonOf(info) } };
}

function published({ track }: WebhookEvent): Pick<ParticipantFacts, "track"> {
  if (track === null) return {};
  const info = Buffer.from(TrackInfo.encode(track).finish()).toString("base64");
  checkInfo("track", info);
  return { track: info };
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
