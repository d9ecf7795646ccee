/** Webhooks out: signed, in order per job, at least once, whatever receivers and our own processes do. */

import { systemClock } from "@muster/runtime/clock";
import { EventFeed } from "@muster/runtime/events/event-feed";
import { ListenerBoard } from "@muster/runtime/events/listener-board";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { encodeParticipant, encodeRoom } from "@muster/wire/job-message";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventsTuning } from "../src/events/start-events.js";
import * as kit from "./events-kit.js";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const IN_ORDER = ["queued", "offered", "started", "ended"];

async function stage(options: { urls?: string[]; tuning?: EventsTuning } = {}) {
  const redis = server.client();
  const project = kit.freshProject();
  const receiver = await kit.startReceiver();
  const run = (client = redis) =>
    kit.runEvents({
      redis: client,
      project,
      urls: [receiver.url, ...(options.urls ?? [])],
      tuning: options.tuning ?? {},
    });
  const process = run();
  await kit.untilHooksBegan(redis, process.events);
  return { redis, project, receiver, run, ...process, happen: kit.happener(redis, `${project}:blue`) };
}

test("events of a job arrive in order, signed, once, with what the ledger knows of the job", async () => {
  const { redis, project, receiver, happen, counts } = await stage();
  await redis.hset(`muster:{${project}:blue}:job:AJ_1`, {
    room_info: Buffer.from(encodeRoom({ sid: "RM_1", name: "r", metadata: "of the room" })).toString(
      "base64",
    ),
    participant_info: Buffer.from(encodeParticipant({ sid: "PA_1", identity: "ada" })).toString("base64"),
  });
  await happen(...kit.lifeOf("AJ_1"));
  await waitUntil("all came", () => receiver.received.length >= 4);
  await waitUntil("all are noted", () => counts.delivered === 4);
  expect(receiver.names()).toEqual(IN_ORDER);
  expect(receiver.received[0]).toMatchObject({
    room: { sid: "RM_1", metadata: "of the room" },
    job: { id: "AJ_1", agentName: "greeter", namespace: "blue", participant: { identity: "ada" } },
  });
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(4);
  expect(receiver.headers[0]).toMatchObject({ "content-type": "application/webhook+json" });
  expect(counts).toMatchObject({ delivered: 4, failed: 0 });
});

test("one event that is refused is tried again before what follows in its job; other jobs do not wait", async () => {
  const { receiver, happen } = await stage();
  receiver.answer = (event, tries) =>
    event.job?.id === "AJ_1" && event.event.endsWith("offered") && tries < 3 ? 500 : 200;
  await happen(...kit.lifeOf("AJ_1"), ...kit.lifeOf("AJ_2"));
  await waitUntil("both are through", () => receiver.received.length >= 10);
  expect(receiver.names("AJ_1")).toEqual(["queued", "offered", "offered", "offered", "started", "ended"]);
  expect(receiver.names("AJ_2")).toEqual(IN_ORDER);
  const order = receiver.received.map(({ event, job }) => `${job?.id} ${event}`);
  expect(order.indexOf("AJ_2 agent_job_ended")).toBeLessThan(order.lastIndexOf("AJ_1 agent_job_offered"));
});

test("under a receiver that fails at random, with many jobs, each job's events first come in order", async () => {
  const { receiver, happen } = await stage({ tuning: { lanes: { ...kit.TUNING.lanes, mostTries: 10 } } });
  let calls = 0;
  receiver.answer = () => (++calls % 3 === 0 ? 503 : 200);
  const jobs = Array.from({ length: 20 }, (_, index) => `AJ_${index}`);
  for (const event of kit.LIFE) await happen(...jobs.map((job) => ({ event, job })));
  await waitUntil("all ended", () => jobs.every((job) => receiver.names(job).includes("ended")), {
    deadlineMs: 15_000,
  });
  for (const job of jobs) expect([...new Set(receiver.names(job))]).toEqual(IN_ORDER);
  // Whatever was refused came again before the next one: equal names stand together.
  for (const job of jobs) {
    const changes = receiver.names(job).filter((name, index, all) => name !== all[index - 1]);
    expect(changes).toEqual(IN_ORDER);
  }
});

test("redirects are not followed, silence has its time, and an answer without end is not read", async () => {
  const elsewhere = await kit.startReceiver();
  const { receiver, happen, events, project } = await stage();
  let written = 0;
  receiver.answer = (event) => {
    if (event.job?.id === "AJ_redirect")
      return (res) => res.writeHead(307, { location: elsewhere.url }).end();
    if (event.job?.id === "AJ_silent") return "hang";
    return (res) => {
      const pour = () => {
        while (!res.destroyed && res.write(Buffer.alloc(16_384))) written += 16_384;
        if (!res.destroyed) res.once("drain", pour);
      };
      pour();
    };
  };
  const event = "agent_job_queued";
  await happen({ event, job: "AJ_redirect" }, { event, job: "AJ_silent" }, { event, job: "AJ_endless" });
  const dead = await waitUntil("two are dead", async () => {
    const letters = await events.deadLetters.list(project, 10);
    return letters.length === 2 && letters;
  });
  expect(Object.fromEntries(dead.map((letter) => [letter.event.job, letter.reason]))).toEqual({
    AJ_redirect: "answered 307; redirects are not followed",
    AJ_silent: "no answer within 400 ms",
  });
  expect(elsewhere.received).toEqual([]);
  // Its status was 200, and then it was cut off: what is in flight on loopback, and no more.
  expect(receiver.names("AJ_endless")).toEqual(["queued"]);
  expect(written).toBeLessThan(32 * 1024 * 1024);
});

test("after its last try an event is a dead letter; it, or all, can be delivered again", async () => {
  const { receiver, happen, events, project, counts } = await stage();
  receiver.answer = ({ event }) => (event.endsWith("queued") ? 410 : 200);
  await happen(...kit.lifeOf("AJ_1"), ...kit.lifeOf("AJ_2"));
  await waitUntil("the others came", () => receiver.names().filter((name) => name === "ended").length === 2);
  const letters = await events.deadLetters.list(project, 10);
  expect(letters).toHaveLength(2);
  expect(counts.died).toBe(2);
  for (const letter of letters) {
    expect(letter).toMatchObject({ reason: "answered 410", tries: 3, event: { event: "agent_job_queued" } });
    expect(letter.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/hook\?…$/);
  }
  // Another project has none of them, under no id.
  const [{ id } = { id: "" }] = letters;
  expect(await events.deadLetters.list("another", 10)).toEqual([]);
  await expect(events.deadLetters.replay("another", id)).rejects.toMatchObject({ code: "not_found" });
  await expect(events.deadLetters.replay(project, `${id}1`)).rejects.toMatchObject({ code: "not_found" });

  receiver.answer = () => 200;
  const before = receiver.received.length;
  await events.deadLetters.replay(project, id);
  await waitUntil("it came", () => receiver.received.length === before + 1);
  expect(receiver.received.at(-1)?.id).toBe(letters[0]?.event.id);
  expect(await events.deadLetters.replayAll(project)).toBe(1);
  await waitUntil("the other came", () => receiver.received.length === before + 2);
  expect(await events.deadLetters.list(project, 10)).toEqual([]);
});

test("a dead letter that dies again is one again, and can be replayed again", async () => {
  const { receiver, happen, events, project } = await stage();
  receiver.answer = () => 500;
  await happen({ event: "agent_job_queued", job: "AJ_1" });
  for (const [life, tries] of [3, 6, 9].entries()) {
    const [letter] = await waitUntil("it is dead", async () => {
      const letters = await events.deadLetters.list(project, 10);
      return letters.length === 1 && letters;
    });
    expect(letter?.id.endsWith(`.${life}`)).toBe(true);
    expect(receiver.received).toHaveLength(tries);
    await events.deadLetters.replay(project, letter?.id ?? "");
  }
});

test("a receiver that hangs, or is not there, does not slow another", async () => {
  const bad = await kit.startReceiver();
  bad.answer = () => "hang";
  const { receiver, happen } = await stage({ urls: [bad.url, "http://127.0.0.1:9/nobody"] });
  const jobs = Array.from({ length: 50 }, (_, index) => `AJ_${index}`);
  const startedAt = performance.now();
  await happen(...jobs.flatMap(kit.lifeOf));
  await waitUntil("all came", () => receiver.received.length === 200);
  // The bad one takes 400 ms for 8 tries: 10 s for one of each.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(bad.received.length).toBeLessThan(100);
});

test("a process that dies between POST and note: another delivers it again, and what is behind it in order", async () => {
  const { receiver, happen, run, redis, events: first } = await stage();
  await first.stop();
  const dying = server.client();
  run(dying);
  receiver.answer = (event) => (event.event.endsWith("offered") ? "hang" : 200);
  await happen(...kit.lifeOf("AJ_1"));
  await waitUntil("it was posted", () => receiver.names().includes("offered"));
  dying.disconnect(); // from here on it can note nothing, nor renew anything
  receiver.answer = () => 200;
  run(server.client());
  await waitUntil("the rest came", () => receiver.names().includes("ended"), { deadlineMs: 10_000 });
  expect(receiver.names()).toEqual(["queued", "offered", "offered", "started", "ended"]);
  expect(receiver.received[1]?.id).toBe(receiver.received[2]?.id);
  const [hook] = first.hooks;
  await waitUntil(
    "nothing is left",
    async () => (await redis.hget(`muster:{hook/${hook?.id}}:state`, "pending")) === "0",
  );
});

test("two processes do not deliver twice; when one stops, or dies, the other has the turn", async () => {
  const { receiver, happen, run, events: first } = await stage();
  const dying = server.client();
  run(dying);
  const jobs = Array.from({ length: 25 }, (_, index) => `AJ_${index}`);
  await happen(...jobs.flatMap(kit.lifeOf));
  await waitUntil("all came", () => receiver.received.length >= 100);
  await first.stop();
  await happen(...kit.lifeOf("AJ_second"));
  await waitUntil("all came", () => receiver.received.length >= 104);
  run(server.client());
  dying.disconnect();
  await happen(...kit.lifeOf("AJ_third"));
  await waitUntil("all came", () => receiver.received.length >= 108, { deadlineMs: 10_000 });
  const from = performance.now();
  await waitUntil("a second delivery would have come", () => performance.now() - from > 300, {
    invariant: () => expect(receiver.received).toHaveLength(108),
  });
  for (const job of [...jobs, "AJ_second", "AJ_third"]) expect(receiver.names(job)).toEqual(IN_ORDER);
});

test("a new hook is told of what is to come; one that comes back, of what it missed", async () => {
  const redis = server.client();
  const project = kit.freshProject();
  const happen = kit.happener(redis, project);
  await happen(...kit.lifeOf("AJ_before"));
  const receiver = await kit.startReceiver();
  const first = kit.runEvents({ redis, project, urls: [receiver.url] });
  await kit.untilHooksBegan(redis, first.events);
  const board = new ListenerBoard({ redis, clock: systemClock });
  expect(await board.isListened(project)).toBe(true);
  expect(await board.isListened(kit.freshProject())).toBe(false);
  await first.events.stop();
  await happen(...kit.lifeOf("AJ_meanwhile"));
  kit.runEvents({ redis, project, urls: [receiver.url] });
  await waitUntil("it came", () => receiver.received.length >= 4);
  expect(receiver.names("AJ_meanwhile")).toEqual(IN_ORDER);
  expect(receiver.names("AJ_before")).toEqual([]);
});

test("a hook that was away for longer than events are kept gets the newest, and that is counted", async () => {
  const redis = server.client();
  const project = kit.freshProject();
  const receiver = await kit.startReceiver();
  const first = kit.runEvents({ redis, project, urls: [receiver.url] });
  await kit.untilHooksBegan(redis, first.events);
  await kit.happener(redis, project)({ event: "agent_job_queued", job: "AJ_first" });
  await waitUntil("it came", () => receiver.received.length === 1);
  await first.events.stop();
  const small = new EventFeed({ redis, project, keeps: 300 });
  const [entry] = await small.after("0-0", 1);
  if (entry === undefined) throw new Error("the feed is empty");
  for (let batch = 0; batch < 10; batch++) {
    const events = Array.from({ length: 100 }, (_, index) => {
      const count = batch * 100 + index;
      return {
        outboxId: `9999999999999-${count}`,
        event: { ...entry.event, id: `EV_${count}`, job: `AJ_${count}` },
      };
    });
    await small.append(project, events);
  }
  const second = kit.runEvents({ redis, project, urls: [receiver.url] });
  await waitUntil("the newest came", () => receiver.received.some(({ id }) => id === "EV_999"));
  expect(second.counts.missed).toBeGreaterThan(0);
  expect(receiver.received.some(({ id }) => id === "EV_10")).toBe(false);
});

test("an idle hook asks Redis for little", async () => {
  const { redis } = await stage({ tuning: { pump: { lookEveryMs: 200, turnMs: 3_000 } } });
  const commands = countCommands(redis);
  const from = performance.now();
  await waitUntil("two seconds have passed", () => performance.now() - from > 2_000);
  expect(commands.total()).toBeLessThanOrEqual(2 * (2 * 5 + 10 + 5));
});
