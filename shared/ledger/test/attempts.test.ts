/** What is kept of the attempts to place a job: who was looked at, how each ended, when, and how much of it at most. */
import { expect, test } from "vitest";
import type { Attempt } from "../src/attempts.js";
import { onEachRedis } from "./on-each-redis.js";
import {
  fallback,
  GRACE_MS,
  newJob,
  OFFER_MS,
  RETAIN_MS,
  type Scene,
  SECOND_POOL,
  START_MS,
  STEPS,
} from "./scene.js";

const chosen = (session: string, load = 0) => ({ session, load, verdict: "chosen" });
const excluded = (session: string, load = 0) => ({ session, load, verdict: "excluded" });

/** What became of each, in order. */
const fates = (attempts: readonly Attempt[]) =>
  attempts.map(({ how, outcome, session }) => [how, outcome, session]);

const attemptsOf = async (s: Scene, job = "AJ_1") => (await s.explain(job)).attempts;

onEachRedis("attempts", (scene) => {
  test("one that is taken at once: who was looked at, and when it was asked, accepted, seen, ended", async () => {
    const s = scene();
    await s.worker("AW_1", 0.25);
    await s.worker("AW_2", 0.5);
    await s.order("AD_1");
    expect(await s.explain("AJ_1")).toEqual({ attempts: [], leftOut: 0 });
    s.pass(3);
    const askedAtMs = s.nowMs;
    const reply = await s.admit("AJ_1");
    if (reply.status !== "offered") throw new Error(reply.status);
    const offered = {
      ...{ number: 1, how: "offered", outcome: "offered", step: 0, session: "AW_1", epoch: 1 },
      ...{ considered: [chosen("AW_1", 0.25)], consideredLeftOut: 0, beganAtMs: askedAtMs },
      ...{ startedAtMs: 0, runningAtMs: 0, lostAtMs: 0, endedAtMs: 0 },
    };
    expect(await attemptsOf(s)).toEqual([offered]);
    s.pass(40);
    await s.accept("AJ_1", "AW_1", 1);
    const starting = { ...offered, outcome: "starting", startedAtMs: askedAtMs + 40 };
    expect(await attemptsOf(s)).toEqual([starting]);
    s.pass(500);
    await s.seen("AJ_1", "AW_1", 1);
    const running = { ...starting, outcome: "running", runningAtMs: askedAtMs + 540 };
    expect(await attemptsOf(s)).toEqual([running]);
    s.pass(1_000);
    await s.report("AJ_1", "AW_1", "success");
    expect(await attemptsOf(s)).toEqual([{ ...running, outcome: "ended", endedAtMs: s.nowMs }]);
    // It cost no key of its own.
    expect(await s.redis.exists(`muster:{${s.namespace}}:attempts:AJ_1`)).toBe(0);
  });

  test("refused, not answered, not delivered: each with its worker, and who was passed over", async () => {
    const s = scene();
    for (const session of ["AW_1", "AW_2", "AW_3", "AW_4"]) await s.worker(session);
    await s.order("AD_1");
    for (const [epoch, reason] of [
      [1, "rejected"],
      [2, "silent"],
      [3, "undelivered"],
    ] as const) {
      const reply = await s.admit("AJ_1");
      if (reply.status !== "offered") throw new Error(reply.status);
      s.pass(100);
      await s.reject("AJ_1", reply.job.session ?? "", epoch, reason);
    }
    await s.admit("AJ_1");
    s.pass(OFFER_MS);
    await s.expireJob("AJ_1");
    const attempts = await attemptsOf(s);
    expect(fates(attempts)).toEqual([
      ["offered", "rejected", "AW_1"],
      ["offered", "silent", "AW_2"],
      ["offered", "undelivered", "AW_3"],
      ["offered", "unanswered", "AW_4"],
    ]);
    expect(attempts[0]).toMatchObject({ endedAtMs: (attempts[0]?.beganAtMs ?? 0) + 100, startedAtMs: 0 });
    // The silent one was ejected for a moment: the first had refused the same job, which is at fault then.
    const considered = attempts[3]?.considered ?? [];
    expect(considered.at(-1)).toEqual(chosen("AW_4"));
    expect(considered.slice(0, -1)).toHaveLength(3);
    for (const id of ["AW_1", "AW_2", "AW_3"]) expect(considered).toContainEqual(excluded(id));
  });

  test("that finds nobody is one attempt, however often it is tried, until a worker is asked", async () => {
    const s = scene();
    await s.order("AD_1");
    const parkedAtMs = s.nowMs;
    for (let round = 0; round < 3; round++) {
      await s.admit("AJ_1");
      s.pass(1_000);
    }
    expect(await attemptsOf(s)).toMatchObject([
      { how: "parked", outcome: "parked", session: "", considered: [], beganAtMs: parkedAtMs, endedAtMs: 0 },
    ]);
    await s.worker("AW_1");
    await s.serve();
    expect(await attemptsOf(s)).toMatchObject([
      { how: "parked", outcome: "parked", beganAtMs: parkedAtMs, endedAtMs: s.nowMs },
      { number: 2, how: "offered", outcome: "offered", session: "AW_1", beganAtMs: s.nowMs },
    ]);
  });

  test("that finds only those who refused, or somebody before it in line, says so", async () => {
    const s = scene();
    await s.worker("AW_1", 0.5);
    await s.offered("AJ_1", "AW_1");
    await s.reject("AJ_1", "AW_1", 1);
    await s.admit("AJ_1");
    expect((await attemptsOf(s))[1]).toMatchObject({ how: "parked", considered: [excluded("AW_1", 0.5)] });
    await s.sample("AW_1", 0.8);
    await s.order("AD_2", [newJob("AJ_2")], { priority: 5 });
    await s.admit("AJ_2");
    await s.sample("AW_1", 0.5);
    await s.order("AD_3");
    await s.admit("AJ_3");
    expect(await attemptsOf(s, "AJ_3")).toMatchObject([
      { how: "parked", considered: [{ session: "AW_1", load: 0.5, verdict: "behind" }] },
    ]);
  });

  test("that ends with its job while it waits, or while it is asked, is over with it", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.admit("AJ_1");
    s.pass(10);
    await s.deleteOrder("AD_1");
    expect(await attemptsOf(s)).toMatchObject([{ how: "parked", outcome: "ended", endedAtMs: s.nowMs }]);
    await s.worker("AW_1");
    await s.offered("AJ_2", "AW_1");
    await s.reject("AJ_2", "AW_1", 1, "rejected", true);
    expect(fates(await attemptsOf(s, "AJ_2"))).toEqual([["offered", "rejected", "AW_1"]]);
    await s.offered("AJ_3", "AW_1");
    await s.deleteOrder("AD_3");
    expect(fates(await attemptsOf(s, "AJ_3"))).toEqual([["offered", "ended", "AW_1"]]);
  });

  test("started and failed, left, never seen, not delivered: each ends an attempt, with what it had come to", async () => {
    const s = scene();
    await s.reporter("AW_1");
    await s.running("AJ_1", "AW_1");
    s.pass(5_000);
    await s.report("AJ_1", "AW_1", "failed");
    const [failed] = await attemptsOf(s);
    expect(failed).toMatchObject({ outcome: "failed", runningAtMs: s.nowMs - 5_000, endedAtMs: s.nowMs });

    await s.starting("AJ_2", "AW_1");
    s.pass(START_MS);
    await s.expireJob("AJ_2");
    const [neverStarted] = await attemptsOf(s, "AJ_2");
    expect(neverStarted).toMatchObject({
      outcome: "never_started",
      startedAtMs: s.nowMs - START_MS,
      runningAtMs: 0,
    });

    await s.sample("AW_1", 0);
    const epoch = await s.starting("AJ_3", "AW_1");
    await s.withdraw("AJ_3", "AW_1", epoch);
    expect(fates(await attemptsOf(s, "AJ_3"))).toEqual([["offered", "undelivered", "AW_1"]]);
    // What a second attempt has is its own.
    expect(await s.admit("AJ_3")).toMatchObject({ status: "offered" });
    expect((await attemptsOf(s, "AJ_3"))[1]).toMatchObject({
      outcome: "offered",
      startedAtMs: 0,
      runningAtMs: 0,
    });
  });

  test("lost, and given to another: how long the worker was waited for", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    const lostAtMs = s.nowMs;
    expect(await attemptsOf(s)).toMatchObject([{ outcome: "lost", lostAtMs, endedAtMs: 0 }]);
    s.pass(GRACE_MS);
    await s.settle("AJ_1", epoch, "unknown");
    await s.worker("AW_2");
    await s.admit("AJ_1");
    expect(await attemptsOf(s)).toMatchObject([
      { outcome: "worker_lost", session: "AW_1", lostAtMs, endedAtMs: lostAtMs + GRACE_MS },
      { outcome: "offered", session: "AW_2", lostAtMs: 0 },
    ]);
  });

  test("an offer whose worker's socket goes was not delivered", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    await s.deregister("AW_1");
    expect(fates(await attemptsOf(s))).toEqual([["offered", "undelivered", "AW_1"]]);
  });

  test("a worker that is back with its job begins one of its own; an assertion of the same session does not", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    s.pass(2_000);
    await s.register("AW_2");
    await s.migrate("AW_2", "AJ_1");
    expect(await attemptsOf(s)).toMatchObject([
      { how: "offered", outcome: "migrated", session: "AW_1", epoch, lostAtMs: s.nowMs - 2_000 },
      {
        how: "returned",
        outcome: "running",
        session: "AW_2",
        epoch: epoch + 1,
        beganAtMs: s.nowMs,
        considered: [],
      },
    ]);
    await s.assert([{ job: "AJ_1", session: "AW_2", epoch: epoch + 2, wire: "AJ_1" }]);
    expect(await attemptsOf(s)).toHaveLength(2);
    s.pass(500);
    await s.report("AJ_1", "AW_2", "success");
    expect((await attemptsOf(s))[1]).toMatchObject({ outcome: "ended", endedAtMs: s.nowMs });
  });

  test("a job that Redis forgot has the attempt that its worker came with", async () => {
    const s = scene();
    await s.register("AW_1");
    await s.restore("AJ_1", "AW_1");
    expect(fates(await attemptsOf(s))).toEqual([["returned", "running", "AW_1"]]);
  });

  test("a fallback step ends the wait for the agent before it; being put on hold, that for anybody", async () => {
    const s = scene();
    await s.order("AD_1", [newJob("AJ_1")], fallback(2));
    await s.admit("AJ_1");
    s.pass(STEPS[1].after_ms);
    await s.expireJob("AJ_1");
    await s.admit("AJ_1");
    s.pass(10);
    await s.hold("AD_1");
    expect(await attemptsOf(s)).toMatchObject([
      { outcome: "fell_back", step: 0, endedAtMs: s.nowMs - 10 },
      { outcome: "held", step: 1, endedAtMs: s.nowMs },
    ]);
    await s.worker("AW_2", 0, { agent: "second" }, "NO_g", SECOND_POOL);
    await s.release("AD_1");
    await s.serve(SECOND_POOL);
    expect((await attemptsOf(s))[2]).toMatchObject({ outcome: "offered", step: 1, session: "AW_2" });
  });

  test("of many the first five and the newest fifteen are kept, of a claim eight sessions, the chosen one among them", async () => {
    const s = scene();
    const sessions = Array.from({ length: 30 }, (_, index) => `AW_${String(index).padStart(12, "0")}`);
    for (const session of sessions) await s.worker(session, 0.123456);
    await s.order("AD_1");
    for (let number = 1; number <= 30; number++) {
      const reply = await s.admit("AJ_1");
      if (reply.status !== "offered") throw new Error(reply.status);
      const { attempts, leftOut } = await s.explain("AJ_1");
      expect({ kept: attempts.length, leftOut }).toEqual({
        kept: Math.min(number, 20),
        leftOut: Math.max(0, number - 20),
      });
      expect(attempts.slice(0, 5).map((attempt) => attempt.number)).toEqual([1, 2, 3, 4, 5].slice(0, number));
      expect(attempts.slice(5).map((attempt) => attempt.number)).toEqual(
        Array.from({ length: Math.max(0, Math.min(number, 20) - 5) }, (_, i) => Math.max(6, number - 14) + i),
      );
      const newest = attempts.at(-1);
      expect(newest?.considered).toHaveLength(Math.min(number, 8));
      expect(newest?.consideredLeftOut).toBe(Math.max(0, number - 8));
      expect(newest?.considered.at(-1)).toMatchObject({ verdict: "chosen", session: reply.job.session });
      await s.reject("AJ_1", reply.job.session ?? "", Number(reply.job.epoch));
    }
    const kept = await s.redis.lrange(`muster:{${s.namespace}}:attempts:AJ_1`, 0, -1);
    expect(kept.join("").length).toBeLessThan(16 * 1024);
  });

  test("they are kept with the job, and go with it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    await s.reject("AJ_1", "AW_1", 1);
    await s.deleteOrder("AD_1");
    s.pass(RETAIN_MS);
    const key = `muster:{${s.namespace}}:attempts:AJ_1`;
    expect(await s.redis.exists(key)).toBe(1);
    await s.sweep();
    expect(await s.redis.exists(key)).toBe(0);
    expect(await s.ledger.explainJob({ ...s.at, job: "AJ_1" })).toEqual({ status: "unknown" });
  });

  test("a list of jobs has none of it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    const page = await s.ledger.listRecords({
      namespace: s.namespace,
      list: "jobs",
      kind: "job",
      offset: 0,
      limit: 10,
    });
    expect(Object.values(page.records)).toHaveLength(1);
    expect(JSON.stringify(page.records)).not.toContain("chosen");
  });
});
