import { createHmac } from "node:crypto";
import { connectWorker, UpgradeRefused } from "@muster/test/kit/worker-client";
import { mintAgentToken } from "@muster/wire/agent-token";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  API_KEY,
  API_SECRET,
  agentToken,
  bench,
  cleanUp,
  stopRedis,
  TRANSPORT_KINDS,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const HOUR_MS = 3_600_000;

function withHeader(header: object, secret: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: API_KEY, exp: Math.floor(Date.now() / 1000) + 60, video: { agent: true } };
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function jobToken(): string {
  const facts = {
    room: "room",
    identity: "agent-AJ_x",
    name: "",
    metadata: "",
    attributes: {},
    permissions: null,
  };
  return mintAgentToken({
    ...{ apiKey: API_KEY, apiSecret: API_SECRET, nowMs: Date.now() },
    ...{ ...facts, agentName: "agent", job: "AJ_x", epoch: 1 },
  });
}

const REFUSED: [why: string, token: () => string | undefined, reason: RegExp][] = [
  ["no token", () => undefined, /token: send one/],
  ["an empty token", () => "", /token: send one/],
  ["what is no JWT", () => "nonsense", /token: not a JWT/],
  ["another secret", () => agentToken({ apiSecret: "not-the-secret-of-this-key" }), /signature/],
  ["an unknown key", () => agentToken({ apiKey: "nobody" }), /API key/],
  ["alg none", () => withHeader({ alg: "none" }, API_SECRET), /HS256/],
  ["alg none and no signature", () => withHeader({ alg: "none" }, "x").replace(/\.[^.]*$/, "."), /not a JWT/],
  ["alg RS256", () => withHeader({ alg: "RS256" }, "x"), /HS256/],
  ["an expired token", () => agentToken({ nowMs: Date.now() - 2 * HOUR_MS, ttlMs: HOUR_MS }), /expired/],
  ["nbf in the future", () => agentToken({ nowMs: Date.now() + HOUR_MS }), /nbf/],
  ["a job's own token", () => jobToken(), /token: is one to join a room/],
  [
    "a grant to join a room",
    () => agentToken({ identity: "i", video: { agent: true, roomJoin: true, room: "room" } }),
    /token: is one to join a room/,
  ],
  ["a token of kind agent", () => agentToken({ kind: "agent" }), /token: is one to join a room/],
  [
    "an attribute of Muster's",
    () => agentToken({ attributes: { "muster.job": "AJ_x" } }),
    /token: is one to join a room/,
  ],
  ["no agent grant", () => agentToken({ video: { roomJoin: true, room: "room" } }), /video\.agent/],
];

describe.each(TRANSPORT_KINDS)("authentication on %s", (transport) => {
  it.each(REFUSED)(
    "refuses %s with 401 and a reason, and touches nobody else",
    async (_why, token, reason) => {
      const { start, registered, dump } = await bench();
      const gateway = await start({ transport });
      const other = await registered(gateway);
      const before = await dump();

      const given = token();
      const connecting = connectWorker({ url: gateway.url, ...(given !== undefined && { token: given }) });
      const error = await connecting.then(
        () => undefined,
        (cause: unknown) => cause,
      );

      expect(error).toBeInstanceOf(UpgradeRefused);
      expect((error as UpgradeRefused).status).toBe(401);
      expect((error as UpgradeRefused).text).toMatch(reason);
      if (given) expect((error as UpgradeRefused).text).not.toContain(given);
      expect(await dump()).toEqual(before);
      expect(gateway.connections()).toBe(1);
      await other.ping();
    },
  );

  it("takes the token from the query too", async () => {
    const { start, field } = await bench();
    const gateway = await start({ transport });
    const worker = await connectWorker({
      url: gateway.url,
      query: `access_token=${agentToken()}&protocol=16`,
    });
    await worker.register({ namespace: field });
    expect(worker.id).toMatch(/^AW_/);
    await worker.close();
  });

  it.each([
    ["Python/3.11 aiohttp/3.14.5", "1"],
    [undefined, "0"],
    ["node", "0"],
  ])("knows by its User-Agent whether it is the SDK that reports: %s", async (userAgent, reports) => {
    const { start, field, dispatcher } = await bench();
    const gateway = await start({ transport });
    const worker = await connectWorker({
      ...{ url: gateway.url, token: agentToken() },
      ...(userAgent !== undefined && { userAgent }),
    });
    await worker.register({ namespace: field });
    expect(await dispatcher.session(worker.id)).toMatchObject({ reports });
    await worker.close();
  });

  it.each(["https://page.example", "null"])("refuses a browser, of origin %s, with 403", async (origin) => {
    const { start } = await bench();
    const gateway = await start({ transport });
    const dialling = connectWorker({ url: gateway.url, token: agentToken(), origin });
    await expect(dialling).rejects.toMatchObject({
      status: 403,
      text: expect.stringMatching(/^origin: .*MUSTER_ALLOWED_ORIGINS/),
    });
    expect(gateway.connections()).toBe(0);
    expect(gateway.counts["upgrade_refused.browser"]).toBe(1);
  });

  it.each(["https://page.example", "*"])("lets a browser in where allowedOrigins has %s", async (allowed) => {
    const { start } = await bench();
    const gateway = await start({ transport, policy: { allowedOrigins: [allowed] } });
    const origin = "https://page.example";
    const worker = await connectWorker({ url: gateway.url, token: agentToken(), origin });
    await worker.ping();
    await worker.close();
  });

  it("answers GET / with 200 OK, and its readiness", async () => {
    const { start } = await bench();
    const gateway = await start({ transport });
    const root = await fetch(`${gateway.url}/`);
    expect([root.status, await root.text()]).toEqual([200, "OK"]);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain("muster_websocket_connections 0");
  });
});
