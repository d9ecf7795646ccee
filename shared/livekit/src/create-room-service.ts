/**
 * RoomService over livekit-server's Twirp API: each method as a call with just the grant it needs. Owns what "not there"
 * means, and tells how each call went. Trying and giving up are twirp-caller.ts'.
 */

import type { Clock } from "@muster/runtime/clock";
import {
  CREATE_ROOM,
  GET_PARTICIPANT,
  LIST_DISPATCH,
  LIST_PARTICIPANTS,
  LIST_ROOMS,
  type LivekitMethod,
  REMOVE_PARTICIPANT,
} from "@muster/wire/livekit-calls";
import type { VideoGrant } from "@muster/wire/video-grant";
import { LivekitError, type LivekitErrorCode } from "./livekit-error.js";
import type { CallOptions, NewRoom, RoomService } from "./room-service.js";
import { type Call, TwirpCaller, type TwirpCallerDeps } from "./twirp-caller.js";

/** `absent`: livekit-server answered that it is not there. */
export type CallOutcome = "ok" | "absent" | LivekitErrorCode;

export interface RoomServiceDeps extends TwirpCallerDeps {
  /** Told once a call is over, with the time it took, waiting and tries included. */
  onCall?: (method: LivekitMethod, outcome: CallOutcome, tookMs: number) => void;
}

/** @throws DispatchError `invalid_argument` for a url that is none */
export function createRoomService(deps: RoomServiceDeps): RoomService {
  return new TwirpRoomService(deps);
}

class TwirpRoomService implements RoomService {
  readonly #caller: TwirpCaller;
  readonly #clock: Clock;
  readonly #onCall: RoomServiceDeps["onCall"];

  constructor({ onCall, ...deps }: RoomServiceDeps) {
    this.#caller = new TwirpCaller(deps);
    this.#clock = deps.clock;
    this.#onCall = onCall;
  }

  async createRoom(room: NewRoom, options?: CallOptions) {
    const { name, emptyTimeoutS = 0, departureTimeoutS = 0, maxParticipants = 0, metadata = "" } = room;
    const request = {
      name,
      emptyTimeout: emptyTimeoutS,
      departureTimeout: departureTimeoutS,
      maxParticipants,
      metadata,
    };
    return await this.#ask({ call: CREATE_ROOM, grant: { roomCreate: true }, request, options });
  }

  async listRooms(names?: readonly string[], options?: CallOptions) {
    // On the wire no names are all rooms.
    if (names?.length === 0) return [];
    const request = { names: [...(names ?? [])] };
    return (await this.#ask({ call: LIST_ROOMS, grant: { roomList: true }, request, options })).rooms;
  }

  async listParticipants(room: string, options?: CallOptions) {
    const call = { call: LIST_PARTICIPANTS, grant: adminOf(room), request: { room }, options };
    return (await this.#askFor(call))?.participants ?? [];
  }

  async getParticipant(room: string, identity: string, options?: CallOptions) {
    const request = { room, identity };
    return await this.#askFor({ call: GET_PARTICIPANT, grant: adminOf(room), request, options });
  }

  async removeParticipant(room: string, identity: string, options?: CallOptions) {
    // Left at 0, it would take the token of whoever joins under this identity within the next minute too.
    const revokeTokenTs = BigInt(Math.floor(this.#clock.now() / 1000));
    const request = { room, identity, revokeTokenTs };
    const call = { call: REMOVE_PARTICIPANT, grant: adminOf(room), request, options };
    return (await this.#askFor(call)) === undefined ? "absent" : "removed";
  }

  async listDispatches(room: string, options?: CallOptions) {
    const call = { call: LIST_DISPATCH, grant: adminOf(room), request: { room }, options };
    return (await this.#askFor(call))?.agentDispatches ?? [];
  }

  /** undefined: not there. */
  async #askFor<Request, Answer>(call: Call<Request, Answer>): Promise<Answer | undefined> {
    return await this.#told(call.call.method, () => this.#caller.ask(call).catch(undefinedWhenNotFound));
  }

  async #ask<Request, Answer>(call: Call<Request, Answer>): Promise<Answer> {
    return await this.#told(call.call.method, () => this.#caller.ask(call));
  }

  async #told<T>(method: LivekitMethod, ask: () => Promise<T>): Promise<T> {
    const startedAtMs = this.#clock.now();
    const tell = (outcome: CallOutcome) => this.#onCall?.(method, outcome, this.#clock.now() - startedAtMs);
    try {
      const answer = await ask();
      tell(answer === undefined ? "absent" : "ok");
      return answer;
    } catch (error) {
      if (error instanceof LivekitError) tell(error.code);
      throw error;
    }
  }
}

function undefinedWhenNotFound(error: unknown): undefined {
  if (error instanceof LivekitError && error.code === "not_found") return undefined;
  throw error;
}

function adminOf(room: string): Partial<VideoGrant> {
  return { roomAdmin: true, room };
}
