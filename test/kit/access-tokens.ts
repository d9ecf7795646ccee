/** Owns the tokens that tests call with, as the SDKs make them. */
import { signAccessToken } from "@muster/wire/access-token";

/** Longer than any test: a worker here comes back with the token that it began with, where an SDK signs a new one. */
const TTL_MS = 24 * 3_600_000;

/** What an agent worker authenticates with. */
export function workerToken(apiKey: string, apiSecret: string): string {
  return signAccessToken({ apiKey, apiSecret, nowMs: Date.now(), ttlMs: TTL_MS, video: { agent: true } });
}

/** What a backend makes and deletes the dispatches of a room with. */
export function roomToken(apiKey: string, apiSecret: string, room: string): string {
  const video = { roomAdmin: true, room };
  return signAccessToken({ apiKey, apiSecret, nowMs: Date.now(), ttlMs: TTL_MS, video });
}

/** What whoever runs all of it calls the REST API with. */
export function adminToken(apiKey: string, apiSecret: string): string {
  const video = { roomAdmin: true, roomList: true };
  return signAccessToken({ apiKey, apiSecret, nowMs: Date.now(), ttlMs: TTL_MS, video });
}
