/**
 * A room of LiveKit as Muster knows it. Facts come from webhooks and from RoomService: doubled, out of order, late, some
 * never. Sids tell lives apart: a room that opens again under its name has a new one, and so has whoever comes back.
 */

/** LiveKit's ParticipantInfo.Kind, in lower case. */
export const PARTICIPANT_KINDS = [
  "standard",
  "ingress",
  "egress",
  "sip",
  "agent",
  "connector",
  "bridge",
] as const;
export type ParticipantKind = (typeof PARTICIPANT_KINDS)[number];

/** What one source says of one participant. An absent member was not said: `track_published` knows sid and identity. */
export interface ParticipantFacts {
  sid: string;
  identity: string;
  kind?: ParticipantKind;
  attributes?: Record<string, string>;
  /** LiveKit's ParticipantInfo message, base64. */
  info?: string;
  /** True once it was seen to publish a track; never taken back. */
  publishes?: true;
  /** The track that it began to publish with this: LiveKit's TrackInfo message, base64. Nobody keeps it. */
  track?: string;
  joinedAtMs?: number;
  /** It is gone for good: who comes back has another sid. The reason is LiveKit's DisconnectReason, "" when not said. */
  left?: { atMs: number; reason: string };
}

/** What one webhook, or one answer of RoomService, says of one room. */
export interface RoomFacts {
  /** Its name. */
  room: string;
  sid: string;
  /** 0 when not said: thin events only name the room. */
  createdAtMs: number;
  /** LiveKit's Room message, base64; empty when not said. */
  info: string;
  /** This life of the room is over. */
  isOver: boolean;
  participants: readonly ParticipantFacts[];
  /** True for a full list: who was there before `asOfMs` and is not in it has left. */
  isComplete: boolean;
  /** When the source said so, Unix ms by its clock. */
  asOfMs: number;
}
