/**
 * Signing and checking of the one kind of JWT that LiveKit uses: HS256 over the API secret. By node:crypto alone: it is in
 * the path of every dispatch, and a quarter of what a general library costs. Claims are not looked into here.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { decodeUtf8 } from "./refuse.js";

/** livekit-server's header. Signed tokens carry it; on reading, `typ` is optional as in the SDKs' tokens. */
const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");
const SEGMENT = /^[A-Za-z0-9_-]+$/;

export type JsonClaims = Record<string, unknown>;

export function signJwt(claims: JsonClaims, secret: string): string {
  const signed = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${signed}.${signature(signed, secret)}`;
}

/** A token taken apart; nothing in it is to be believed before `hasSignatureOf` said so. */
export interface UnverifiedJwt {
  readonly header: JsonClaims;
  readonly claims: JsonClaims;
  readonly signed: string;
  readonly signature: string;
}

/** undefined when it is not the compact form of a JWT. */
export function parseJwt(token: string): UnverifiedJwt | undefined {
  const [header, claims, sign, ...rest] = token.split(".", 4);
  if (header === undefined || claims === undefined || sign === undefined || rest.length > 0) return undefined;
  const headerJson = jsonObjectOf(header);
  const claimsJson = jsonObjectOf(claims);
  if (headerJson === undefined || claimsJson === undefined || !SEGMENT.test(sign)) return undefined;
  return { header: headerJson, claims: claimsJson, signed: `${header}.${claims}`, signature: sign };
}

export function hasSignatureOf(jwt: UnverifiedJwt, secret: string): boolean {
  const expected = Buffer.from(signature(jwt.signed, secret));
  const actual = Buffer.from(jwt.signature);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function signature(signed: string, secret: string): string {
  return createHmac("sha256", secret).update(signed).digest("base64url");
}

function jsonObjectOf(segment: string): JsonClaims | undefined {
  if (!SEGMENT.test(segment)) return undefined;
  try {
    const value: unknown = JSON.parse(decodeUtf8(Buffer.from(segment, "base64url"), "token"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonClaims)
      : undefined;
  } catch {
    return undefined;
  }
}
