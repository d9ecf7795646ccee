/**
 * What Muster asks of livekit-server: which rooms are live, who is in them, which agents it was asked for, and "remove
 * this participant". A port: the real one (create-room-service.ts) speaks livekit-server's own Twirp API.
 *
 * What it says can be stale: livekit-server answers from its store, where rooms and participants of a node that crashed
 * stay. Presence read here is evidence, not truth.
 */

import type { AgentDispatch, ParticipantInfo, Room } from "@muster/wire/generated/livekit";

/**
 * Every call ends: with its answer, or with a LivekitError (livekit-error.ts) at the latest after `overallMs`. "Not there"
 * is an answer. All calls may be repeated, and are.
 */
export interface RoomService {
  /** Makes the room, or answers the one that is live under this name: its sid stays, whoever asks. */
  createRoom(room: NewRoom, options?: CallOptions): Promise<Room>;

  /** The live rooms of these names, in no order, absent ones left out; without names, all (10 MiB of them at most). */
  listRooms(names?: readonly string[], options?: CallOptions): Promise<Room[]>;

  /** Whoever is in the room, joining ones too; [] for a room that is not there. */
  listParticipants(room: string, options?: CallOptions): Promise<ParticipantInfo[]>;

  /** undefined: neither is there such a participant, nor perhaps the room. */
  getParticipant(room: string, identity: string, options?: CallOptions): Promise<ParticipantInfo | undefined>;

  /** `absent` when it was not there (any more). Its token is revoked up to now, as far as livekit-server does that. */
  removeParticipant(room: string, identity: string, options?: CallOptions): Promise<"removed" | "absent">;

  /** livekit-server's own dispatches in the room, with the jobs it served itself; [] for a room that is not there. */
  listDispatches(room: string, options?: CallOptions): Promise<AgentDispatch[]>;
}

/** What is not given is livekit-server's configuration. */
export interface NewRoom {
  readonly name: string;
  /** How long it stays open while nobody ever joined, and after the last one left. */
  readonly emptyTimeoutS?: number;
  readonly departureTimeoutS?: number;
  readonly maxParticipants?: number;
  readonly metadata?: string;
}

export interface CallOptions {
  /** Gives the call up: it ends as LivekitError `canceled` at once, and nothing of it is sent any more. */
  readonly signal?: AbortSignal;
  /** Instead of the service's own bound on the whole call, waiting and repeating included. */
  readonly overallMs?: number;
}
