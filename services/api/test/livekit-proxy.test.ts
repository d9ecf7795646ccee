/** Calls of LiveKit's other services, passed on over real sockets: whole, and both ways. */

import { type IncomingMessage, request } from "node:http";
import { startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { RoomServiceClient } from "livekit-server-sdk";
import { expect, test } from "vitest";
import { API_KEY, API_SECRET, runApi } from "./kit.js";
import { authorized, closing, LIST_ROOMS, muster, PEER, textOf, upstream } from "./livekit-proxy-kit.js";

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
  const { authorization } = authorized();
  // By node itself: fetch would unpack the answer.
  const [answer, text] = await new Promise<[IncomingMessage, string]>((resolve, reject) => {
    const call = request(`${url}${LIST_ROOMS}?a=%20b&c`, {
      method: "POST",
      headers: {
        ...{ authorization, "content-type": "application/protobuf", "x-livekit-request-id": "r1" },
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
    ...{ authorization, "content-type": "application/protobuf", "x-livekit-request-id": "r1" },
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
  const rooms = await new RoomServiceClient(url, API_KEY, API_SECRET).listRooms();
  expect(rooms[0]).toMatchObject({ sid: "RM_1", name: `by ${PEER} http` });
});

test("what is ours, and what no call is called, stays here", async () => {
  const paths: (string | undefined)[] = [];
  const livekit = await upstream((req, res) => {
    paths.push(req.url);
    res.end();
  });
  const { url } = await muster(livekit);
  const post = async (path: string) =>
    await (await fetch(url + path, { method: "POST", headers: authorized() })).text();
  const ours = "/twirp/livekit.AgentDispatchService/CreateDispatch";
  for (const path of [ours, ours.replace(".", "%2E"), "/twirp/", "/twirp/livekit.RoomService"]) {
    expect(await post(path)).toBe(`ours: ${path}`);
  }
  expect(await post(`/twirp/${ours}`)).toMatch(/^bad request: the path has \/\/ in it/);
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
      "dispatch works here, media does not; set MUSTER_WORKER_LIVEKIT_URL, the LiveKit url that workers are given with each job, " +
        "and point LIVEKIT_URL of everybody else who joins rooms at wss://lk.example.com/x",
    );
  }
});

test("a body goes up when it is there, an answer comes while it is made", async () => {
  let arrived = 0;
  let finish = () => {};
  const livekit = await upstream((req, res) => {
    arrived++;
    void textOf(req).then((body) => {
      res.write(`seen ${body};`);
      finish = () => res.end("end");
    });
  });
  const { url, bodies } = await muster(livekit);
  let text = "";
  const call = request(url + LIST_ROOMS, { method: "POST", headers: authorized() });
  const ended = new Promise<void>((resolve, reject) => {
    call.on("response", (res) => {
      res.on("data", (chunk) => (text += String(chunk)));
      res.on("end", resolve);
    });
    call.on("error", reject);
  });
  call.write("one");
  await waitUntil("the first part is here", () => bodies.usedBytes > 0);
  expect(arrived).toBe(0);
  call.end("two");
  await waitUntil("it has come back", () => text.includes("seen onetwo;"));
  finish();
  await ended;
  expect(text).toBe("seen onetwo;end");
  expect(arrived).toBe(1);
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
  const call = request(url + LIST_ROOMS, { method: "POST", headers: authorized() });
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
    await fetch(url + LIST_ROOMS, {
      ...{ method: "POST", headers: authorized(), body, duplex: "half" },
    } as RequestInit);
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
    ...{ method: "POST", headers: authorized(), body: "x", signal: unanswered.signal },
  });
  await waitUntil("the call has arrived", () => arrived === 1);
  unanswered.abort();
  await expect(first).rejects.toThrow();
  await waitUntil("livekit-server knows", () => gone.includes("unanswered"));

  const half = new AbortController();
  const second = await fetch(url + LIST_ROOMS, {
    ...{ method: "POST", headers: authorized(), body: "x", signal: half.signal },
  });
  expect(second.status).toBe(200);
  half.abort();
  await waitUntil("livekit-server knows", () => gone.includes("half answered"));
  // Nobody is to blame.
  expect(await registry.render()).toMatch(/^muster_refusals_total\{reason="unavailable"\} 0$/m);
});

test("an api of its own names its caller to LiveKit", async () => {
  const server = await startRedis();
  closing.push(() => server.stop());
  const livekit = await startLivekitStandIn();
  closing.push(() => livekit.stop());
  const api = await runApi(server, { livekitUrl: livekit.url });
  closing.push(() => api.stop());
  const answer = await fetch(`${api.url}/twirp/livekit.SIP/ListSIPTrunk`, {
    ...{ method: "POST", headers: authorized(), body: "{}" },
  });
  const { headers } = (await answer.json()) as { headers: Record<string, string> };
  expect(headers["x-forwarded-for"]).toBe("127.0.0.1");
});
