/**
 * The calls of livekit-server's own Twirp API that Muster makes: path, request and answer. A table; who calls, with which
 * token, and what is done with the answer are the client's (shared/livekit).
 */

import {
  CreateRoomRequestSchema,
  ListAgentDispatchRequestSchema,
  ListAgentDispatchResponseSchema,
  ListParticipantsRequestSchema,
  ListParticipantsResponseSchema,
  ListRoomsRequestSchema,
  ListRoomsResponseSchema,
  ParticipantInfoSchema,
  RemoveParticipantResponseSchema,
  RoomParticipantIdentitySchema,
  RoomSchema,
} from "./generated/livekit-schema.js";
import type { MessageSchema } from "./json/json-schema.js";

export interface LivekitCall<Request, Answer> {
  readonly service: string;
  readonly method: LivekitMethod;
  readonly request: MessageSchema<Request>;
  readonly answer: MessageSchema<Answer>;
}

export type LivekitMethod =
  | "CreateRoom"
  | "ListRooms"
  | "ListParticipants"
  | "GetParticipant"
  | "RemoveParticipant"
  | "ListDispatch";

const ROOMS = "livekit.RoomService";
const DISPATCHES = "livekit.AgentDispatchService";

export const CREATE_ROOM = call(ROOMS, "CreateRoom", CreateRoomRequestSchema, RoomSchema);
export const LIST_ROOMS = call(ROOMS, "ListRooms", ListRoomsRequestSchema, ListRoomsResponseSchema);
export const LIST_PARTICIPANTS = call(
  ROOMS,
  "ListParticipants",
  ListParticipantsRequestSchema,
  ListParticipantsResponseSchema,
);
export const GET_PARTICIPANT = call(
  ROOMS,
  "GetParticipant",
  RoomParticipantIdentitySchema,
  ParticipantInfoSchema,
);
export const REMOVE_PARTICIPANT = call(
  ROOMS,
  "RemoveParticipant",
  RoomParticipantIdentitySchema,
  RemoveParticipantResponseSchema,
);
export const LIST_DISPATCH = call(
  DISPATCHES,
  "ListDispatch",
  ListAgentDispatchRequestSchema,
  ListAgentDispatchResponseSchema,
);

/** Under the server's url, which may have a path of its own. */
export function pathOf({ service, method }: Pick<LivekitCall<never, never>, "service" | "method">): string {
  return `/twirp/${service}/${method}`;
}

function call<Request, Answer>(
  service: string,
  method: LivekitMethod,
  request: MessageSchema<Request>,
  answer: MessageSchema<Answer>,
): LivekitCall<Request, Answer> {
  return { service, method, request, answer };
}
