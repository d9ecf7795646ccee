/** The tokens of LiveKit's webhooks: those of its own SDK are taken, and nothing that differs from them in one thing. */
import { createHash } from "node:crypto";
import { DispatchError } from "@muster/domain/errors";
import { signAccessToken } from "@muster/wire/access-token";
import { requireDigestOf, verifyWebhookToken } from "@muster/wire/webhook-token";
import { AccessToken } from "livekit-server-sdk";
import { expect, test } from "vitest";

const KEY = "APIkey";
const SECRET = "secret-of-at-least-32-characters!!";
const KEYS = new Map([[KEY, SECRET]]);
const NOW_MS = 1_800_000_000_000;
const BODY = Buffer.from('{"event":"room_started","ü":1}');
const DIGEST = createHash("sha256").update(BODY).digest("base64");

const sign = (facts: Partial<Parameters<typeof signAccessToken>[0]> = {}) =>
  signAccessToken({
    ...{ apiKey: KEY, apiSecret: SECRET, nowMs: NOW_MS, ttlMs: 300_000, sha256: DIGEST },
    ...facts,
  });

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DispatchError && error.code === "unauthenticated") return error.message;
    throw error;
  }
  return "taken";
}

const verify = (authorization: string, nowMs = NOW_MS) =>
  refusal(() => verifyWebhookToken(authorization, KEYS, nowMs));

test("LiveKit's own token is taken, bare as it sends it and with Bearer before it", async () => {
  const token = new AccessToken(KEY, SECRET, { ttl: 300 });
  token.sha256 = DIGEST;
  const jwt = await token.toJwt();
  for (const header of [jwt, `Bearer ${jwt}`, `bearer  ${jwt} `]) {
    const digest = verifyWebhookToken(header, KEYS, Date.now());
    expect(digest).toBe(DIGEST);
    requireDigestOf(BODY, digest);
  }
});

test("no token, no known key, another secret, another algorithm, no digest", () => {
  expect(verify("")).toBe("authorization: must be the token that LiveKit sends");
  expect(verify("Bearer ")).toMatch(/^authorization: /);
  expect(verify("Basic dTpw")).toBe("token: not a JWT");
  expect(verify(sign({ apiKey: "other" }))).toMatch(/API key \(iss\) is not known/);
  expect(verify(sign({ apiSecret: `${SECRET}?` }))).toMatch(/signature does not match/);
  const [, claims] = sign().split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  expect(verify(`${none}.${claims}.AA`)).toMatch(/HS256/);
  // A token for the API, which says nothing of a body.
  const plain = { apiKey: KEY, apiSecret: SECRET, nowMs: NOW_MS, video: { roomAdmin: true } };
  expect(verify(signAccessToken(plain))).toBe("token: has no claim sha256");
});

test("out of time is refused, with the minute that LiveKit's receiver allows", () => {
  const expiresAtMs = NOW_MS + 300_000;
  expect(verify(sign(), expiresAtMs + 59_999)).toBe("taken");
  expect(verify(sign(), expiresAtMs + 60_000)).toMatch(/has expired/);
  expect(verify(sign(), NOW_MS - 60_000)).toBe("taken");
  expect(verify(sign(), NOW_MS - 60_001)).toMatch(/not valid yet/);
});

test("the digest is of these very bytes, in standard base64", () => {
  const digestOf = (encoding: "hex" | "base64url") => createHash("sha256").update(BODY).digest(encoding);
  const refused = /^token: its claim sha256 is not the base64 of the body's SHA-256$/;
  const check = (body: Uint8Array, digest: string) => refusal(() => requireDigestOf(body, digest));
  expect(check(BODY, DIGEST)).toBe("taken");
  for (const digest of [
    digestOf("hex"),
    digestOf("base64url"),
    DIGEST.slice(0, -1),
    `${DIGEST}=`,
    "ü",
    "x",
  ]) {
    expect(check(BODY, digest), digest).toMatch(refused);
  }
  const tampered = Buffer.from(BODY);
  for (let at = 0; at < BODY.length; at++) {
    tampered[at] = (tampered[at] ?? 0) ^ 1;
    expect(check(tampered, DIGEST)).toMatch(refused);
    tampered[at] = BODY[at] ?? 0;
  }
  expect(check(Buffer.concat([BODY, Buffer.from(" ")]), DIGEST)).toMatch(refused);
  expect(check(new Uint8Array(), DIGEST)).toMatch(refused);
});
