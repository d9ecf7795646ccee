/**
 * Access tokens: who calls, with which grants. Checked as livekit-server checks them (protocol/auth/verifier.go); what a
 * grant allows is decided by who asks. Every refusal is a DispatchError `unauthenticated` that says what is wrong.
 */

import { DispatchError } from "@muster/domain/errors";
import { hasSignatureOf, type JsonClaims, parseJwt, signJwt } from "./jwt.js";
import { readVideoGrant, type VideoGrant } from "./video-grant.js";

/** Far above any token that fits a header or a query. */
const MAX_TOKEN_LENGTH = 64 * 1024;

/** How far clocks may differ: livekit-server's tokenLeeway is one minute, so what it takes is taken here. */
const LEEWAY_MS = 60_000;

export interface AccessClaims {
  readonly apiKey: string;
  /** `sub`, or `jti` in tokens of old SDKs; "" when neither is there. */
  readonly identity: string;
  readonly name: string;
  readonly kind: string;
  readonly metadata: string;
  /** base64 of a body's SHA-256, in webhook tokens. */
  readonly sha256: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly video: VideoGrant;
  readonly expiresAtMs: number;
}

/** @throws DispatchError `unauthenticated` */
export function verifyAccessToken(
  token: string,
  keys: ReadonlyMap<string, string>,
  nowMs: number,
): AccessClaims {
  if (token.length > MAX_TOKEN_LENGTH) throw refuse(`longer than ${MAX_TOKEN_LENGTH} characters`);
  const jwt = parseJwt(token);
  if (jwt === undefined) throw refuse("not a JWT");
  // Pinned: a token must not choose how it is checked, nor demand extensions that we do not know.
  if (jwt.header.alg !== "HS256") throw refuse("must be signed with HS256");
  if (jwt.header.crit !== undefined) throw refuse("has critical header extensions, which are not supported");

  const apiKey = stringClaim(jwt.claims, "iss");
  const secret = keys.get(apiKey);
  if (secret === undefined || secret === "") throw refuse("its API key (iss) is not known here");
  if (!hasSignatureOf(jwt, secret)) throw refuse("its signature does not match the API key's secret");

  return readClaims(jwt.claims, apiKey, checkTimes(jwt.claims, nowMs));
}

/** Whose key a token says that it is signed with: not checked, for the log alone. Empty where it says none. */
export function claimedApiKey(token: string): string {
  if (token.length > MAX_TOKEN_LENGTH) return "";
  const issuer = parseJwt(token)?.claims.iss;
  return typeof issuer === "string" ? issuer : "";
}

/** Returns when it expires. */
function checkTimes(claims: JsonClaims, nowMs: number): number {
  const expiresAtMs = timeClaim(claims, "exp");
  if (expiresAtMs === undefined) throw refuse("has no expiry (exp)");
  if (nowMs >= expiresAtMs + LEEWAY_MS)
    throw refuse("has expired; make a new one, or set the clock of its maker");
  const notBeforeMs = timeClaim(claims, "nbf");
  if (notBeforeMs !== undefined && nowMs < notBeforeMs - LEEWAY_MS) {
    throw refuse("is not valid yet (nbf); set the clock of its maker");
  }
  return expiresAtMs;
}

function readClaims(claims: JsonClaims, apiKey: string, expiresAtMs: number): AccessClaims {
  return {
    apiKey,
    identity: stringClaim(claims, "sub") || stringClaim(claims, "jti"),
    name: stringClaim(claims, "name"),
    kind: stringClaim(claims, "kind"),
    metadata: stringClaim(claims, "metadata"),
    sha256: stringClaim(claims, "sha256"),
    attributes: attributesClaim(claims),
    video: readVideoGrant(claims.video, refuse),
    expiresAtMs,
  };
}

export interface AccessTokenFacts {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly nowMs: number;
  /** 6 h when not given, as in LiveKit's SDKs. */
  readonly ttlMs?: number;
  readonly identity?: string;
  readonly name?: string;
  readonly kind?: string;
  readonly metadata?: string;
  readonly sha256?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly video?: Partial<VideoGrant>;
}

const DEFAULT_TTL_MS = 6 * 3600 * 1000;

/** A token that LiveKit's servers take too; for our own calls to livekit-server, the demo and tests. */
export function signAccessToken(facts: AccessTokenFacts): string {
  const { apiKey, apiSecret, nowMs, ttlMs = DEFAULT_TTL_MS, identity, ...grants } = facts;
  const nowS = Math.floor(nowMs / 1000);
  return signJwt(
    {
      iss: apiKey,
      ...(identity !== undefined && { sub: identity }),
      nbf: nowS,
      exp: nowS + Math.ceil(ttlMs / 1000),
      ...grants,
    },
    apiSecret,
  );
}

function stringClaim(claims: JsonClaims, name: string): string {
  const value = claims[name] ?? "";
  if (typeof value !== "string") throw refuse(`its claim ${name} must be a string`);
  return value;
}

function timeClaim(claims: JsonClaims, name: string): number | undefined {
  const value = claims[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value))
    throw refuse(`its claim ${name} must be a number of seconds`);
  return value * 1000;
}

function attributesClaim(claims: JsonClaims): Record<string, string> {
  const value = claims.attributes ?? {};
  if (typeof value !== "object" || Array.isArray(value))
    throw refuse("its claim attributes must be an object");
  for (const element of Object.values(value)) {
    if (typeof element !== "string") throw refuse("its claim attributes must hold strings");
  }
  return value as Record<string, string>;
}

function refuse(problem: string): DispatchError {
  return new DispatchError("unauthenticated", problem, "token");
}
