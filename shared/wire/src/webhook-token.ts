/**
 * The token of a LiveKit webhook: who signed it, and that it is for these very bytes. Checked as LiveKit's own receiver
 * does (protocol/webhook/verifier.go), in two steps, so that nobody without a key can make us read a body. What the
 * bytes say is not looked into here. Every refusal is a DispatchError `unauthenticated`.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { DispatchError } from "@muster/domain/errors";
import { verifyAccessToken } from "./access-token.js";

/**
 * `authorization` is the header as it came: LiveKit sends the bare token, a "Bearer " before it is let through. Times are
 * held to the minute of leeway that LiveKit's Go receiver has (its Node SDK: 10 s). Returns the digest that it is for.
 * @throws DispatchError `unauthenticated`
 */
export function verifyWebhookToken(
  authorization: string,
  keys: ReadonlyMap<string, string>,
  nowMs: number,
): string {
  const token = authorization.replace(/^Bearer +/i, "").trim();
  if (token === "") {
    throw new DispatchError("unauthenticated", "must be the token that LiveKit sends", "authorization");
  }
  const { sha256 } = verifyAccessToken(token, keys, nowMs);
  if (sha256 === "") throw new DispatchError("unauthenticated", "has no claim sha256", "token");
  return sha256;
}

/**
 * `digest` is standard base64 with its padding; LiveKit takes no other form.
 * @throws DispatchError `unauthenticated`
 */
export function requireDigestOf(body: Uint8Array, digest: string): void {
  const actual = Buffer.from(createHash("sha256").update(body).digest("base64"));
  const claimed = Buffer.from(digest);
  if (claimed.length === actual.length && timingSafeEqual(claimed, actual)) return;
  throw new DispatchError(
    "unauthenticated",
    "its claim sha256 is not the base64 of the body's SHA-256",
    "token",
  );
}
