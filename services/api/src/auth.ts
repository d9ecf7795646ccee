/**
 * Who calls, and what that token allows. Owns the reading of the Authorization header, the way from an API key to its
 * project, and the rules of access; must never look at what is asked for beyond the room it names.
 *
 * Rules: a dispatch call needs `video.roomAdmin` for that very room, as in livekit-server. The REST API is read with
 * `video.roomList`, or with `video.roomAdmin`; what it changes needs `video.roomAdmin`. A token that names a room and
 * has no roomList sees and changes only the jobs and orders of that room, one at a time: lists, workers and rules span
 * rooms. A room is made with `video.roomCreate`, as in livekit-server, and `video.roomAdmin` for it, as its orders are.
 */

import { DispatchError } from "@muster/domain/errors";
import { DEFAULT_PROJECT } from "@muster/domain/namespace";
import { type AccessClaims, verifyAccessToken } from "@muster/wire/access-token";

export interface Caller {
  project: string;
  claims: AccessClaims;
}

/** API key → secret. */
export type ApiKeys = ReadonlyMap<string, string>;

/** @throws DispatchError `unauthenticated` */
export function authenticate(request: Request, keys: ApiKeys, nowMs: number): Caller {
  const header = request.headers.get("authorization") ?? "";
  const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined) {
    throw new DispatchError("unauthenticated", "must be `Bearer <access token>`", "authorization");
  }
  const claims = verifyAccessToken(token, keys, nowMs);
  return { project: projectOfKey(claims.apiKey), claims };
}

/** By which name callers have shares of what all of them use together. */
export interface CallerName {
  name: string;
  /** `one`: an identity of a key. `key`: a server's token, which has none, and speaks for the key. */
  kind: "one" | "key";
  /** Of its token, for the log; absent: it has none. */
  keyId?: string;
  identity?: string;
}

export function callerName({ apiKey, identity }: Pick<AccessClaims, "apiKey" | "identity">): CallerName {
  const kind = identity === "" ? "key" : "one";
  return { name: JSON.stringify([apiKey, identity]), kind, keyId: apiKey, identity };
}

/** Of all configured keys. */
export function projectsOf(keys: ApiKeys): string[] {
  return [...new Set([...keys.keys()].map(projectOfKey))];
}

/** Every configured key is the default project's. */
function projectOfKey(_apiKey: string): string {
  return DEFAULT_PROJECT;
}

/**
 * Before the body, which names the room, is read. livekit-server answers `unauthenticated`, not `permission_denied`; clients
 * may look at it.
 */
export function requireSomeDispatchGrant({ claims }: Caller): void {
  if (claims.video.roomAdmin) return;
  throw new DispatchError("unauthenticated", "permissions denied: the token needs the grant video.roomAdmin");
}

export function requireDispatchGrant(caller: Caller, room: string): void {
  const { claims } = caller;
  requireSomeDispatchGrant(caller);
  if (claims.video.room !== room) {
    throw new DispatchError(
      "unauthenticated",
      "permissions denied: the token's video.room must be the room of the dispatch",
    );
  }
}

/** For what spans rooms: workers and lists. */
export function requireReadAll({ claims: { video } }: Caller): void {
  if (video.roomList || (video.roomAdmin && video.room === "")) return;
  throw new DispatchError(
    "permission_denied",
    "the token needs the grant video.roomList, or video.roomAdmin without a room",
  );
}

/** For one job or order; `room` is that of what was found. */
export function requireReadRoom({ claims: { video } }: Caller, room: string): void {
  if (video.roomList) return;
  if (!video.roomAdmin) {
    throw new DispatchError(
      "permission_denied",
      "the token needs the grant video.roomList or video.roomAdmin",
    );
  }
  refuseOtherRoom(video.room, room);
}

export function requireChangeRoom({ claims: { video } }: Caller, room: string): void {
  requireSomeAdmin(video.roomAdmin);
  refuseOtherRoom(video.room, room);
}

/** For what changes things in rooms of all kinds: rules and room configurations. */
export function requireChangeAll({ claims: { video } }: Caller): void {
  if (video.roomAdmin && video.room === "") return;
  throw new DispatchError("permission_denied", "the token needs the grant video.roomAdmin, without a room");
}

export function requireCreateRoom(caller: Caller, room: string): void {
  requireCreateSome(caller);
  refuseOtherRoom(caller.claims.video.room, room);
}

export function requireCreateSome({ claims: { video } }: Caller): void {
  requireSomeAdmin(video.roomAdmin);
  if (!video.roomCreate)
    throw new DispatchError("permission_denied", "the token needs the grant video.roomCreate");
}

/** Before anything is looked up: whether this token can be enough at all. */
export function requireReadSome({ claims: { video } }: Caller): void {
  if (video.roomList || video.roomAdmin) return;
  throw new DispatchError("permission_denied", "the token needs the grant video.roomList or video.roomAdmin");
}

export function requireChangeSome({ claims: { video } }: Caller): void {
  requireSomeAdmin(video.roomAdmin);
}

function requireSomeAdmin(roomAdmin: boolean): void {
  if (!roomAdmin) throw new DispatchError("permission_denied", "the token needs the grant video.roomAdmin");
}

function refuseOtherRoom(granted: string, room: string): void {
  if (granted === "" || granted === room) return;
  throw new DispatchError(
    "permission_denied",
    "the token's grant video.roomAdmin is for another room (video.room)",
  );
}
