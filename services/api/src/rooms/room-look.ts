/**
 * What is known of a room when its orders are looked at: its present life, and some or all of who is or was there.
 */

import type { ParticipantKind } from "@muster/domain/room";
import type { RoomPerson } from "@muster/ledger/shapes";

export interface RoomLook {
  room: string;
  /** Of the present life. */
  sid: string;
  /** False: that life is over, and no other has begun. */
  isLive: boolean;
  /** Room message, base64; empty when not known. */
  info: string;
  /** When that was said, as the room book has it. */
  infoAt: number;
  people: readonly RoomPerson[];
  /** What was just heard of: tracks that somebody began to publish, by the participant's sid. */
  published?: ReadonlyMap<string, PublishedTrack>;
}

/** LiveKit's TrackInfo message, base64, and when it was said. */
export interface PublishedTrack {
  track: string;
  saidAtMs: number;
}

/** Somebody of whom enough is known to match targets: kind and attributes are not in every event. */
export interface KnownPerson extends RoomPerson {
  kind: ParticipantKind;
  published?: PublishedTrack;
}

/** Who is in the room and known. */
export function present(look: RoomLook): KnownPerson[] {
  return look.people
    .filter((person): person is KnownPerson => person.left_at === undefined && person.kind !== undefined)
    .map((person) => {
      const published = look.published?.get(person.sid);
      return published === undefined ? person : { ...person, published };
    });
}
