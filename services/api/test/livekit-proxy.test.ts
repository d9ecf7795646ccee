/** Calls of LiveKit's other services, passed on over real sockets: whole, both ways, and what is said when that fails. */

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { loadConfig } from "@muster/runtime/config";
import { createMetrics } from "@muster/runtime/metrics";
import { serveHttp } from "@muster/runtime/serve-http";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import { RoomServiceClient } from "livekit-server-sdk";
import { afterEach, expect, test } from "vitest";
import { apiSchema, livekitFrom } from "../src/config.js";
import { createFrontDoor } from "../src/front-door.js";
import { apiMetrics } from "../src/metrics.js";
import { createLivekitProxy } from "../src/proxy/livekit-proxy.js";
import { silent } from "./kit.js";

const PEER = "203.0.113.9";
const LIST_ROOMS = "/twirp/livekit.RoomService/ListRooms";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listening(server: Server | TcpServer): Promise<string> {
  const port = await freePort();
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => void server.close(resolve)));
  if ("closeAllConnections" in server) closing.push(() => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

const upstream = (handler: Handler) => listening(createServer(handler));

/** A Muster's front door; only its own service is answered there. */
async function muster(livekitUrl: string, { clock = systemClock }: { clock?: Clock } = {}) {
  const registry = createMetrics({ service: "api" });
  const deps = { url: livekitUrl, metrics: apiMetrics(registry), clock, log: silent };
  const frontDoor = createFrontDoor({
    twirp: async (_request, path) => new Response(`ours: ${path}`),
    rest: async () => new Response("rest"),
    ops: async () => new Response("ops"),
    livekit: { url: livekitUrl, forward: createLivekitProxy(deps) },
  });
  const fetchHere = (given: Request) => frontDoor(given, PEER);
  const http = await serveHttp({ host: "127.0.0.1", port: await freePort(), fetch: fetchHere, log: silent });
  closing.push(() => http.close());
  return { url: `http://127.0.0.1:${http.port}`, registry };
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of req) text += String(chunk);
  return text;
}

test("a call arrives as it was sent, and so does its answer", async () => {
  const seen: { req: IncomingMessage; body: string }[] = [];
  const livekit = await upstream((req, res) => {
    void textOf(req).then((body) => {
      seen.push({ req, body });
      const headers = ["content-type", "application/json", "set-cookie", "a=1", "set-cookie", "b=2"];
      res.writeHead(404, "Not Here", [
        ...headers,
        "x-gone",
        "1",
        "connection",
        "x-gone",
        "content-encoding",
        "br",
      ]);
      res.end("raw bytes");
    });
  });
  const { url } = await muster(`${livekit}/pre/fix`);
  // By node itself: fetch would unpack the answer.
  const [answer, text] = await new Promise<[IncomingMessage, string]>((resolve, reject) => {
    const call = request(`${url}${LIST_ROOMS}?a=%20b&c`, {
      method: "POST",
      headers: {
        ...{
          authorization: "Bearer x.y.z",
          "content-type": "application/protobuf",
          "x-livekit-request-id": "r1",
        },
        ...{ "user-agent": "lk/1", connection: "keep-alive, X-Hop", "x-hop": "1", te: "trailers" },
        ...{ "accept-encoding": "br", "x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https" },
      },
    });
    call.on("response", (res) => void textOf(res).then((body) => resolve([res, body])));
    call.on("error", reject);
    call.end("the body");
  });
  const [{ req, body } = { req: undefined, body: "" }] = seen;
  expect(req?.method).toBe("POST");
  expect(req?.url).toBe(`/pre/fix${LIST_ROOMS}?a=%20b&c`);
  expect(body).toBe("the body");
  const { host, connection, "transfer-encoding": _, ...headers } = req?.headers ?? {};
  expect(host).toBe(new URL(livekit).host);
  expect(connection).toBe("keep-alive");
  expect(headers).toEqual({
    ...{
      authorization: "Bearer x.y.z",
      "content-type": "application/protobuf",
      "x-livekit-request-id": "r1",
    },
    ...{ "user-agent": "lk/1", "accept-encoding": "br", "content-length": "8", via: "1.1 muster" },
    ...{ "x-forwarded-for": `198.51.100.7, ${PEER}`, "x-forwarded-proto": "https" },
  });
  expect(answer.statusCode).toBe(404);
  expect(answer.headers).toMatchObject({ "content-type": "application/json", "set-cookie": ["a=1", "b=2"] });
  expect(answer.headers["content-encoding"]).toBe("br");
  expect(answer.headers).not.toHaveProperty("x-gone");
  expect(text).toBe("raw bytes");
});

test("LiveKit's SDK manages rooms through Muster, also where its url is one of WebSockets", async () => {
  const livekit = await upstream((req, res) => {
    void textOf(req).then(() => {
      const room = {
        sid: "RM_1",
        name: `by ${req.headers["x-forwarded-for"]} ${req.headers["x-forwarded-proto"]}`,
      };
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ rooms: [room] }));
    });
  });
  const { url } = await muster(livekit.replace("http", "ws"));
  const rooms = await new RoomServiceClient(url, "key", "secret").listRooms();
  expect(rooms[0]).toMatchObject({ sid: "RM_1", name: `by ${PEER} http` });
});

test("what is ours, and what no call is called, stays here", async () => {
  const paths: (string | undefined)[] = [];
  const livekit = await upstream((req, res) => {
    paths.push(req.url);
    res.end();
  });
  const { url } = await muster(livekit);
  const post = async (path: string) => await (await fetch(url + path, { method: "POST" })).text();
  const ours = "/twirp/livekit.AgentDispatchService/CreateDispatch";
  for (const path of [
    ours,
    ours.replace(".", "%2E"),
    `/twirp/${ours}`,
    "/twirp/",
    "/twirp/livekit.RoomService",
  ]) {
    expect(await post(path)).toBe(`ours: ${path}`);
  }
  expect(await post("/v1/jobs")).toBe("rest");
  const theirs = [
    "/twirp/livekit.SIP/CreateSIPParticipant",
    "/twirp/livekit.Egress/ListEgress",
    "/twirp/a.B/C",
  ];
  for (const path of theirs) expect(await post(path)).toBe("");
  expect(paths).toEqual(theirs);
});

test("/rtc says where media is", async () => {
  const { url } = await muster("https://lk.example.com/x");
  for (const path of ["/rtc", "/rtc/validate?a=b"]) {
    const answer = await fetch(url + path);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe(
      "dispatch works here, media does not; point LIVEKIT_URL of whoever joins rooms at wss://lk.example.com/x",
    );
  }
});

test("a body goes up while it comes, an answer comes back before the body has ended", async () => {
  const livekit = await upstream((req, res) => {
    res.writeHead(200);
    req.on("data", (chunk) => res.write(`seen ${chunk};`));
    req.on("end", () => res.end("end"));
  });
  const { url } = await muster(livekit);
  let text = "";
  const call = request(url + LIST_ROOMS, { method: "POST" });
  const ended = new Promise<void>((resolve, reject) => {
    call.on("response", (res) => {
      res.on("data", (chunk) => (text += String(chunk)));
      res.on("end", resolve);
    });
    call.on("error", reject);
  });
  for (const part of ["one", "two"]) {
    call.write(part);
    await waitUntil(`${part} has come back`, () => text.includes(`seen ${part};`));
  }
  call.end();
  await ended;
  expect(text).toBe("seen one;seen two;end");
});

test("a large answer is not held here: who reads slowly slows livekit-server down", async () => {
  const totalBytes = 256 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024, "x");
  let sentBytes = 0;
  const livekit = await upstream((req, res) => {
    req.resume();
    res.writeHead(200, { "content-length": totalBytes });
    const more = () => {
      while (sentBytes < totalBytes) {
        sentBytes += chunk.length;
        if (!res.write(chunk)) return void res.once("drain", more);
      }
      res.end();
    };
    more();
  });
  const { url } = await muster(livekit);
  const call = request(url + LIST_ROOMS, { method: "POST" });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    call.on("response", resolve);
    call.on("error", reject);
    call.end();
  });
  expect(answer.headers["content-length"]).toBe(String(totalBytes));
  let stood = { atBytes: -1, polls: 0 };
  await waitUntil("nothing moves any more", () => {
    stood =
      stood.atBytes === sentBytes ? { ...stood, polls: stood.polls + 1 } : { atBytes: sentBytes, polls: 0 };
    return stood.polls > 30;
  });
  // What sockets hold between them, and no more.
  expect(sentBytes).toBeLessThan(32 * 1024 * 1024);
  let readBytes = 0;
  for await (const part of answer) readBytes += (part as Buffer).length;
  expect(readBytes).toBe(totalBytes);
});

test("bodies are bounded, announced or not", async () => {
  const livekit = await upstream((req, res) => {
    req.resume();
    req.on("end", () => res.end("whole"));
  });
  const { url } = await muster(livekit);
  const maxBytes = 10 * 1024 * 1024;
  const post = async (body: NonNullable<RequestInit["body"]>) =>
    await fetch(url + LIST_ROOMS, { method: "POST", body, duplex: "half" } as RequestInit);
  expect(await (await post(Buffer.alloc(maxBytes))).text()).toBe("whole");
  const refused = await post(Buffer.alloc(maxBytes + 1));
  expect(refused.status).toBe(413);
  expect(await refused.json()).toMatchObject({ code: "invalid_argument", meta: { argument: "body" } });
  let left = 200;
  const unannounced = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(65_536)) : controller.close()),
  });
  expect((await post(unannounced)).status).toBe(413);
});

test("a caller that goes takes its call with it, before the answer and in the middle of it", async () => {
  const gone: string[] = [];
  let arrived = 0;
  const livekit = await upstream((req, res) => {
    arrived++;
    const kind = req.url?.endsWith("DeleteRoom") ? "unanswered" : "half answered";
    if (kind === "half answered") res.write("half");
    req.resume();
    res.on("close", () => gone.push(kind));
  });
  const { url, registry } = await muster(livekit);
  const unanswered = new AbortController();
  const first = fetch(`${url}/twirp/livekit.RoomService/DeleteRoom`, {
    ...{ method: "POST", body: "x", signal: unanswered.signal },
  });
  await waitUntil("the call has arrived", () => arrived === 1);
  unanswered.abort();
  await expect(first).rejects.toThrow();
  await waitUntil("livekit-server knows", () => gone.includes("unanswered"));

  const half = new AbortController();
  const second = await fetch(url + LIST_ROOMS, { method: "POST", body: "x", signal: half.signal });
  expect(second.status).toBe(200);
  half.abort();
  await waitUntil("livekit-server knows", () => gone.includes("half answered"));
  // Nobody is to blame.
  expect(await registry.render()).toMatch(/^muster_refusals_total\{reason="unavailable"\} 0$/m);
});

test("an answer that breaks off breaks off here too", async () => {
  const livekit = await upstream((req, res) => {
    req.resume();
    res.writeHead(200, { "content-length": 100 });
    res.write("half", () => res.destroy());
  });
  const { url } = await muster(livekit);
  const answer = await fetch(url + LIST_ROOMS, { method: "POST", body: "x" });
  await expect(answer.text()).rejects.toThrow();
});

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
  const post = async (url: string) => await fetch(url + LIST_ROOMS, { method: "POST", body: "{}" });
  const closed = await muster(`http://127.0.0.1:${await freePort()}`);
  expect(await unavailable(await post(closed.url))).toContain("ECONNREFUSED");
  expect(await closed.registry.render()).toMatch(/^muster_refusals_total\{reason="unavailable"\} 1$/m);
  const nowhere = await muster("http://livekit.invalid");
  expect(await unavailable(await post(nowhere.url))).toMatch(/ENOTFOUND|EAI_AGAIN/);
  const ssh = await muster(await raw((socket) => socket.end("SSH-2.0-x\r\n")));
  expect(await unavailable(await post(ssh.url))).toContain("HPE_INVALID_CONSTANT");
  const hangsUp = await muster(await raw((socket) => socket.destroy()));
  expect(await unavailable(await post(hangsUp.url))).toMatch(/ECONNRESET|EPIPE/);
  const odd = await muster(await raw((socket) => socket.end("HTTP/1.1 999 Odd\r\n\r\n")));
  expect(await unavailable(await post(odd.url))).toContain("no usable answer");
});

test("silence is bounded, longer where a phone rings", async () => {
  const asked: number[] = [];
  let fire = (): void => {};
  const clock: Clock = {
    now: () => 0,
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
  const silence = fetch(`${url}/twirp/livekit.RoomService/DeleteRoom`, { method: "POST", body: "x" });
  await waitUntil("the call has arrived", () => arrived === 1);
  fire();
  expect(await unavailable(await silence)).toContain("did not begin to answer within 30 s");
  await waitUntil("livekit-server knows", () => dropped[0]);
  const ringing = fetch(`${url}/twirp/livekit.SIP/CreateSIPParticipant`, { method: "POST", body: "x" });
  await waitUntil("the call has arrived", () => arrived === 2);
  fire();
  expect(await unavailable(await ringing)).toContain("within 120 s");
  expect(asked).toEqual([30_000, 120_000]);
  // Once the answer began nothing is waited for any more.
  const quick = await fetch(url + LIST_ROOMS, { method: "POST", body: "x" });
  fire();
  expect(await quick.text()).toBe("quick");
});

test("a url that leads back here is found out in one round", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let rounds = 0;
  const frontDoor = createFrontDoor({
    twirp: async () => new Response(),
    rest: async () => new Response(),
    ops: async () => new Response(),
    livekit: {
      url,
      forward: createLivekitProxy({
        ...{ url, metrics: apiMetrics(createMetrics({ service: "api" })), clock: systemClock, log: silent },
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
    headers: { via: "1.0 fred, 1.1 p.example" },
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
  expect((await fetch(url + LIST_ROOMS, { method: "HEAD" })).status).toBe(200);
  // A GET that announces a body has none on its way on; it must not be announced there.
  const answer = await new Promise<string>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () =>
      socket.write(
        `GET ${LIST_ROOMS} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody`,
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
