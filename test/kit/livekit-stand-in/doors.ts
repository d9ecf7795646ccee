/**
 * The ways into the stand-in's rooms and out of them that are no calls of Muster's services: /rtc, as far as it goes without
 * media, /rtc/validate, and DeleteRoom in JSON (1.13.5: pkg/service/{rtcservice,utils,roomservice}.go). Nobody joins here.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { grantOf, Refusal } from "./api.js";
import type { LivekitRooms } from "./rooms.js";

export interface DoorDeps {
  keys: ReadonlyMap<string, string>;
  rooms: LivekitRooms;
  autoCreate: boolean;
}

/** `path` is /rtc or below. */
export function answerJoin(
  path: string,
  { headers }: IncomingMessage,
  response: ServerResponse,
  { keys, rooms, autoCreate }: DoorDeps,
): void {
  const isValidation = path === "/rtc/validate";
  const wantsSocket = path === "/rtc" && headers.upgrade?.toLowerCase() === "websocket";
  if (!isValidation && !wantsSocket) throw new Refusal(404, "", "");
  const grant = grantOf(headers.authorization, keys, Date.now());
  if (grant === undefined) throw new Refusal(401, "", "no permissions to access the room");
  if (!grant.roomJoin) throw new Refusal(401, "", "permissions denied");
  if (!autoCreate && !grant.roomCreate && rooms.rowsOf([grant.room]).length === 0) {
    throw new Refusal(404, "", "requested room does not exist");
  }
  if (!isValidation) throw new Refusal(501, "", "the stand-in has no media");
  response.end("success");
}

export function deleteRoom(
  { headers }: IncomingMessage,
  body: Uint8Array,
  response: ServerResponse,
  { keys, rooms }: DoorDeps,
): void {
  const { room = "" } = JSON.parse(Buffer.from(body).toString()) as { room?: string };
  const grant = grantOf(headers.authorization, keys, Date.now());
  if (grant?.roomCreate !== true) throw new Refusal(401, "unauthenticated", "permissions denied");
  if (!rooms.hasLive(room))
    throw new Refusal(404, "not_found", "twirp error unknown: requested room does not exist");
  rooms.finishRoom(room, "ROOM_DELETED");
  response.setHeader("content-type", "application/json").end("{}");
}
