/** Who calls LiveKit through Muster: nobody without a token, and nobody in the way of another. Over real sockets. */

import type { ServerResponse } from "node:http";
import { systemClock } from "@muster/runtime/clock";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { VideoGrant } from "@muster/wire/video-grant";
import { RoomServiceClient } from "livekit-server-sdk";
import { expect, test } from "vitest";
import { CallerLines } from "../src/proxy/caller-lines.js";
import { API_KEY, API_SECRET, keys, token } from "./kit.js";
import { authorized, closing, LIST_ROOMS, muster, upstream } from "./livekit-proxy-kit.js";
import { slowSender } from "./slow-sender.js";

const DELETE_ROOM = "/twirp/livekit.RoomService/DeleteRoom";

/** Answers ListRooms at once, keeps what else comes; says what it got. */
async function livekit() {
  const kept: { res: ServerResponse; by: string; path: string }[] = [];
  let arrived = 0;
  const url = await upstream((req, res) => {
    arrived++;
    req.resume();
    res.setHeader("content-type", "application/json");
    if (req.url?.startsWith(LIST_ROOMS)) return void res.end(JSON.stringify({ rooms: [] }));
    kept.push({ res, by: String(req.headers["x-who"]), path: req.url ?? "" });
  });
  closing.push(() => kept.forEach(({ res }) => void res.end("{}")));
  return { url, kept, arrived: () => arrived };
}

const bearer = (video: Partial<VideoGrant>, by = {}) => ({ authorization: `Bearer ${token(video, by)}` });
const someone = (identity: string) => bearer({ roomJoin: true, room: "r" }, { identity });

async function honest(url: string): Promise<number> {
  const beganAtMs = performance.now();
  expect(await new RoomServiceClient(url, API_KEY, API_SECRET).listRooms()).toEqual([]);
  return performance.now() - beganAtMs;
}

test("three hundred unfinished bodies, with a token or without, are in nobody's way", async () => {
  const { url: upstreamUrl, arrived } = await livekit();
  const { url } = await muster(upstreamUrl);
  const unfinished = { "content-length": "1000", "content-type": "application/json" };
  const strangers = Array.from({ length: 300 }, () => slowSender(url + LIST_ROOMS, { headers: unfinished }));
  await waitUntil("each is refused", () => strangers.every(({ status }) => status === 401), {
    deadlineMs: 20_000,
  });
  expect(strangers[0]?.text).toContain('"code":"unauthenticated"');
  for (let at = 0; at < 300; at++) {
    slowSender(url + LIST_ROOMS, { headers: { ...unfinished, ...someone("caller") } }).send("half");
  }
  // Before, one that waited for a connection waited 28 s.
  expect(await honest(url)).toBeLessThan(8_000);
  expect(arrived()).toBe(1);
}, 60_000);

test("a call needs a token that is signed with a key of LiveKit's or ours, and is in its time", async () => {
  const { url: upstreamUrl } = await livekit();
  const theirs = new Map([
    ["lk", "of livekit"],
    [API_KEY, "another secret than ours"],
  ]);
  const { url } = await muster(upstreamUrl, { keySets: [theirs, keys] });
  const call = async (by: Parameters<typeof token>[1], path = LIST_ROOMS) => {
    const headers = bearer({ roomList: true }, by);
    const answer = await fetch(url + path, { method: "POST", headers, body: "{}" });
    return { status: answer.status, text: await answer.text() };
  };
  expect(await call({ apiKey: "lk", secret: "of livekit" })).toMatchObject({ status: 200 });
  expect(await call({ secret: "another secret than ours" })).toMatchObject({ status: 200 });
  expect(await call({})).toMatchObject({ status: 200 });
  const unknown = { status: 401, text: expect.stringContaining("MUSTER_LIVEKIT_KEYS") };
  expect(await call({ apiKey: "nobody" })).toMatchObject(unknown);
  expect(await call({ apiKey: "lk", secret: API_SECRET })).toMatchObject({ status: 401 });
  expect(await call({ ttlMs: -120_000 })).toMatchObject({
    status: 401,
    text: expect.stringContaining("expired"),
  });
  // A service that nobody knows is a call of LiveKit's as well.
  expect(await call({ secret: "wrong" }, "/twirp/a.B/C")).toMatchObject({ status: 401 });
  expect((await fetch(`${url}/twirp/a.B/C`)).status).toBe(401);
  // As livekit-server takes it.
  const asParameter = `${url}${LIST_ROOMS}?access_token=${token({ roomList: true })}`;
  expect((await fetch(asParameter, { method: "POST", body: "{}" })).status).toBe(200);
});

test("one caller's calls that last are its own: others call on, and its own follow in turn", async () => {
  const { url: upstreamUrl, kept } = await livekit();
  const { url } = await muster(upstreamUrl, { most: 16 });
  const deleteRoom = (who: string, path = DELETE_ROOM) =>
    fetch(url + path, { method: "POST", headers: { ...someone(who), "x-who": who }, body: "{}" });
  const greedy = Array.from({ length: 10 }, () => deleteRoom("greedy"));
  await waitUntil("its share is used", () => kept.length === 2);
  const other = deleteRoom("other");
  await waitUntil("another one is served", () => kept.some(({ by }) => by === "other"));
  expect(await honest(url)).toBeLessThan(3_000);
  expect(kept.filter(({ by }) => by === "greedy")).toHaveLength(2);
  // Where phones ring is another line.
  const ringing = deleteRoom("greedy", "/twirp/livekit.SIP/CreateSIPParticipant");
  await waitUntil("it rings", () => kept.some(({ path }) => path.includes("SIP")));
  await waitUntil("all have been served", () => {
    for (const { res } of kept) if (!res.writableEnded) res.end("{}");
    return kept.length === 12;
  });
  const answers = await Promise.all([...greedy, other, ringing]);
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
});

test("a caller that has gone leaves its line, and gives its place back", async () => {
  const { url: upstreamUrl, kept } = await livekit();
  const { url } = await muster(upstreamUrl, { most: 8 });
  const aborts = Array.from({ length: 3 }, () => new AbortController());
  const calls = aborts.map(({ signal }) =>
    fetch(url + DELETE_ROOM, { method: "POST", headers: someone("a"), body: "{}", signal }).catch(
      () => undefined,
    ),
  );
  await waitUntil("one is under way", () => kept.length === 1);
  for (const abort of aborts) abort.abort();
  await Promise.all(calls);
  const next = fetch(url + DELETE_ROOM, { method: "POST", headers: someone("a"), body: "{}" });
  await waitUntil("the next one is", () => kept.length >= 2 && kept.at(-1)?.res.writableEnded === false);
  kept.at(-1)?.res.end("{}");
  expect((await next).status).toBe(200);
});

test("a line has an end, and so has waiting in it", async () => {
  let fire = () => {};
  const clock = {
    now: systemClock.now,
    setTimer(_ms: number, run: () => void) {
      fire = run;
      return () => {};
    },
  };
  const lines = new CallerLines({ most: 8, clock });
  const here = () => new AbortController().signal;
  const a = { name: "a", kind: "one" } as const;
  const end = await lines.enter(a, here());
  const waiting = Array.from({ length: 1_024 }, () => lines.enter(a, here()));
  await expect(lines.enter(a, here())).rejects.toMatchObject({ code: "resource_exhausted" });
  fire();
  await expect(waiting.at(-1)).rejects.toMatchObject({ code: "resource_exhausted" });
  end();
  const endNext = await waiting[0];
  // All places taken by many, none by too many of one.
  const ends = await Promise.all(
    ["b", "c", "d", "e", "f", "g", "h"].map((name) => lines.enter({ name, kind: "one" }, here())),
  );
  const late = lines.enter({ name: "i", kind: "one" }, here());
  fire();
  await expect(late).rejects.toMatchObject({ code: "unavailable" });
  for (const one of [endNext, ...ends]) one?.();
  expect(await waiting[1]).toBeTypeOf("function");
});

test("an answer that nobody reads is cut, and its place is another's", async () => {
  let fire = () => {};
  const clock = {
    now: systemClock.now,
    setTimer(delayMs: number, run: () => void) {
      if (delayMs === 60_000) fire = run;
      return systemClock.setTimer(delayMs, run);
    },
  };
  let isCut = false;
  const big = await upstream((req, res) => {
    req.resume();
    // More than the sockets between them hold, so it has no other end.
    res.on("close", () => {
      isCut = true;
    });
    res.end(Buffer.alloc(64 * 1024 * 1024));
  });
  const { url } = await muster(big, { clock });
  const reader = slowSender(url + LIST_ROOMS, { headers: { ...authorized(), "content-length": "0" } });
  reader.socket.pause();
  await waitUntil("it comes to a stand", () => {
    fire();
    return isCut;
  });
});
