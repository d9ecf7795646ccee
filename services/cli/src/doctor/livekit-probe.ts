/**
 * What checks ask of livekit-server beyond RoomService: whether it is one at all, whether a token could join a room
 * (/rtc/validate joins nobody), and that a room of ours is taken away again.
 */

import { apiUrlOf } from "@muster/livekit/api-url";
import type { Clock } from "@muster/runtime/clock";
import { signAccessToken } from "@muster/wire/access-token";
import { type Answer, type Probed, probe, probeUpgrade } from "./http-probe.js";

/** Of every room that a check names or makes. */
export const DOCTORS_ROOMS = "muster-doctor-";
const TOKEN_TTL_MS = 60_000;
const EMPTY_S = 15;

export interface LivekitKey {
  apiKey: string;
  apiSecret: string;
}

export interface ProbeDeps {
  url: string;
  clock: Clock;
  timeoutMs: number;
}

/** Whether what answers at a url of LiveKit is one; `problem` in words, `kind` for what to do about it. */
export type WhoAnswers =
  | { kind: "livekit" }
  | { kind: "silent" | "muster" | "no-upgrade" | "other"; problem: string };

/** What Muster answers to who looks for media (services/api/src/no-media.ts). */
const MUSTER_SAYS = "dispatch works here, media does not";

/**
 * A wish for a WebSocket without a token is refused by livekit-server with 401. Who does not see the wish answers as to
 * any other request, which there is 404.
 */
export async function whoAnswers({ url, clock, timeoutMs }: ProbeDeps): Promise<WhoAnswers> {
  const api = apiUrlOf(url);
  const plain = await probe(`${api}/rtc`, { timeoutMs, now: () => clock.now() });
  if ("problem" in plain) return { kind: "silent", problem: plain.problem };
  if (plain.body.includes(MUSTER_SAYS)) return { kind: "muster", problem: "what answers there is Muster" };
  const upgrade = await probeUpgrade(`${api}/rtc`, timeoutMs);
  if ("problem" in upgrade) return { kind: "no-upgrade", problem: upgrade.problem };
  if (upgrade.status === 401) return { kind: "livekit" };
  if (upgrade.body.includes(MUSTER_SAYS)) return { kind: "muster", problem: "what answers there is Muster" };
  const problem = `it answered ${upgrade.status} to a WebSocket at /rtc, where livekit-server answers 401`;
  return { kind: upgrade.status === plain.status ? "no-upgrade" : "other", problem };
}

/**
 * 200: this token could join; 401: it could not; 404: the room is not there, and joining makes none; or the path is not
 * known. `mayCreate`: as somebody who may make the room, for whom it need not be there.
 */
export async function validateJoin(
  { url, clock, timeoutMs }: ProbeDeps,
  key: LivekitKey,
  room: string,
  { mayCreate = false } = {},
): Promise<Probed> {
  const token = signAccessToken({
    ...{ ...key, nowMs: clock.now(), ttlMs: TOKEN_TTL_MS, identity: "muster-doctor" },
    video: { roomJoin: true, room, roomCreate: mayCreate },
  });
  return await probe(`${apiUrlOf(url)}/rtc/validate`, {
    ...{ timeoutMs, now: () => clock.now() },
    headers: { authorization: `Bearer ${token}` },
  });
}

/**
 * A room that ends by itself when it is not deleted. It names an agent that nobody is, since LiveKit sends the unnamed one
 * into every room that names none.
 */
export async function createRoom(deps: ProbeDeps, key: LivekitKey, name: string): Promise<Probed> {
  const agents = [{ agentName: "muster-doctor" }];
  const room = { name, emptyTimeout: EMPTY_S, departureTimeout: 1, maxParticipants: 1, agents };
  return await callRooms("CreateRoom", room, deps, key);
}

/** True when it is gone, by this call or before. */
export async function deleteRoom(deps: ProbeDeps, key: LivekitKey, room: string): Promise<boolean> {
  const answer = await callRooms("DeleteRoom", { room }, deps, key);
  return answered(answer) && (answer.status === 200 || answer.status === 404);
}

/** In JSON: no service makes these calls, or not so. */
async function callRooms(
  method: string,
  request: object,
  { url, clock, timeoutMs }: ProbeDeps,
  key: LivekitKey,
): Promise<Probed> {
  const token = signAccessToken({
    ...{ ...key, nowMs: clock.now(), ttlMs: TOKEN_TTL_MS },
    video: { roomCreate: true },
  });
  return await probe(`${apiUrlOf(url)}/twirp/livekit.RoomService/${method}`, {
    ...{ timeoutMs, now: () => clock.now(), method: "POST" },
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(request),
  });
}

export function answered(probed: Probed): probed is Answer {
  return "status" in probed;
}
