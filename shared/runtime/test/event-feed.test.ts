/** Events on their way from the outbox of a namespace to the feed of its project: each once, in order, whoever dies. */
import type { JobEvent } from "@muster/domain/job-event";
import { systemClock } from "@muster/runtime/clock";
import { EventFeed } from "@muster/runtime/events/event-feed";
import { feedKey } from "@muster/runtime/events/event-keys";
import { EventMover } from "@muster/runtime/events/event-mover";
import { ListenerBoard } from "@muster/runtime/events/listener-board";
import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import { compareStreamIds, isStreamId } from "@muster/runtime/events/stream-id";
import { countCommands } from "@muster/runtime/redis/command-count";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshNamespace, keptLog } from "./queue-kit.js";

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()]);
});

const outboxOf = (namespace: string) => `muster:{${namespace}}:events`;

/** As a script of the ledger writes one. */
async function write(redis: RedisClient, namespace: string, ...jobs: string[]): Promise<void> {
  for (const job of jobs) {
    await redis.xadd(outboxOf(namespace), "*", "event", "agent_job_queued", "job", job, "state", "queued");
  }
}

const moverOn = (redis: RedisClient, log = keptLog().log) => new EventMover({ redis, log });
const jobsIn = async (feed: EventFeed, cursor = "0-0") =>
  (await feed.after(cursor, 10_000)).map(({ event }) => event.job);

test("what is no event in a feed is passed over, and what an older version left out of one is empty", async () => {
  const redis = server.client();
  const project = freshNamespace();
  for (const text of ["{", '{"id":"EV_1","job":"AJ_1"}'])
    await redis.xadd(feedKey(project), "*", "event", text);
  const [entry, ...others] = await new EventFeed({ redis, project }).after("0-0", 10);
  expect(entry?.event).toMatchObject({ id: "EV_1", job: "AJ_1", worker: "", startedAtMs: 0 });
  expect(others).toEqual([]);
});

describe.each([
  ["one server", () => server],
  ["a cluster of three", () => cluster],
] as [string, () => RedisServer | RedisCluster][])("events on %s", (_where, redisOf) => {
  test("are moved once, in order, and leave the outbox empty", async () => {
    const redis = redisOf().client();
    const project = freshNamespace();
    const feed = new EventFeed({ redis, project });
    const [blue, red] = [`${project}:blue`, `${project}:red`];
    await write(redis, blue, ...Array.from({ length: 600 }, (_, index) => `AJ_${index}`));
    await write(redis, red, "AJ_red");
    expect(await moverOn(redis).move(blue)).toBe(600);
    expect(await moverOn(redis).move(blue)).toBe(0);
    expect(await moverOn(redis).move(red)).toBe(1);
    expect(await jobsIn(feed)).toEqual([
      ...Array.from({ length: 600 }, (_, index) => `AJ_${index}`),
      "AJ_red",
    ]);
    expect(await redis.xlen(outboxOf(blue))).toBe(0);
    expect(await jobsIn(feed, await feed.end())).toEqual([]);
    await write(redis, blue, "AJ_later");
    await moverOn(redis).move(blue);
    expect((await jobsIn(feed)).at(-1)).toBe("AJ_later");
  });

  test("two movers at once move each event once", async () => {
    const project = freshNamespace();
    const [one, other, writer] = [redisOf().client(), redisOf().client(), redisOf().client()];
    const moves: Promise<number>[] = [];
    for (let index = 0; index < 200; index++) {
      await write(writer, project, `AJ_${index}`);
      moves.push(moverOn(one).move(project), moverOn(other).move(project));
    }
    await Promise.all(moves);
    await moverOn(one).move(project);
    expect(await jobsIn(new EventFeed({ redis: one, project }))).toEqual(
      Array.from({ length: 200 }, (_, index) => `AJ_${index}`),
    );
  });
});

test("a mover that died before it emptied the outbox leaves nothing that is moved twice", async () => {
  const redis = server.client();
  const project = freshNamespace();
  await write(redis, project, "AJ_1", "AJ_2");
  const kept = await redis.dumpBuffer(outboxOf(project));
  await moverOn(redis).move(project);
  await redis.restore(outboxOf(project), 0, kept ?? "", "REPLACE");
  await write(redis, project, "AJ_3");
  expect(await moverOn(redis).move(project)).toBe(1);
  const entries = await new EventFeed({ redis, project }).after("0-0", 10);
  expect(entries.map(({ event }) => event.job)).toEqual(["AJ_1", "AJ_2", "AJ_3"]);
  expect(new Set(entries.map(({ event }) => event.id)).size).toBe(3);
});

test("what is no event is dropped and said, and holds up nothing", async () => {
  const redis = server.client();
  const project = freshNamespace();
  await write(redis, project, "AJ_1");
  await redis.xadd(outboxOf(project), "*", "event", "agent_job_danced", "job", "AJ_2", "state", "queued");
  await write(redis, project, "AJ_3");
  const { log, lines } = keptLog();
  expect(await moverOn(redis, log).move(project)).toBe(2);
  expect(await jobsIn(new EventFeed({ redis, project }))).toEqual(["AJ_1", "AJ_3"]);
  expect(lines).toEqual([expect.objectContaining({ level: "warn" })]);
});

test("moving costs three commands a batch, and one when there is nothing", async () => {
  const redis = server.client();
  const project = freshNamespace();
  await write(redis, project, "AJ_0");
  await moverOn(redis).move(project);
  await write(redis, project, "AJ_1", "AJ_2");
  const commands = countCommands(redis);
  await moverOn(redis).move(project);
  expect(commands.total()).toBe(3);
  await moverOn(redis).move(project);
  expect(commands.total()).toBe(4);
});

test("the newest are kept, and a cursor that fell off is known", async () => {
  const redis = server.client();
  const project = freshNamespace();
  const feed = new EventFeed({ redis, project, keeps: 200 });
  expect(await feed.end()).toBe("0-0");
  expect(await feed.hasLost("1-0")).toBe(false);
  const event = { job: "AJ_x" } as JobEvent;
  await feed.append(project, [{ outboxId: "1-0", event }]);
  const cursor = await feed.end();
  expect(await feed.hasLost(cursor)).toBe(false);
  await feed.append(
    project,
    Array.from({ length: 1_000 }, (_, index) => ({ outboxId: `1-${index + 1}`, event })),
  );
  expect(await feed.hasLost(cursor)).toBe(true);
  expect(await feed.hasLost("0-0")).toBe(false);
  expect((await feed.after("0-0", 2_000)).length).toBeGreaterThanOrEqual(200);
  expect((await feed.after("0-0", 2_000)).length).toBeLessThanOrEqual(310);
});

test("an entry of the outbox is an event with all that the script wrote; its id follows from where it stood", () => {
  const fields = {
    ...{ event: "agent_job_migrated", at: "1700000000123", job: "AJ_1", order: "AD_1", type: "publisher" },
    ...{ pool: "publisher/my%2Fagent/canary", room: "r", room_sid: "RM_1", state: "running", outcome: "" },
    ...{ reason: "", error: "", session: "AW_2", from: "AW_1", agent_identity: "agent-1", wire: "AJ_1.2" },
    ...{ epoch: "3", attempts: "1", position: "2", estimated_wait: "900", held: "1" },
    ...{ from_pool: "publisher/an%2Fother/", started_at: "1700000000000", ended_at: "" },
  };
  const flat = Object.entries(fields).flat();
  const event = jobEventOf("default:blue", "5-1", flat);
  expect(event).toEqual({
    ...{
      id: expect.stringMatching(/^EV_[A-Za-z0-9_-]{22}$/),
      event: "agent_job_migrated",
      atMs: 1700000000123,
    },
    ...{ namespace: "default:blue", job: "AJ_1", order: "AD_1", type: "publisher", agentName: "my/agent" },
    ...{
      deployment: "canary",
      room: "r",
      roomSid: "RM_1",
      state: "running",
      outcome: "",
      reason: "",
      error: "",
    },
    ...{
      worker: "AW_2",
      fromWorker: "AW_1",
      agentIdentity: "agent-1",
      wire: "AJ_1.2",
      epoch: 3,
      attempts: 1,
    },
    ...{ fromAgentName: "an/other", fromDeployment: "", position: 2, estimatedWaitMs: 900, held: true },
    ...{ startedAtMs: 1700000000000, endedAtMs: 0 },
  });
  expect(jobEventOf("default:blue", "5-1", flat)?.id).toBe(event?.id);
  expect(jobEventOf("default:blue", "5-2", flat)?.id).not.toBe(event?.id);
  expect(jobEventOf("default:red", "5-1", flat)?.id).not.toBe(event?.id);
  expect(jobEventOf("default", "5-1", ["event", "agent_job_queued", "state", "queued"])).toBeUndefined();
});

test("the board knows who listens, is not asked more than once a second, and forgets", async () => {
  const redis = server.client();
  const project = freshNamespace();
  let nowMs = 0;
  const board = new ListenerBoard({ redis, clock: { ...systemClock, now: () => nowMs } });
  expect(await board.isListened(project)).toBe(false);
  await board.keep(project, 60_000);
  await board.keep(project, 100); // shortens nothing
  const commands = countCommands(redis);
  expect(await board.isListened(project)).toBe(false);
  nowMs += 1_000;
  expect(await Promise.all([board.isListened(project), board.isListened(project)])).toEqual([true, true]);
  expect(commands.total()).toBe(1);
  const other = freshNamespace();
  await board.keep(other, 50);
  await waitUntil("it is forgotten", async () => {
    nowMs += 1_000;
    return !(await board.isListened(other));
  });
  expect(await board.isListened(project)).toBe(true);
});

test("cursors are compared by number, not by letter", () => {
  expect(compareStreamIds("9-0", "10-0")).toBeLessThan(0);
  expect(compareStreamIds("10-9", "10-10")).toBeLessThan(0);
  expect(compareStreamIds("10-1", "10-1")).toBe(0);
  expect(["1-0", "1700000000000-12"].every(isStreamId)).toBe(true);
  expect(["", "1", "-", "1-", "+", "$", "1-2-3", "1-0x"].some(isStreamId)).toBe(false);
});
