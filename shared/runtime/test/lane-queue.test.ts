/** Lanes are done in order, each for itself, at least once; what fails is tried again, then kept as a dead letter. */

import { systemClock } from "@muster/runtime/clock";
import { createLaneHub } from "@muster/runtime/queue/lane-hub";
import { Lanes } from "@muster/runtime/queue/lanes";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filler, freshName, item, POLICY, TIMING, testLaneHub } from "./lane-kit.js";
import { keptLog } from "./queue-kit.js";

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()]);
});

const nobodyDies = (reason: string) => {
  throw new Error(`a dead letter: ${reason}`);
};
const ofLane = (texts: readonly string[], lane: string) =>
  texts.filter((text) => text.startsWith(`${lane}:`));
const numbered = (lane: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${lane}:${index}`);

describe.each([
  ["one server", () => server],
  ["a cluster of three", () => cluster],
] as [string, () => RedisServer | RedisCluster][])("lanes on %s", (_where, redisOf) => {
  test("items are done once, in order within a lane, and lanes side by side", async () => {
    const done: string[] = [];
    let [running, most] = [0, 0];
    const queue = testLaneHub(redisOf().client()).open(
      freshName(),
      async (payload) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        done.push(payload);
      },
      nobodyDies,
    );
    const fill = filler(queue);
    const lanes = ["A", "B", "C", "D", "E"];
    // More than one run's worth, and filled while runs are under way.
    for (let batch = 0; batch < 10; batch++) {
      await fill(...lanes.flatMap((lane) => numbered(lane, 10).map((_, i) => `${lane}:${batch * 10 + i}`)));
    }
    await waitUntil("all are done", () => done.length >= 500);
    for (const lane of lanes) expect(ofLane(done, lane)).toEqual(numbered(lane, 100));
    expect(most).toBeGreaterThan(1);
    expect(done).toHaveLength(500);
    const turn = await queue.lanes.turn("filler", 1_000);
    expect(turn).toEqual({ status: "held", cursor: "500", pending: 0, unqueued: [] });
  });

  test("what fails is tried again in its own lane, before what stands behind it; the others go on", async () => {
    const tried: string[] = [];
    const queue = testLaneHub(redisOf().client()).open(
      freshName(),
      async (payload) => {
        tried.push(payload);
        if (payload === "A:1" && tried.filter((text) => text === payload).length < 3)
          throw new Error("not now");
      },
      nobodyDies,
    );
    await filler(queue)("A:0", "A:1", "A:2", "B:0", "B:1");
    await waitUntil("all are done", () => tried.length === 7);
    expect(ofLane(tried, "A")).toEqual(["A:0", "A:1", "A:1", "A:1", "A:2"]);
    expect(tried.indexOf("B:1")).toBeLessThan(tried.lastIndexOf("A:1"));
  });

  test("after its last try an item is a dead letter, its lane goes on, and it can be replayed", async () => {
    const tried: string[] = [];
    const reasons: string[] = [];
    let isBroken = true;
    const queue = testLaneHub(redisOf().client()).open(
      freshName(),
      async (payload) => {
        tried.push(payload);
        if (payload === "A:0" && isBroken) throw new Error("answered 500");
      },
      (reason) => reasons.push(reason),
    );
    const fill = filler(queue);
    await fill("A:0", "A:1");
    await waitUntil("the lane went on", () => tried.includes("A:1"));
    expect(tried).toEqual(["A:0", "A:0", "A:0", "A:1"]);
    expect(reasons).toEqual(["answered 500"]);
    const [dead] = await queue.lanes.dead(10);
    expect(dead).toEqual({
      ...{ lane: "A", key: "A-0.0", payload: "A:0", reason: "answered 500", tries: 3 },
      diedAtMs: expect.any(Number),
    });
    expect(await queue.lanes.findDead("A-0.0")).toEqual(dead);
    isBroken = false;
    expect(await queue.lanes.replay("A-0.0")).toBe(true);
    expect(await queue.lanes.replay("A-0.0")).toBe(false);
    await fill("B:0"); // any turn sees to it
    await waitUntil("it is done", () => tried.filter((text) => text === "A:0").length === 4);
    expect(await queue.lanes.dead(10)).toEqual([]);
    await waitUntil("nothing is left", async () => {
      const turn = await queue.lanes.turn("filler", 1_000);
      return turn.status === "held" && turn.pending === 0;
    });
  });

  test("of dead letters the newest are kept", async () => {
    const queue = testLaneHub(redisOf().client(), { policy: { ...POLICY, mostTries: 1 } }).open(
      freshName(),
      () => Promise.reject(new Error("no")),
      () => undefined,
    );
    await filler(queue)(...numbered("A", 8));
    await waitUntil("all but five are forgotten", async () => {
      const dead = await queue.lanes.dead(100);
      return dead.length === 5 && dead[0]?.payload === "A:7";
    });
    expect((await queue.lanes.dead(2)).map(({ payload }) => payload)).toEqual(["A:7", "A:6"]);
    expect(await queue.lanes.findDead("A-0.0")).toBeUndefined();
  });

  test("what a process held when it died is done by another, and nothing behind it is lost or out of order", async () => {
    const name = freshName();
    const dying = redisOf().client();
    const held: string[] = [];
    // Never closed: the dead close nothing.
    const dead = createLaneHub({
      ...{
        redis: dying,
        clock: systemClock,
        random: () => 1,
        log: keptLog().log,
        policy: POLICY,
        timing: TIMING,
      },
    }).open(
      name,
      async (payload) => {
        held.push(payload);
        if (payload === "A:1") await new Promise(() => {});
      },
      nobodyDies,
    );
    await filler(dead)("A:0", "A:1", "A:2", "B:0");
    const lanes = new Lanes({ redis: redisOf().client(), name });
    await waitUntil("it is held, and the others are noted as done", async () => {
      const turn = await lanes.turn("filler", 1_000);
      return held.includes("A:1") && turn.status === "held" && turn.pending === 2;
    });
    dying.disconnect();
    const done: string[] = [];
    testLaneHub(redisOf().client()).open(name, async (payload) => void done.push(payload), nobodyDies);
    await waitUntil("another did the rest", () => done.length >= 2, { deadlineMs: 8_000 });
    // A:1 may have been done; nobody knows. What was noted as done is not done again.
    expect(done).toEqual(["A:1", "A:2"]);
  });

  test("a slow item is left with who does it, for longer than the lock", async () => {
    const name = freshName();
    const starts: string[] = [];
    let finish = () => {};
    const slow = async (payload: string) => {
      starts.push(payload);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const first = testLaneHub(redisOf().client()).open(name, slow, nobodyDies);
    testLaneHub(redisOf().client()).open(name, slow, nobodyDies);
    await filler(first)("A:0");
    const from = performance.now();
    await waitUntil("three times the lock has passed", () => performance.now() - from > 1_200, {
      invariant: () => expect(starts.length).toBeLessThanOrEqual(1),
    });
    finish();
    expect(starts).toEqual(["A:0"]);
  });
});

test("two processes share the work and do nothing twice", async () => {
  const name = freshName();
  const done: string[] = [];
  const handler = async (payload: string) => void done.push(payload);
  const first = testLaneHub(server.client()).open(name, handler, nobodyDies);
  testLaneHub(server.client()).open(name, handler, nobodyDies);
  const fill = filler(first);
  for (let batch = 0; batch < 20; batch++) {
    await fill(...Array.from({ length: 20 }, (_, lane) => `L${lane}:${batch}`));
  }
  await waitUntil("all are done", () => done.length >= 400);
  for (let lane = 0; lane < 20; lane++) expect(ofLane(done, `L${lane}`)).toEqual(numbered(`L${lane}`, 20));
});

test("a lane that was filled by somebody who died before giving it its entry is found in the next turn", async () => {
  const name = freshName();
  const lanes = new Lanes({ redis: server.client(), name });
  expect(await lanes.turn("one", 50)).toMatchObject({ status: "held", cursor: "" });
  expect(await lanes.turn("other", 50)).toEqual({ status: "other" });
  await lanes.takeIn("one", "", "1", [item("A:0")]);
  // Again, as after a lost answer; and by one who has not the turn, or knows another cursor.
  expect(await lanes.takeIn("one", "", "1", [item("A:0")])).toEqual({ status: "lost" });
  expect(await lanes.takeIn("other", "1", "2", [item("A:1")])).toEqual({ status: "lost" });
  const done: string[] = [];
  const queue = testLaneHub(server.client()).open(
    name,
    async (payload) => void done.push(payload),
    nobodyDies,
  );
  const turn = await waitUntil("the turn of the dead ends", async () => {
    const asked = await lanes.turn("other", 1_000);
    return asked.status === "held" && asked;
  });
  expect(turn).toEqual({
    ...{ status: "held", cursor: "1", pending: 1, unqueued: [{ lane: "A", key: "A-0.0" }] },
  });
  await queue.queue(turn.unqueued);
  await waitUntil("it is done", () => done.length === 1);
  expect(done).toEqual(["A:0"]);
});

test("a lane that ran empty and was filled anew before its first entry was noted still wants one", async () => {
  const lanes = new Lanes({ redis: server.client(), name: freshName() });
  await lanes.turn("one", 1_000);
  const taken = await lanes.takeIn("one", "", "1", [item("A:0")]);
  const run = { lane: "A", token: "A-0.0#1" };
  await lanes.begin(run, "A-0.0");
  await lanes.done(run, "A-0.0");
  await lanes.takeIn("one", "1", "2", [item("A:1")]);
  await lanes.noteQueued(taken.status === "taken" ? taken.unqueued : []);
  expect(await lanes.turn("one", 1_000)).toMatchObject({ unqueued: [{ lane: "A", key: "A-1.0" }] });
});

test("a run that was taken for dead can no longer say what became of an item", async () => {
  const lanes = new Lanes({ redis: server.client(), name: freshName() });
  await lanes.turn("one", 1_000);
  await lanes.takeIn("one", "", "1", [item("A:0"), item("A:1"), item("A:2")]);
  const [early, late] = [
    { lane: "A", token: "A-0.0#1" },
    { lane: "A", token: "A-0.0#2" },
  ];
  const failing = { reason: "no", mostTries: 1, mostDead: 5 };
  expect(await lanes.begin(early, "A-0.0")).toEqual({ status: "yours", payload: "A:0" });
  expect(await lanes.begin(late, "A-0.0")).toEqual({ status: "yours", payload: "A:0" });
  expect(await lanes.done(early, "A-0.0")).toEqual({ status: "superseded" });
  expect(await lanes.failed(early, "A-0.0", failing)).toEqual({ status: "superseded" });
  // Said twice, as after a lost answer, it is noted once.
  for (const _time of [1, 2]) {
    expect(await lanes.done(late, "A-0.0")).toEqual({ status: "next", key: "A-1.0", payload: "A:1" });
  }
  for (const _time of [1, 2]) {
    expect(await lanes.failed(late, "A-1.0", failing)).toEqual({ status: "dead", next: "A-2.0" });
  }
  expect(await lanes.begin(early, "A-0.0")).toEqual({ status: "other", key: "A-2.0" });
  expect(await lanes.done(late, "A-2.0")).toEqual({ status: "empty" });
  expect(await lanes.begin(late, "A-2.0")).toEqual({ status: "empty" });
  expect(await lanes.dead(5)).toHaveLength(1);
  expect(await lanes.turn("one", 1_000)).toMatchObject({ pending: 0 });
});

test("queues need no connection of their own, and an idle one asks for little", async () => {
  const redis = server.client();
  const control = server.client();
  const clients = async () =>
    String(await control.client("LIST"))
      .trim()
      .split("\n").length;
  await redis.ping();
  const before = await clients();
  const hub = testLaneHub(redis, { timing: { lockMs: 10_000, sweepMs: 5_000, pollMs: 500 } });
  const done: string[] = [];
  for (let index = 0; index < 20; index++) {
    const queue = hub.open(freshName(), async (payload) => void done.push(payload), nobodyDies);
    await filler(queue)(`A:${index}`);
  }
  await waitUntil("all are done", () => done.length === 20);
  expect(await clients()).toBe(before);
  const commands = countCommands(redis);
  const from = performance.now();
  await waitUntil("a second has passed", () => performance.now() - from > 1_000);
  expect(commands.total()).toBeLessThanOrEqual(20 * 4);
});
