import { createHmac } from "node:crypto";
import { signAccessToken, verifyAccessToken } from "@muster/wire/access-token";
import { type AgentTokenFacts, agentMarks, mintAgentToken } from "@muster/wire/agent-token";
import { AccessToken, TokenVerifier } from "livekit-server-sdk";
import { describe, expect, it } from "vitest";

const KEY = "APIkey";
const SECRET = "secret-of-at-least-32-characters!!";
const KEYS = new Map([[KEY, SECRET]]);
const NOW_MS = Date.now();
const NOW_S = Math.floor(NOW_MS / 1000);

const FACTS: AgentTokenFacts = {
  apiKey: KEY,
  apiSecret: SECRET,
  room: "support-42",
  identity: "agent-AJ_1",
  name: "Ada",
  metadata: '{"ü":1}',
  attributes: { mood: "sunny", "lk.agent_name": "impostor", "muster.epoch": "999", "muster.job": "AJ_9" },
  permissions: {
    canSubscribe: true,
    canPublish: false,
    canPublishData: true,
    canPublishSources: [2],
    hidden: true,
    recorder: true,
    canUpdateMetadata: false,
    agent: false,
    canSubscribeMetrics: true,
    canManageAgentSession: true,
  },
  agentName: "greeter",
  job: "AJ_1",
  epoch: 7,
  nowMs: NOW_MS,
};

describe("the agent's token", () => {
  it("is livekit-server's, claim by claim, and more only by the epoch", async () => {
    const claims = await new TokenVerifier(KEY, SECRET).verify(mintAgentToken(FACTS));
    expect(claims).toEqual({
      iss: KEY,
      sub: "agent-AJ_1",
      identity: "agent-AJ_1",
      iat: NOW_S,
      nbf: NOW_S,
      exp: NOW_S + 3600,
      name: "Ada",
      kind: "agent",
      metadata: '{"ü":1}',
      attributes: { mood: "sunny", "lk.agent_name": "greeter", "muster.job": "AJ_1", "muster.epoch": "7" },
      video: {
        roomJoin: true,
        room: "support-42",
        agent: true,
        canSubscribe: true,
        canPublish: false,
        canPublishData: true,
        canUpdateOwnMetadata: false,
        canSubscribeMetrics: true,
        hidden: true,
      },
    });
  });

  it("has no empty name or metadata, but always an agent name, and grants the usual to who asked for nothing", async () => {
    const token = mintAgentToken({
      ...FACTS,
      name: "",
      metadata: "",
      attributes: {},
      permissions: null,
      agentName: "",
    });
    const claims = await new TokenVerifier(KEY, SECRET).verify(token);
    expect(Object.keys(claims).sort()).toEqual([
      "attributes",
      "exp",
      "iat",
      "identity",
      "iss",
      "kind",
      "nbf",
      "sub",
      "video",
    ]);
    expect(claims.attributes).toEqual({ "lk.agent_name": "", "muster.job": "AJ_1", "muster.epoch": "7" });
    expect(agentMarks(claims.attributes ?? {})).toEqual({ job: "AJ_1", epoch: 7 });
    expect(claims.video).toEqual({
      roomJoin: true,
      room: "support-42",
      agent: true,
      canSubscribe: true,
      canPublish: true,
      canPublishData: true,
      canUpdateOwnMetadata: true,
      canSubscribeMetrics: false,
    });
  });

  it("is not made without an identity", () => {
    expect(() => mintAgentToken({ ...FACTS, identity: "" })).toThrow("participant_identity");
  });

  it("is taken by our own verifier", () => {
    const claims = verifyAccessToken(mintAgentToken(FACTS), KEYS, NOW_MS);
    expect(claims).toMatchObject({
      apiKey: KEY,
      identity: "agent-AJ_1",
      kind: "agent",
      expiresAtMs: (NOW_S + 3600) * 1000,
    });
  });
});

describe("access tokens", () => {
  it("of the server SDK are taken", async () => {
    const made = new AccessToken(KEY, SECRET, {
      identity: "ada",
      name: "Ada",
      metadata: "m",
      attributes: { a: "b" },
      ttl: 60,
    });
    made.addGrant({ roomAdmin: true, room: "r", agent: true, canPublish: false, canPublishSources: [2] });
    made.sha256 = "c2hh";
    const claims = verifyAccessToken(await made.toJwt(), KEYS, NOW_MS);
    expect(claims).toMatchObject({
      apiKey: KEY,
      identity: "ada",
      name: "Ada",
      metadata: "m",
      sha256: "c2hh",
      attributes: { a: "b" },
      video: {
        roomAdmin: true,
        room: "r",
        agent: true,
        canPublish: false,
        canPublishSources: ["microphone"],
        roomJoin: false,
        roomCreate: false,
      },
    });
    expect(claims.video).not.toHaveProperty("canSubscribe");
  });

  it("of ours are taken by the server SDK", async () => {
    const token = signAccessToken({
      apiKey: KEY,
      apiSecret: SECRET,
      nowMs: NOW_MS,
      ttlMs: 60_000,
      identity: "ada",
      video: { roomAdmin: true, room: "r" },
    });
    expect(await new TokenVerifier(KEY, SECRET).verify(token)).toEqual({
      iss: KEY,
      sub: "ada",
      nbf: NOW_S,
      exp: NOW_S + 60,
      video: { roomAdmin: true, room: "r" },
    });
  });

  const good = { iss: KEY, exp: NOW_S + 60, nbf: NOW_S, video: { agent: true } };

  it("expire after their minute of leeway, and begin a minute early", () => {
    const token = forge(good);
    expect(verifyAccessToken(token, KEYS, (NOW_S + 60 + 60) * 1000 - 1).apiKey).toBe(KEY);
    expect(() => verifyAccessToken(token, KEYS, (NOW_S + 60 + 60) * 1000)).toThrow("has expired");
    expect(verifyAccessToken(token, KEYS, (NOW_S - 60) * 1000).apiKey).toBe(KEY);
    expect(() => verifyAccessToken(token, KEYS, (NOW_S - 60) * 1000 - 1)).toThrow("not valid yet");
  });

  it.each([
    ["nothing", "", "not a JWT"],
    ["two parts", "a.b", "not a JWT"],
    ["four parts", `${forge(good)}.x`, "not a JWT"],
    ["a payload that is no JSON", `${part({ alg: "HS256" })}.bm8.x`, "not a JWT"],
    ["a payload that is an array", `${part({ alg: "HS256" })}.${part([])}.x`, "not a JWT"],
    ["characters outside base64url", `${forge(good)}=`, "not a JWT"],
    ["alg none", `${part({ alg: "none" })}.${part(good)}.x`, "HS256"],
    ["another HMAC", forge(good, { alg: "HS512" }), "HS256"],
    ["critical extensions", forge(good, { alg: "HS256", crit: ["b64"] }), "critical"],
    ["an unknown key", forge({ ...good, iss: "other" }), "API key"],
    ["no key", forge({ ...good, iss: undefined }), "API key"],
    ["a key that is a number", forge({ ...good, iss: 7 }), "iss must be a string"],
    ["a key of the prototype", forge({ ...good, iss: "constructor" }), "API key"],
    ["another secret", forge(good, undefined, "not the secret"), "signature"],
    [
      "a changed payload",
      swapPayload(forge(good), { ...good, iss: KEY, video: { roomAdmin: true } }),
      "signature",
    ],
    ["a cut signature", forge(good).slice(0, -1), "signature"],
    ["no expiry", forge({ ...good, exp: undefined }), "no expiry"],
    ["an expiry that is a string", forge({ ...good, exp: "soon" }), "exp must be a number"],
    [
      "a grant that is a string",
      forge({ ...good, video: { agent: "true" } }),
      "video.agent must be true or false",
    ],
    ["grants that are a list", forge({ ...good, video: [] }), "video must be an object"],
    ["a room that is a number", forge({ ...good, video: { room: 1 } }), "video.room must be a string"],
    ["attributes that are numbers", forge({ ...good, attributes: { a: 1 } }), "attributes must hold strings"],
    ["endless", "a".repeat(64 * 1024 + 1), "longer than"],
  ])("are refused: %s", (_name, token, reason) => {
    expect(() => verifyAccessToken(token, KEYS, NOW_MS)).toThrow(
      expect.objectContaining({
        code: "unauthenticated",
        field: "token",
        message: expect.stringContaining(reason),
      }) as Error,
    );
  });

  it("are refused for a key whose secret is empty", () => {
    expect(() => verifyAccessToken(forge(good, undefined, ""), new Map([[KEY, ""]]), NOW_MS)).toThrow(
      "API key",
    );
  });
});

function part(json: unknown): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}

function forge(claims: object, header: object = { alg: "HS256" }, secret = SECRET): string {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function swapPayload(token: string, claims: object): string {
  const [header, , signature] = token.split(".");
  return `${header}.${part(claims)}.${signature}`;
}
