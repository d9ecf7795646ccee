/**
 * livekit-server's Twirp API over the stand-in's rooms: whose token may do what, and the errors with the codes that its
 * source gives (788d4c354: pkg/service/{auth,roomservice,redisstore,agent_dispatch_service}.go, psrpc's "no response"), and
 * their texts, as test/livekit/stand-in-likeness compares them with those of a real one.
 */
import { DispatchError } from "@muster/domain/errors";
import { verifyAccessToken } from "@muster/wire/access-token";
import {
  CREATE_ROOM,
  GET_PARTICIPANT,
  LIST_DISPATCH,
  LIST_PARTICIPANTS,
  LIST_ROOMS,
  type LivekitCall,
  type LivekitMethod,
  pathOf,
  REMOVE_PARTICIPANT,
} from "@muster/wire/livekit-calls";
import { decodeRequest, type Encoding, encodeAnswer } from "@muster/wire/twirp-body";
import type { VideoGrant } from "@muster/wire/video-grant";
import type { LivekitRooms } from "./rooms.js";

/** livekit-server's default; a room that others know of can have a longer one. */
const MAX_ROOM_NAME_BYTES = 256;
/** Before what its own parts say to each other. */
const WRAPPED = "twirp error unknown: ";

/** An answer that is none: Twirp's, or with code "" the plain text of livekit-server's check of tokens. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface ApiDeps {
  rooms: LivekitRooms;
  /** Waits as long as livekit-server waits for a node that is not there. */
  nodeTimeout: () => Promise<void>;
}

export interface ApiCall {
  readonly method: LivekitMethod;
  /** The decoded request. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly grant: VideoGrant | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A call with its request: who may make it is known from that. */
export interface Endpoint {
  readonly method: LivekitMethod;
  read(encoding: Encoding, body: Uint8Array): object;
  answer(request: object, grant: VideoGrant | undefined, encoding: Encoding): Promise<Uint8Array>;
}

/** undefined: no Authorization. @throws Refusal 401 in plain text, as from livekit-server's middleware */
export function grantOf(
  authorization: string | undefined,
  keys: ReadonlyMap<string, string>,
  nowMs: number,
): VideoGrant | undefined {
  if (authorization === undefined || authorization === "") return undefined;
  if (!authorization.startsWith("Bearer ")) {
    throw new Refusal(401, "", "invalid authorization header. Must start with Bearer ");
  }
  try {
    return verifyAccessToken(authorization.slice("Bearer ".length), keys, nowMs).video;
  } catch (error) {
    if (!(error instanceof DispatchError)) throw error;
    throw invalidToken(authorization.slice("Bearer ".length), keys, error.message);
  }
}

/** livekit-server says back whatever it could not take, the token too. */
function invalidToken(token: string, keys: ReadonlyMap<string, string>, why: string): Refusal {
  const [, claims = ""] = token.split(".");
  let apiKey: unknown;
  try {
    apiKey = (JSON.parse(Buffer.from(claims, "base64url").toString()) as { iss?: unknown }).iss;
  } catch {
    return new Refusal(401, "", "invalid authorization token");
  }
  if (!keys.has(String(apiKey))) return new Refusal(401, "", `invalid API key: ${String(apiKey)}`);
  return new Refusal(401, "", `invalid token: ${token}, error: ${why}`);
}

/** By path. */
export function endpointsOf({ rooms, nodeTimeout }: ApiDeps): ReadonlyMap<string, Endpoint> {
  const endpoints = new Map<string, Endpoint>();

  serve(CREATE_ROOM, {
    may: (grant) => grant.roomCreate,
    run: ({ name, ...options }) => {
      if (Buffer.byteLength(name) > MAX_ROOM_NAME_BYTES) {
        const problem = `room name length exceeds limits: max length ${MAX_ROOM_NAME_BYTES}`;
        throw new Refusal(400, "invalid_argument", WRAPPED + problem);
      }
      return rooms.startRoom(name, options);
    },
  });
  serve(LIST_ROOMS, {
    may: (grant) => grant.roomList,
    run: ({ names }) => ({ rooms: rooms.rowsOf(names) }),
  });
  serve(LIST_PARTICIPANTS, {
    may: (grant, { room }) => grant.roomAdmin && grant.room === room,
    run: ({ room }) => ({ participants: rooms.participantRowsOf(room) }),
  });
  serve(GET_PARTICIPANT, {
    may: (grant, { room }) => grant.roomAdmin && grant.room === room,
    run: ({ room, identity }) => rowOf(room, identity),
  });
  serve(REMOVE_PARTICIPANT, {
    may: (grant, { room }) => grant.roomAdmin && grant.room === room,
    run: async ({ room, identity }) => {
      rowOf(room, identity);
      if (!rooms.hasLive(room, identity)) await nobodyAnswers();
      rooms.leave(room, identity, "PARTICIPANT_REMOVED");
      return {};
    },
  });
  serve(LIST_DISPATCH, {
    may: (grant, { room }) => grant.roomAdmin && grant.room === room,
    run: async ({ room, dispatchId }) => {
      if (!rooms.hasLive(room)) await nobodyAnswers();
      const all = rooms.dispatchesOf(room);
      return { agentDispatches: all.filter(({ id }) => dispatchId === "" || id === dispatchId) };
    },
  });
  return endpoints;

  function serve<Request, Answer>(
    call: LivekitCall<Request, Answer>,
    {
      may,
      run,
    }: {
      may: (grant: VideoGrant, request: Request) => boolean;
      run: (request: Request) => Partial<Answer> | Promise<Partial<Answer>>;
    },
  ): void {
    endpoints.set(pathOf(call), {
      method: call.method,
      read: (encoding, body) => decodeRequest(call.request, encoding, body) as object,
      answer: async (decoded, grant, encoding) => {
        const request = decoded as Request;
        if (grant === undefined || !may(grant, request)) {
          throw new Refusal(401, "unauthenticated", "permissions denied");
        }
        return encodeAnswer(call.answer, encoding, await run(request));
      },
    });
  }

  function rowOf(room: string, identity: string) {
    const row = rooms.participantRowsOf(room).find((participant) => participant.identity === identity);
    if (row === undefined) throw new Refusal(404, "not_found", `${WRAPPED}participant does not exist`);
    return row;
  }

  /** A room or a participant is served by the node that has it; without one, the question times out on the bus. */
  async function nobodyAnswers(): Promise<never> {
    await nodeTimeout();
    throw new Refusal(503, "unavailable", `${WRAPPED}no response from servers`);
  }
}
