/** The live stream and the dead letters over HTTP: who may read them, resuming, slow listeners, heartbeats, ends. */

import { get, type IncomingMessage } from "node:http";
import { serveHttp } from "@muster/runtime/serve-http";
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { VideoGrant } from "@muster/wire/video-grant";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { authenticate } from "../src/auth.js";
import type { EventsTuning } from "../src/events/start-events.js";
import { asDispatchError } from "../src/failure.js";
import { newRoutes } from "../src/rest/context.js";
import { eventRoutes } from "../src/rest/events.js";
import { problemAnswer } from "../src/rest/problem.js";
import * as events from "./events-kit.js";
import * as kit from "./kit.js";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

interface StageOptions {
  project?: string;
  urls?: string[];
  tuning?: EventsTuning;
}

/** The routes of events alone, behind the same token check as in the api. */
async function stage({ project = events.freshProject(), urls = [], tuning = {} }: StageOptions = {}) {
  const redis = server.client();
  const process = events.runEvents({ redis, project, urls, tuning });
  const app = newRoutes();
  app.use("/v1/*", async (c, next) => {
    c.set("caller", { ...authenticate(c.req.raw, kit.keys, Date.now()), project });
    await next();
  });
  app.route("/", eventRoutes({ events: process.events }));
  app.onError((error) => problemAnswer(asDispatchError(error, kit.silent)));
  const port = await freePort();
  const http = await serveHttp({
    host: "127.0.0.1",
    port,
    fetch: (request) => app.fetch(request),
    log: kit.silent,
  });
  onTestFinished(async () => {
    await process.events.stop();
    await http.close();
  });
  const url = `http://127.0.0.1:${port}`;
  const call = (
    path: string,
    { method = "GET", video = { roomList: true } as Partial<VideoGrant>, headers = {} } = {},
  ) => fetch(url + path, { method, headers: { authorization: `Bearer ${kit.token(video)}`, ...headers } });
  return { redis, project, url, call, ...process, happen: events.happener(redis, `${project}:blue`) };
}

interface Line {
  id?: string;
  event?: string;
  data?: { job_id?: string; reason?: string; message?: string; event?: string };
}

/** What came so far of a stream, taken apart as its clients do. */
function listen(answer: Response) {
  const reader = (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  const heard = { lines: [] as Line[], comments: 0, hasEnded: false, stop: () => reader.cancel() };
  void (async () => {
    for (let text = ""; ; ) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: "" }));
      if (done) break;
      const parts = (text + value).split("\n\n");
      text = parts.pop() ?? "";
      for (const part of parts) take(part);
    }
    heard.hasEnded = true;
  })();
  function take(part: string): void {
    if (part.startsWith(":")) heard.comments += 1;
    const fields = Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
    if (fields.event !== undefined) heard.lines.push({ ...fields, data: JSON.parse(fields.data ?? "null") });
  }
  onTestFinished(() => heard.stop());
  return heard;
}

const names = ({ lines }: { lines: Line[] }) =>
  lines.map(({ event, data }) => `${data?.job_id} ${event?.replace("agent_job_", "")}`);

test("each listener gets what happens from now on, as far as it asked for it; heartbeats keep it open", async () => {
  const { call, happen, redis, project, counts } = await stage();
  await happen({ event: "agent_job_queued", job: "AJ_before" });
  const answer = await call("/v1/events");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const [all, ofNamespace, ofRoom] = await Promise.all([
    listen(answer),
    call("/v1/events?namespace=").then(listen),
    call("/v1/events?room=other", { video: { roomAdmin: true, room: "other" } }).then(listen),
  ]);
  expect(counts.listeners).toBe(3);
  await happen(
    { event: "agent_job_queued", job: "AJ_1" },
    { event: "agent_job_parked", job: "AJ_1", room: "other", position: 3 },
  );
  await events.happener(redis, project)({ event: "agent_job_queued", job: "AJ_default" });
  // Another project's.
  await events.happener(redis, events.freshProject())({ event: "agent_job_queued", job: "AJ_foreign" });
  await waitUntil("all heard", () => all.lines.length === 3 && ofNamespace.lines.length === 1);
  expect(names(all)).toEqual(["AJ_1 queued", "AJ_1 parked", "AJ_default queued"]);
  expect(names(ofNamespace)).toEqual(["AJ_default queued"]);
  expect(names(ofRoom)).toEqual(["AJ_1 parked"]);
  expect(all.lines[1]?.data).toMatchObject({ position: 3, room: "other", namespace: "blue", outcome: null });
  await waitUntil("hearts beat", () => all.comments > 2);
  await all.stop();
  await waitUntil("it is forgotten", () => counts.listeners === 2);
});

test("a listener resumes where it left off, also at another process", async () => {
  const { call, happen, project } = await stage();
  const other = await stage({ project });
  const first = listen(await call("/v1/events"));
  await happen(...events.lifeOf("AJ_1"));
  await waitUntil("it heard", () => first.lines.length === 4);
  const headers = { "last-event-id": first.lines[1]?.id ?? "" };
  await first.stop();
  await happen(...events.lifeOf("AJ_2"));
  const resumed = listen(await other.call("/v1/events", { headers }));
  await waitUntil("it caught up", () => resumed.lines.length === 6);
  await happen(...events.lifeOf("AJ_3"));
  await waitUntil("it goes on", () => resumed.lines.length === 10);
  expect(names(resumed)).toEqual(
    ["AJ_1 started", "AJ_1 ended"].concat(
      ["AJ_2", "AJ_3"].flatMap((job) =>
        ["queued", "offered", "started", "ended"].map((name) => `${job} ${name}`),
      ),
    ),
  );
  const ids = resumed.lines.map(({ id }) => id);
  expect(new Set(ids).size).toBe(10);
});

test("who caught up ahead of the others is not told again what the others are told then", async () => {
  const { call, happen } = await stage({ tuning: { live: { ...events.TUNING.live, lookEveryMs: 1_000 } } });
  const others = listen(await call("/v1/events"));
  await happen(...events.lifeOf("AJ_1"));
  const heard = listen(await call("/v1/events", { headers: { "last-event-id": "0-0" } }));
  await waitUntil("it caught up", () => heard.lines.length === 4);
  expect(others.lines).toEqual([]);
  await waitUntil("the others are told", () => others.lines.length === 4);
  await happen({ event: "agent_job_queued", job: "AJ_2" });
  await waitUntil("both are told", () => others.lines.length === 5 && names(heard).at(-1) === "AJ_2 queued");
  expect(heard.lines).toEqual(others.lines);
});

test("thousands of events while it catches up come each once, in order", async () => {
  const { call, happen } = await stage();
  const jobs = (from: number) =>
    Array.from({ length: 300 }, (_, index) => ({
      event: "agent_job_queued" as const,
      job: `AJ_${from + index}`,
    }));
  await happen(...jobs(0), ...jobs(300), ...jobs(600));
  const heard = listen(await call("/v1/events", { headers: { "last-event-id": "0-0" } }));
  for (let batch = 3; batch < 8; batch++) await happen(...jobs(batch * 300));
  await waitUntil("all came", () => heard.lines.length >= 2_400);
  expect(heard.lines.map(({ data }) => data?.job_id)).toEqual(
    Array.from({ length: 2_400 }, (_, index) => `AJ_${index}`),
  );
});

test("what is no longer kept is said", async () => {
  const { call, happen, redis, project } = await stage();
  await happen({ event: "agent_job_queued", job: "AJ_1" });
  await redis.xtrim(`muster:{events/${project}}:feed`, "MAXLEN", 0);
  await happen({ event: "agent_job_queued", job: "AJ_2" });
  const heard = listen(
    await call("/v1/events", { headers: { "last-event-id": `${Date.now() - 60_000}-0` } }),
  );
  await waitUntil("it heard", () => heard.lines.length === 2);
  expect(heard.lines[0]).toMatchObject({
    event: "gap",
    data: { message: expect.stringContaining("no longer kept") },
  });
  expect(names(heard)[1]).toBe("AJ_2 queued");
});

test("a listener that does not read is dropped, its last line says so, and the others go on", async () => {
  const { call, url, happen, counts } = await stage();
  const fast = listen(await call("/v1/events"));
  const slow = await new Promise<IncomingMessage>((resolve) => {
    get(
      `${url}/v1/events`,
      { headers: { authorization: `Bearer ${kit.token({ roomList: true })}` } },
      resolve,
    );
  });
  slow.pause();
  // What the operating system holds for it comes first.
  const error = "e".repeat(4_000);
  let count = 0;
  await waitUntil(
    "it is dropped",
    async () => {
      const batch = Array.from({ length: 200 }, () => ({
        event: "agent_job_ended" as const,
        job: `AJ_${count++}`,
        error,
      }));
      if (count < 6_000) await happen(...batch);
      return counts.dropped === 1;
    },
    { deadlineMs: 20_000 },
  );
  let text = "";
  slow.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  slow.resume();
  await waitUntil("it read all that was kept for it", () => slow.readableEnded, { deadlineMs: 10_000 });
  const last = text.trimEnd().split("\n\n").at(-1);
  expect(last).toMatch(/^event: closed\ndata: \{"reason":"too_slow","message":".*last-event-id"\}$/);
  const slowIds = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
  await waitUntil("the other has more", () => fast.lines.length > slowIds.length);
  expect(fast.lines.slice(0, slowIds.length).map(({ id }) => id)).toEqual(slowIds);
  expect(counts).toMatchObject({ dropped: 1, listeners: 1 });
}, 40_000);

test("bad requests name the field; too many listeners, and a process that stops, say so", async () => {
  const { call, events: running } = await stage();
  const refusal = async (path: string, init = {}) => {
    const answer = await call(path, init);
    return { status: answer.status, ...((await answer.json()) as object) };
  };
  expect(await refusal("/v1/events", { headers: { "last-event-id": "x" } })).toMatchObject({
    ...{ status: 400, field: "last-event-id" },
  });
  expect(await refusal("/v1/events?namespace=a:b")).toMatchObject({ status: 400, field: "namespace" });
  expect(await refusal("/v1/events?room=")).toMatchObject({ status: 400, field: "room" });
  expect(await refusal("/v1/events", { video: {} })).toMatchObject({ status: 403 });
  expect(await refusal("/v1/events", { video: { roomAdmin: true, room: "r" } })).toMatchObject({
    status: 403,
  });
  expect(await refusal("/v1/events?room=b", { video: { roomAdmin: true, room: "a" } })).toMatchObject({
    status: 403,
  });
  expect(await refusal("/v1/events", { headers: { authorization: "Bearer x" } })).toMatchObject({
    status: 401,
  });
  const of = (room: string) => ({ video: { roomList: true, room } });
  const rooms = ["a", "b", "c", "d", "e"];
  const open = await Promise.all(rooms.map((room) => call("/v1/events", of(room)).then(listen)));
  expect(await refusal("/v1/events", of("f"))).toMatchObject({ status: 503, code: "unavailable" });
  await running.stop();
  await waitUntil("all have ended", () => open.every(({ hasEnded }) => hasEnded));
  for (const { lines } of open)
    expect(lines.at(-1)).toMatchObject({ event: "closed", data: { reason: "stopping" } });
  expect(await refusal("/v1/events")).toMatchObject({ status: 503 });
});

test("one token cannot take all places: beyond its share its oldest stream ends, with a word", async () => {
  const live = { ...events.TUNING.live, eventStreamsPerToken: 3 };
  const { call, counts, happen } = await stage({ tuning: { live } });
  const of = (room: string) => ({ video: { roomList: true, room } });
  const other = listen(await call("/v1/events", of("other")));
  const greedy: ReturnType<typeof listen>[] = [];
  for (let count = 0; count < 10; count++) greedy.push(listen(await call("/v1/events", of("greedy"))));
  await waitUntil("the oldest have ended", () => greedy.slice(0, 7).every(({ hasEnded }) => hasEnded));
  for (const { lines } of greedy.slice(0, 7))
    expect(lines.at(-1)).toMatchObject({ event: "closed", data: { reason: "displaced" } });
  expect(counts).toMatchObject({ listeners: 4, displaced: 7, dropped: 0 });
  await happen({ event: "agent_job_queued", job: "AJ_1" });
  for (const { lines } of [other, ...greedy.slice(7)])
    await waitUntil("who stayed is told", () => lines.some(({ data }) => data?.job_id === "AJ_1"));
});

test("dead letters are listed and replayed over HTTP, by who may", async () => {
  const receiver = await events.startReceiver();
  receiver.answer = () => 500;
  const { call, happen, redis, events: running } = await stage({ urls: [receiver.url] });
  await events.untilHooksBegan(redis, running);
  await happen(
    { event: "agent_job_queued", job: "AJ_1", room: "a" },
    { event: "agent_job_queued", job: "AJ_2", room: "b" },
    { event: "agent_job_queued", job: "AJ_3", room: "b" },
  );
  const list = async (query = "") => {
    const answer = await (await call(`/v1/events/dead${query}`)).json();
    return (answer as { dead_letters: { id: string; event: { room: string } }[] }).dead_letters;
  };
  const letters = await waitUntil("all are dead", async () => {
    const listed = await list();
    return listed.length === 3 && listed;
  });
  expect(letters[0]).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{16}-EV_.*\.0$/),
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/hook\?…$/),
    reason: "answered 500",
    tries: 3,
    died_at_ms: expect.any(Number),
    event: expect.objectContaining({ event: "agent_job_queued", namespace: "blue" }),
  });
  expect(await list("?limit=2")).toHaveLength(2);
  const ofA = letters.find(({ event }) => event.room === "a")?.id ?? "";
  const replay = async (id: string, video: Partial<VideoGrant>) =>
    (await call(`/v1/events/dead/${id}/replay`, { method: "POST", video })).status;
  const replayAll = async (video: Partial<VideoGrant>) => {
    const answer = await call("/v1/events/dead/replay", { method: "POST", video });
    return { status: answer.status, body: await answer.json() };
  };
  expect((await call("/v1/events/dead?limit=0")).status).toBe(400);
  expect((await call("/v1/events/dead", { video: { roomAdmin: true, room: "a" } })).status).toBe(403);
  expect(await replay(ofA, { roomList: true })).toBe(403);
  expect(await replay(ofA, { roomAdmin: true, room: "b" })).toBe(403);
  expect(await replay("nothing", { roomAdmin: true })).toBe(404);
  expect((await replayAll({ roomAdmin: true, room: "a" })).status).toBe(403);
  receiver.answer = () => 200;
  const before = receiver.received.length;
  expect(await replay(ofA, { roomAdmin: true, room: "a" })).toBe(200);
  expect(await replay(ofA, { roomAdmin: true, room: "a" })).toBe(404);
  expect(await replayAll({ roomAdmin: true })).toEqual({ status: 200, body: { replayed: 2 } });
  await waitUntil("all came", () => receiver.received.length === before + 3);
  expect(await list()).toEqual([]);
});
