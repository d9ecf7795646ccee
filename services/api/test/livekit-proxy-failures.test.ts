/** What is said when a call cannot be passed on, or breaks off; and the settings. */

import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { loadConfig } from "@muster/runtime/config";
import { createMetrics } from "@muster/runtime/metrics";
import { serveHttp } from "@muster/runtime/serve-http";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, test } from "vitest";
import { Bodies } from "../src/bodies.js";
import { apiSchema, livekitFrom } from "../src/config.js";
import { DOOR_DEFAULTS } from "../src/door-policy.js";
import { createFrontDoor } from "../src/front-door.js";
import { httpMeter } from "../src/http-meter.js";
import { apiMetrics } from "../src/metrics.js";
import { createLivekitProxy } from "../src/proxy/livekit-proxy.js";
import { keys, silent } from "./kit.js";
import { authorized, closing, LIST_ROOMS, listening, muster, upstream } from "./livekit-proxy-kit.js";

test("a long answer that breaks off breaks off here too; a short one was none", async () => {
  const livekit = await upstream((req, res) => {
    req.resume();
    res.writeHead(200, { "content-length": req.url?.endsWith("ListRooms") ? 100_000 : 100 });
    res.write("half", () => res.destroy());
  });
  const { url } = await muster(livekit);
  const long = await fetch(url + LIST_ROOMS, { method: "POST", headers: authorized(), body: "x" });
  expect(long.status).toBe(200);
  await expect(long.text()).rejects.toThrow();
  await unavailable(await post(`${url}/twirp/livekit.RoomService/DeleteRoom`));
});

const post = async (url: string, body = "x") =>
  await fetch(url, { method: "POST", headers: authorized(), body });

/** A server of something else. What it is sent is read and dropped, since it would not see the end of it otherwise. */
const raw = (greet: (socket: Socket) => void) =>
  listening(createTcpServer((socket) => greet(socket.resume())));

async function unavailable(answer: Response): Promise<string> {
  expect(answer.status).toBe(503);
  // LiveKit's Node SDK reads errors of exactly this type.
  expect(answer.headers.get("content-type")).toBe("application/json");
  const { code, msg } = (await answer.json()) as { code: string; msg: string };
  expect(code).toBe("unavailable");
  expect(msg).toContain("MUSTER_LIVEKIT_URL");
  return msg;
}

test("nobody there, no such host, no HTTP: unavailable, in Twirp's form, with the setting", async () => {
  const list = async (url: string) => await post(url + LIST_ROOMS, "{}");
  const closed = await muster(`http://127.0.0.1:${await freePort()}`);
  expect(await unavailable(await list(closed.url))).toContain("ECONNREFUSED");
  expect(await closed.registry.render()).toMatch(/^muster_refusals_total\{reason="unavailable"\} 1$/m);
  const nowhere = await muster("http://livekit.invalid");
  expect(await unavailable(await list(nowhere.url))).toMatch(/ENOTFOUND|EAI_AGAIN/);
  const ssh = await muster(await raw((socket) => socket.end("SSH-2.0-x\r\n")));
  expect(await unavailable(await list(ssh.url))).toContain("HPE_INVALID_CONSTANT");
  const hangsUp = await muster(await raw((socket) => socket.destroy()));
  expect(await unavailable(await list(hangsUp.url))).toMatch(/ECONNRESET|EPIPE/);
  const odd = await muster(await raw((socket) => socket.end("HTTP/1.1 999 Odd\r\n\r\n")));
  expect(await unavailable(await list(odd.url))).toContain("no usable answer");
});

test("silence is bounded, longer where a phone rings", async () => {
  const asked: number[] = [];
  let fire = (): void => {};
  const clock: Clock = {
    now: () => Date.now(),
    setTimer(delayMs, run) {
      asked.push(delayMs);
      fire = run;
      return () => {
        fire = () => {};
      };
    },
  };
  let arrived = 0;
  const dropped: boolean[] = [];
  const livekit = await upstream((req, res) => {
    arrived++;
    req.resume();
    res.on("close", () => dropped.push(!res.writableEnded));
    if (req.url?.includes("ListRooms")) res.end("quick");
  });
  const { url } = await muster(livekit, { clock });
  const silence = post(`${url}/twirp/livekit.RoomService/DeleteRoom`);
  await waitUntil("the call has arrived", () => arrived === 1);
  fire();
  expect(await unavailable(await silence)).toContain("did not begin to answer within 30 s");
  await waitUntil("livekit-server knows", () => dropped[0]);
  const ringing = post(`${url}/twirp/livekit.SIP/CreateSIPParticipant`);
  await waitUntil("the call has arrived", () => arrived === 2);
  fire();
  expect(await unavailable(await ringing)).toContain("within 120 s");
  expect(asked).toEqual([30_000, 120_000]);
  // Once the answer began nothing is waited for any more.
  const quick = await post(url + LIST_ROOMS);
  fire();
  expect(await quick.text()).toBe("quick");
});

test("a url that leads back here is found out in one round", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let rounds = 0;
  const frontDoor = createFrontDoor({
    meter: httpMeter(createMetrics({ service: "api" })),
    twirp: async () => new Response(),
    rest: async () => new Response(),
    ops: async () => new Response(),
    livekit: {
      url,
      forward: createLivekitProxy({
        ...{ url, metrics: apiMetrics(createMetrics({ service: "api" })), clock: systemClock, log: silent },
        ...{ keySets: [keys], most: 256, bodies: new Bodies({ policy: DOOR_DEFAULTS, clock: systemClock }) },
      }),
    },
  });
  const http = await serveHttp({
    ...{ host: "127.0.0.1", port, log: silent },
    fetch: (given) => {
      rounds++;
      return frontDoor(given, undefined);
    },
  });
  closing.push(() => http.close());
  const answer = await fetch(url + LIST_ROOMS, {
    method: "POST",
    body: "x",
    headers: { ...authorized(), via: "1.0 fred, 1.1 p.example" },
  });
  expect(answer.status).toBe(412);
  expect(await answer.json()).toEqual({
    code: "failed_precondition",
    msg: "MUSTER_LIVEKIT_URL leads back to Muster; it must be the url of livekit-server itself",
  });
  expect(rounds).toBe(2);
});

test("answers without a body, and calls without one", async () => {
  const seen: [string | undefined, string | undefined][] = [];
  const livekit = await upstream((req, res) => {
    seen.push([req.method, req.headers["content-length"]]);
    res.writeHead(req.method === "OPTIONS" ? 204 : 200, { "access-control-allow-origin": "*" });
    res.end();
  });
  const { url } = await muster(livekit);
  const preflight = await fetch(url + LIST_ROOMS, { method: "OPTIONS" });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
  expect((await fetch(url + LIST_ROOMS, { method: "HEAD", headers: authorized() })).status).toBe(200);
  // A GET that announces a body has none on its way on; it must not be announced there.
  const answer = await new Promise<string>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () =>
      socket.write(
        `GET ${LIST_ROOMS} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorized().authorization}\r\n` +
          "content-length: 4\r\nconnection: close\r\n\r\nbody",
      ),
    );
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(seen.map(([method]) => method)).toEqual(["OPTIONS", "HEAD", "GET"]);
  expect(seen[2]?.[1]).toBeUndefined();
});

test("the settings: a plain url of four schemes, and keys that are ours when none are given", () => {
  const load = (env: Record<string, string>) =>
    loadConfig({
      ...{ schema: apiSchema, argv: [], envPrefix: "MUSTER_" },
      env: { MUSTER_REDIS_URL: "redis://127.0.0.1", MUSTER_KEYS: "key: secret", ...env },
    });
  expect(livekitFrom(load({}))).toEqual({ url: undefined, keys: new Map([["key", "secret"]]) });
  const given = load({
    MUSTER_LIVEKIT_URL: "wss://lk.example.com/a/",
    MUSTER_LIVEKIT_KEYS: "lk: s1\nlk2: s2",
  });
  expect(livekitFrom(given)).toEqual({
    url: "wss://lk.example.com/a",
    keys: new Map([
      ["lk", "s1"],
      ["lk2", "s2"],
    ]),
  });
  for (const url of ["lk.example.com", "ftp://lk", "http://user:pass@lk", "http://lk?a=b", "http://lk#a"]) {
    expect(() => load({ MUSTER_LIVEKIT_URL: url }), url).toThrow(
      expect.objectContaining({ problems: [expect.stringMatching(/^MUSTER_LIVEKIT_URL: must be /)] }),
    );
  }
});
