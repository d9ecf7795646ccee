/** POST /webhook, over real sockets: who is believed, what is answered, and that 200 is said only of what was kept. */

import { createHash } from "node:crypto";
import { DispatchError } from "@muster/domain/errors";
import type { RoomFacts } from "@muster/domain/room";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { serveHttp } from "@muster/runtime/serve-http";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import { signAccessToken } from "@muster/wire/access-token";
import fc from "fast-check";
import { AccessToken } from "livekit-server-sdk";
import { afterEach, expect, test } from "vitest";
import { Bodies } from "../src/bodies.js";
import { DOOR_DEFAULTS } from "../src/door-policy.js";
import { apiMetrics } from "../src/metrics.js";
import { createWebhookDoor } from "../src/webhook/webhook-door.js";

const KEY = "APIcluster";
const SECRET = "secret-of-at-least-32-characters!!";
const STARTED = JSON.stringify({
  event: "room_started",
  id: "EV_1",
  createdAt: "1800000010",
  room: { sid: "RM_1", name: "support", creationTime: "1800000000" },
});

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const digestOf = (body: string | Uint8Array) => createHash("sha256").update(body).digest("base64");

/** As livekit-server signs, by its own SDK. */
async function sign(body: string | Uint8Array, { key = KEY, secret = SECRET, sha256 = digestOf(body) } = {}) {
  const token = new AccessToken(key, secret, { ttl: 300 });
  token.sha256 = sha256;
  return await token.toJwt();
}

interface Options {
  take?: (facts: RoomFacts) => Promise<void>;
  clock?: Clock;
}

async function open({ take, clock = systemClock }: Options = {}) {
  const taken: RoomFacts[] = [];
  const lines: string[] = [];
  const metrics = createMetrics({ service: "api" });
  const log = createLog({
    level: "debug",
    service: "test",
    destination: { write: (line) => void lines.push(line) },
  });
  const door = createWebhookDoor({
    keys: new Map([[KEY, SECRET]]),
    bodies: new Bodies({ policy: DOOR_DEFAULTS, clock: systemClock }),
    clock,
    log,
    metrics: apiMetrics(metrics),
    take: take ?? (async (facts) => void taken.push(facts)),
  });
  const http = await serveHttp({
    ...{ host: "127.0.0.1", port: await freePort(), fetch: door },
    log: createLog({ level: "silent", service: "test" }),
  });
  closing.push(() => http.close());
  const url = `http://127.0.0.1:${http.port}/webhook`;
  return {
    url,
    door,
    taken,
    lines,
    post: async (body: string | Uint8Array, authorization?: string) =>
      await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/webhook+json",
          authorization: authorization ?? (await sign(body)),
        },
        body,
      }),
    counted: async (name: string, label: string) =>
      Number(
        new RegExp(`^muster_${name}\\{\\w+="${label}"\\} (\\d+)$`, "m").exec(await metrics.render())?.[1],
      ),
  };
}

async function problem(answer: Response) {
  return (await answer.json()) as { status: number; code: string; message: string; field?: string };
}

test("a webhook of LiveKit is taken, and again when it is sent again", async () => {
  const { post, taken, counted } = await open();
  expect((await post(STARTED)).status).toBe(200);
  expect((await post(STARTED, `Bearer ${await sign(STARTED)}`)).status).toBe(200);
  expect(taken).toHaveLength(2);
  expect(taken[1]).toEqual(taken[0]);
  expect(taken[0]).toMatchObject({ room: "support", sid: "RM_1", asOfMs: 1_800_000_010_000 });
  expect(await counted("webhooks_received_total", "room_started")).toBe(2);
});

test("events of no room, and ones that nobody knows yet, are answered and counted", async () => {
  const { post, taken, counted } = await open();
  for (const event of ["egress_started", "room_exploded", "room_imploded", ""]) {
    expect((await post(JSON.stringify({ event, room: {}, egressInfo: { a: [] } }))).status).toBe(200);
  }
  expect(taken).toEqual([]);
  expect(await counted("webhooks_received_total", "egress_started")).toBe(1);
  expect(await counted("webhooks_received_total", "other")).toBe(3);
});

test("who cannot sign for these bytes is not believed, and told why", async () => {
  const { post, taken, counted } = await open();
  const hex = createHash("sha256").update(STARTED).digest("hex");
  const attempts = [
    [STARTED, "", /^authorization: /],
    [STARTED, "nonsense", /not a JWT/],
    [STARTED, await sign(STARTED, { key: "devkey" }), /API key \(iss\) is not known/],
    [STARTED, await sign(STARTED, { secret: "another-secret-of-32-characters!!!" }), /signature/],
    [STARTED, await sign(STARTED, { sha256: digestOf("other") }), /sha256/],
    [STARTED, await sign(STARTED, { sha256: hex }), /sha256/],
    [STARTED.replace("support", "suppord"), await sign(STARTED), /sha256/],
    // Not JSON either; that is nobody's business who did not sign it.
    ["{", await sign(STARTED), /sha256/],
  ] as const;
  for (const [body, authorization, message] of attempts) {
    const answer = await post(body, authorization);
    expect(answer.status).toBe(401);
    expect(await problem(answer)).toMatchObject({
      code: "unauthenticated",
      message: expect.stringMatching(message),
    });
  }
  expect(taken).toEqual([]);
  expect(await counted("webhooks_refused_total", "unauthenticated")).toBe(attempts.length);
});

test("tokens out of time are refused, beyond a minute of difference between the clocks", async () => {
  let nowMs = Date.now();
  const { post } = await open({ clock: { now: () => nowMs, setTimer: systemClock.setTimer } });
  const token = signAccessToken({
    ...{ apiKey: KEY, apiSecret: SECRET, nowMs, ttlMs: 300_000, sha256: digestOf(STARTED) },
  });
  const sentAtMs = Math.floor(nowMs / 1_000) * 1_000;
  for (const [afterMs, status] of [
    [-60_001, 401],
    [-59_000, 200],
    [359_999, 200],
    [360_000, 401],
  ] as const) {
    nowMs = sentAtMs + afterMs;
    expect((await post(STARTED, token)).status, `${afterMs} ms after it was made`).toBe(status);
  }
});

test("what is signed and still wrong is refused with its field", async () => {
  const { post, taken, counted } = await open();
  const bodies = [
    ["{", "malformed", "body"],
    ["[]", "malformed", "WebhookEvent"],
    [Buffer.from([0xff, 0xfe]), "malformed", "body"],
    ['{"event":"room_started","room":7}', "malformed", "room"],
    ['{"event":"room_started","createdAt":"1800000000"}', "invalid_argument", "room"],
    ['{"event":"room_started","created_at":1,"room":{"name":"a"}}', "invalid_argument", "room.sid"],
  ] as const;
  for (const [body, code, field] of bodies) {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(await problem(answer)).toMatchObject({ code, field });
  }
  expect(taken).toEqual([]);
  expect(await counted("webhooks_refused_total", "malformed")).toBe(4);
  expect(await counted("webhooks_refused_total", "invalid_argument")).toBe(2);
});

test("a body above the bound is not read to its end", async () => {
  const { url, post, counted } = await open();
  expect((await post(Buffer.alloc(10 * 1024 * 1024 + 1, " "))).status).toBe(413);
  // Without a length, and without an end.
  let given = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      given += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const init = { method: "POST", headers: { authorization: await sign("") }, body: endless, duplex: "half" };
  // The connection may break before the answer is read: we are still sending.
  const status = await fetch(url, init as RequestInit).then(
    (answer) => answer.status,
    () => 413,
  );
  expect(status).toBe(413);
  expect(given).toBeLessThan(64 * 1024 * 1024);
  await waitUntil(
    "both are counted",
    async () => (await counted("webhooks_refused_total", "too_large")) === 2,
  );
});

test("what was not kept is not answered with 200, whatever the reason, and LiveKit may come again", async () => {
  const failures = [
    new Error("Connection is closed."),
    new DispatchError("internal", "a bug"),
    new DispatchError("invalid_argument", "no", "room"),
  ];
  const { post, counted } = await open({
    take: () => {
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    },
  });
  for (let attempt = 1; attempt <= 3; attempt++) {
    const answer = await post(STARTED);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(await problem(answer)).toMatchObject({ message: "the event could not be kept; send it again" });
  }
  expect((await post(STARTED)).status).toBe(200);
  expect(await counted("webhooks_received_total", "room_started")).toBe(1);
  expect(await counted("webhooks_refused_total", "unavailable")).toBe(3);
});

test("no more than 256 are taken at once; the others are asked to come again", async () => {
  const waiting: (() => void)[] = [];
  const { door, counted } = await open({ take: () => new Promise((resolve) => void waiting.push(resolve)) });
  const token = await sign(STARTED);
  const send = () =>
    door(
      new Request("http://muster/webhook", {
        method: "POST",
        headers: { authorization: token },
        body: STARTED,
      }),
    );
  const answers = Array.from({ length: 256 }, send);
  await waitUntil("all are being taken", () => waiting.length === 256);
  const refused = await send();
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("1");
  // Who cannot sign takes nobody's place, and is told so even now.
  expect((await door(new Request("http://muster/webhook", { method: "POST", body: STARTED }))).status).toBe(
    401,
  );
  for (const done of waiting.splice(0)) done();
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(256).fill(200));
  const next = send();
  await waitUntil("there is room again", () => waiting.length === 1);
  waiting[0]?.();
  expect((await next).status).toBe(200);
  expect(await counted("webhooks_refused_total", "unavailable")).toBe(1);
});

test("another method is refused", async () => {
  const { url } = await open();
  for (const method of ["GET", "PUT", "DELETE"]) {
    const answer = await fetch(url, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("POST");
  }
});

test("a wrong key is said in the log, once a minute, and what participants say never is", async () => {
  let nowMs = Date.now();
  const { post, lines } = await open({ clock: { now: () => nowMs, setTimer: systemClock.setTimer } });
  const stranger = await sign(STARTED, { key: "stranger" });
  for (let attempt = 1; attempt <= 5; attempt++) await post(STARTED, stranger);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("its API key (iss) is not known here");
  const attributes = { "my-private-key": 7 };
  await post(JSON.stringify({ event: "participant_joined", participant: { attributes } }));
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain('"field":"participant.attributes"');
  expect(lines.join()).not.toContain("private");
  nowMs += 60_000;
  await post(STARTED, stranger);
  expect(lines).toHaveLength(3);
});

test("nothing that is signed does worse than be refused", async () => {
  const { door, taken } = await open();
  const event = fc.record(
    {
      event: fc.constantFrom(
        "room_started",
        "participant_joined",
        "participant_left",
        "track_published",
        "x",
      ),
      createdAt: fc.oneof(fc.maxSafeInteger(), fc.bigInt().map(String), fc.string()),
      room: fc.oneof(
        fc.record({ name: fc.string(), sid: fc.string() }, { requiredKeys: [] }),
        fc.jsonValue(),
      ),
      participant: fc.oneof(
        fc.record(
          {
            sid: fc.oneof(fc.constant("PA_1"), fc.string()),
            identity: fc.string(),
            joinedAtMs: fc.oneof(fc.maxSafeInteger(), fc.bigInt().map(String)),
            kind: fc.oneof(fc.integer(), fc.string()),
            attributes: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())),
          },
          { requiredKeys: [] },
        ),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  );
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.json().map((text) => Buffer.from(text)),
    event.map((value) => Buffer.from(JSON.stringify(value))),
  );
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const authorization = await sign(body);
      const before = taken.length;
      const request = new Request("http://muster/webhook", {
        method: "POST",
        headers: { authorization },
        body,
      });
      const { status } = await door(request);
      expect([200, 400]).toContain(status);
      if (status !== 200) expect(taken).toHaveLength(before);
      for (const { room, sid, asOfMs } of taken.slice(before)) {
        expect(room).not.toBe("");
        expect(sid).toMatch(/^[\w.-]{1,64}$/);
        expect(asOfMs).toBeGreaterThan(0);
      }
    }),
    { numRuns: 500 },
  );
});
