/**
 * Who makes a call of LiveKit's own API. It is livekit-server that decides what a token is good for; here it must only be
 * one: signed with a key that is known, and in its time. A call without any would have a share of what all share.
 */

import { DispatchError } from "@muster/domain/errors";
import { claimedApiKey, verifyAccessToken } from "@muster/wire/access-token";
import { type ApiKeys, type CallerName, callerName } from "../auth.js";

/** A browser asks before it calls, and has no token then. It brings no body, and is answered at once. */
const PREFLIGHT: CallerName = { name: "preflight", kind: "one" };

/**
 * `keySets`: LiveKit's keys and ours; the same name may stand in both with two secrets.
 * @throws DispatchError `unauthenticated`
 */
export function foreignCaller(request: Request, keySets: readonly ApiKeys[], nowMs: number): CallerName {
  if (request.method === "OPTIONS") return PREFLIGHT;
  const token = tokenOf(request);
  if (token === "") {
    throw new DispatchError("unauthenticated", "must be `Bearer <access token>`", "authorization");
  }
  const apiKey = claimedApiKey(token);
  const known = keySets.filter((keys) => keys.has(apiKey));
  if (known.length === 0) {
    throw new DispatchError(
      "unauthenticated",
      "its API key (iss) is not known here; a key that only livekit-server has belongs into MUSTER_LIVEKIT_KEYS",
      "token",
    );
  }
  let refusal: unknown;
  for (const keys of known) {
    try {
      return callerName(verifyAccessToken(token, keys, nowMs));
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/** As livekit-server looks for it: the header, or else a parameter. */
function tokenOf(request: Request): string {
  const header = request.headers.get("authorization") ?? "";
  if (header !== "") return /^Bearer +(\S+) *$/i.exec(header)?.[1] ?? "";
  return new URL(request.url).searchParams.get("access_token") ?? "";
}
