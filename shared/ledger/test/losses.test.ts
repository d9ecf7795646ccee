/** Many sessions that vanish at once, clean goodbyes, and leases that ended while we were away. */
import type { SessionFacts } from "@muster/ledger/shapes";
import { describe, expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import {
  CANDIDATE_POOL,
  GRACE_MS,
  HOLD_MS,
  LEASE_MS,
  POOL,
  RECHECK_MS,
  type Scene,
  SECOND_POOL,
} from "./scene.js";

const GUARD_UP_MS = 300_000;
/** Who was there no longer is no evidence of an outage. */
const SETTLED_MS = 10_000;

/** Workers that have been there for long enough to count. */
async function workers(
  s: Scene,
  count: number,
  pool = POOL,
  facts: Partial<SessionFacts> = {},
): Promise<void> {
  for (let index = 1; index <= count; index++)
    await s.worker(nameOf(index, pool), index / 100, facts, "NO_g", pool);
  s.pass(SETTLED_MS);
}

const nameOf = (index: number, pool = POOL) => (pool === POOL ? `AW_${index}` : `AW_${pool}${index}`);
const guardOf = (s: Scene, pool = POOL, key = "devkey") => `muster:{${s.namespace}}:guard:${pool}|${key}`;

async function lose(s: Scene, from: number, to: number, pool = POOL): Promise<number[]> {
  const raised: number[] = [];
  for (let index = from; index <= to; index++) {
    const reply = await s.deregister(nameOf(index, pool));
    raised.push(reply.status === "deregistered" ? reply.guard : -1);
  }
  return raised;
}

onEachRedis("losses", (scene) => {
  test("the guard goes up with more than 30 % of the sessions, and is told once", async () => {
    const s = scene();
    await workers(s, 10);
    expect(await lose(s, 1, 6)).toEqual([0, 0, 0, 1, 0, 0]);
  });

  test("it does not for fewer than 3, for losses far apart, or for goodbyes", async () => {
    const few = scene();
    await workers(few, 2);
    expect(await lose(few, 1, 2)).toEqual([0, 0]);
    await workers(few, 9);
    few.pass(10_000);
    expect(await lose(few, 1, 2)).toEqual([0, 0]);
    few.pass(10_000);
    expect(await lose(few, 3, 4)).toEqual([0, 0]);
    few.pass(9_999);
    for (let index = 5; index <= 9; index++)
      expect(await few.deregister(`AW_${index}`, true)).toMatchObject({ guard: 0 });
  });

  test("nor for workers that leave by themselves with nothing to do; one that leaves its job behind is missed", async () => {
    const s = scene();
    await workers(s, 9);
    for (let index = 1; index <= 5; index++)
      expect(await s.deregister(`AW_${index}`, false, true)).toMatchObject({ guard: 0 });
    for (const job of ["AJ_1", "AJ_2", "AJ_3"]) await s.order(job.replace("AJ", "AD"));
    const guards: unknown[] = [];
    for (const job of ["AJ_1", "AJ_2", "AJ_3"]) {
      const reply = await s.admit(job);
      if (reply.status !== "offered") throw new Error(`${job} was not offered`);
      const { session = "" } = reply.job;
      await s.accept(job, session, 1);
      const left = await s.deregister(session, false, true);
      guards.push(left.status === "deregistered" && left.guard);
    }
    expect(guards).toEqual([0, 0, 1]);
  });

  test("workers that reconnect one after the other never put it up: each that is back makes a loss good", async () => {
    const s = scene();
    await workers(s, 10);
    for (let index = 1; index <= 10; index++) {
      expect(await lose(s, index, index)).toEqual([0]);
      s.pass(100);
      await s.worker(`AW_again_${index}`);
    }
  });

  test("a gateway that dies does not put it up when its workers are elsewhere before its lease ends", async () => {
    const s = scene();
    for (let index = 1; index <= 6; index++) await s.worker(`AW_dead${index}`, 0, {}, "NO_dead");
    for (let index = 1; index <= 6; index++) await s.worker(`AW_${index}`);
    s.pass(LEASE_MS);
    await s.assert();
    for (let index = 1; index <= 5; index++) await s.worker(`AW_again${index}`);
    expect(await s.expireGateway("NO_dead")).toMatchObject({ sessions: 6, guard: 0 });
    // Only so many as came are made good: with the one that did not, two more of twelve are a quarter, and three a third.
    s.pass(9_999);
    expect(await lose(s, 1, 4)).toEqual([0, 0, 1, 0]);
  });

  test("it knows how many there were, with those that are back counted once", async () => {
    const s = scene();
    for (let index = 1; index <= 9; index++) await s.worker(`AW_dead${index}`, 0, {}, "NO_dead");
    s.pass(LEASE_MS);
    for (let index = 1; index <= 5; index++) await s.worker(`AW_${index}`);
    expect(await s.expireGateway("NO_dead")).toMatchObject({ sessions: 9, guard: 1 });
    const guard = guardOf(s);
    expect(Number(await s.redis.hget(guard, "before"))).toBeLessThanOrEqual(9);
    await s.worker("AW_6");
    await s.worker("AW_7");
    expect(Number(await s.redis.hget(guard, "until"))).toBe(s.nowMs);
  });

  test("who came and went, or said goodbye, makes no loss good", async () => {
    const s = scene();
    await workers(s, 10);
    s.pass(20_000);
    for (const session of ["AW_a", "AW_b", "AW_c"]) await s.worker(session);
    s.pass(SETTLED_MS);
    await s.deregister("AW_a", true);
    await s.deregister("AW_b");
    await s.deregister("AW_c");
    expect(await lose(s, 1, 2)).toEqual([0, 1]);
  });

  test("what waits because of it is not ended by its own bound meanwhile, and is resumed after it", async () => {
    const s = scene();
    await workers(s, 10);
    const epoch = await s.running("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "running");
    await lose(s, 1, 6);
    s.pass(GUARD_UP_MS - 1);
    expect(await s.settle("AJ_1", epoch, "unknown", false, { silentMs: 60_000 })).toMatchObject({
      status: "kept",
      guard: 1,
    });
    s.pass(1 + RECHECK_MS);
    expect(await s.settle("AJ_1", epoch, "unknown", false, { silentMs: 60_000 })).toMatchObject({
      status: "resumed",
    });
  });

  test("losses count for 10 s", async () => {
    const s = scene();
    await workers(s, 6);
    await lose(s, 1, 2);
    s.pass(9_999);
    expect(await lose(s, 3, 3)).toEqual([1]);
  });

  test("a gateway that dies with many puts it up; those that come back under their ids are not lost", async () => {
    const s = scene();
    for (let index = 1; index <= 4; index++) await s.worker(`AW_${index}`);
    s.pass(LEASE_MS);
    expect(await s.expireGateway("NO_g", 2)).toMatchObject({ sessions: 2, guard: 0 });
    expect(await s.expireGateway("NO_g", 2)).toMatchObject({ sessions: 2, guard: 1 });
    const guard = guardOf(s);
    for (const session of ["AW_1", "AW_2"]) await s.register(session);
    expect(Number(await s.redis.hget(guard, "until"))).toBe(s.nowMs + GUARD_UP_MS);
    await s.register("AW_3");
    expect(Number(await s.redis.hget(guard, "until"))).toBe(s.nowMs);
  });

  test("while it is up no job is resumed for want of knowledge, nor until all had time to come back", async () => {
    const s = scene();
    await workers(s, 10);
    const epoch = await s.running("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "running");
    await lose(s, 1, 6);
    const guardEnds = s.nowMs + GUARD_UP_MS;
    s.pass(GRACE_MS);
    const kept = { status: "kept", due: s.nowMs + RECHECK_MS, guard: 1 };
    expect(await s.settle("AJ_1", epoch, "unknown", true)).toEqual(kept);
    s.nowMs = guardEnds - 1;
    expect(await s.settle("AJ_1", epoch, "unknown", true)).toEqual({
      status: "kept",
      due: guardEnds,
      guard: 1,
    });
    s.pass(1);
    const last = { status: "kept", due: guardEnds + RECHECK_MS, guard: 0 };
    expect(await s.settle("AJ_1", epoch, "unknown")).toEqual(last);
    s.nowMs = guardEnds + RECHECK_MS;
    expect(await s.settle("AJ_1", epoch, "unknown")).toEqual({ status: "resumed", serve: "" });
  });

  test("evidence counts while it is up", async () => {
    const s = scene();
    await workers(s, 4);
    const epoch = await s.running("AJ_1", "AW_1");
    await lose(s, 1, 4);
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "resumed", serve: "" });
  });

  test("it goes down when 70 % are there again", async () => {
    const s = scene();
    await workers(s, 10);
    const epoch = await s.running("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "running");
    await lose(s, 1, 6);
    s.pass(GRACE_MS);
    for (const session of ["AW_new1", "AW_new2"]) await s.register(session);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ guard: 1 });
    await s.register("AW_new3");
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ guard: 0, due: s.nowMs + RECHECK_MS });
    s.pass(RECHECK_MS);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "resumed" });
  });

  test("one that was up before a job was lost does not hold it up", async () => {
    const s = scene();
    await workers(s, 3);
    await lose(s, 1, 3);
    await workers(s, 3);
    s.pass(1);
    await s.sample("AW_1", 0);
    const epoch = await s.orphan("AJ_1", "AW_1");
    s.pass(GRACE_MS);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "resumed" });
  });

  test("a namespace that rests has forgotten it", async () => {
    const s = scene();
    await workers(s, 3);
    expect(await lose(s, 1, 3)).toEqual([0, 0, 1]);
    expect(await s.rest()).toMatchObject({ status: "resting" });
    await s.worker("AW_1");
    s.pass(SETTLED_MS);
    const epoch = await s.orphan("AJ_1", "AW_1");
    s.pass(GRACE_MS);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "resumed" });
  });

  describe("of strangers", () => {
    /** A job whose worker is lost, in a pool of two. */
    async function lostJob(s: Scene): Promise<number> {
      await workers(s, 2);
      return s.orphan("AJ_1", "AW_1");
    }

    async function isResumed(s: Scene, epoch: number): Promise<void> {
      expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "resumed" });
    }

    test.each([
      ["crash loops", 1_000],
      ["comes and goes", SETTLED_MS],
    ])("another agent of the namespace that %s holds nothing up", async (_, lifeMs) => {
      const s = scene();
      await workers(s, 15, SECOND_POOL);
      const epoch = await lostJob(s);
      for (let loop = 0; loop < GRACE_MS / lifeMs; loop++) {
        await lose(s, 1, 15, SECOND_POOL);
        s.pass(lifeMs);
        for (let index = 1; index <= 15; index++)
          await s.register(nameOf(index, SECOND_POOL), {}, "NO_g", SECOND_POOL);
      }
      expect(await s.redis.exists(guardOf(s))).toBe(0);
      s.pass(GRACE_MS);
      await isResumed(s, epoch);
    });

    test("another key's workers of the same agent hold up their own jobs only", async () => {
      const s = scene();
      await workers(s, 10);
      for (let index = 11; index <= 25; index++) await s.worker(nameOf(index), 0.5, { api_key: "other" });
      const epoch = await s.orphan("AJ_1", "AW_1");
      s.pass(SETTLED_MS);
      expect(await lose(s, 11, 25)).toContain(1);
      expect(await s.redis.exists(guardOf(s))).toBe(0);
      expect(await s.redis.exists(guardOf(s, POOL, "other"))).toBe(1);
      s.pass(GRACE_MS);
      await isResumed(s, epoch);
    });

    test.each([
      [SETTLED_MS - 1, 0],
      [SETTLED_MS, 1],
      [SETTLED_MS + 1, 1],
    ])("workers that were there for %i ms are so much evidence: %i", async (lifeMs, guard) => {
      const s = scene();
      for (let index = 1; index <= 10; index++) await s.worker(nameOf(index));
      s.pass(lifeMs);
      expect((await lose(s, 1, 10)).includes(1) ? 1 : 0).toBe(guard);
    });

    test("a crash loop in its own pool makes no loss good", async () => {
      const s = scene();
      await workers(s, 10);
      for (let index = 1; index <= 3; index++) {
        await lose(s, index, index);
        await s.worker("AW_loops");
        s.pass(500);
        await s.deregister("AW_loops");
      }
      expect(await lose(s, 4, 4)).toEqual([1]);
    });

    test("nor does the guard wait for a crash loop to be back", async () => {
      const s = scene();
      await workers(s, 7);
      for (let index = 1; index <= 5; index++) await s.worker(`AW_loops${index}`);
      expect(await lose(s, 1, 4)).toEqual([0, 0, 0, 1]);
      for (let index = 1; index <= 5; index++) await s.deregister(`AW_loops${index}`);
      await s.register("AW_again1");
      expect(Number(await s.redis.hget(guardOf(s), "until"))).toBe(s.nowMs + GUARD_UP_MS);
      await s.register("AW_again2");
      expect(Number(await s.redis.hget(guardOf(s), "until"))).toBe(s.nowMs);
    });

    test.each([
      [9_999, "kept"],
      [10_000, "resumed"],
      [10_001, "resumed"],
    ])("a job that was lost %i ms before the guard rose is %s", async (beforeMs, status) => {
      const s = scene();
      await workers(s, 10);
      const epoch = await s.orphan("AJ_1", "AW_1");
      s.pass(beforeMs);
      expect(await lose(s, 2, 10)).toContain(1);
      s.pass(GRACE_MS);
      expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status });
    });
  });

  describe("of small pools", () => {
    const pools = [POOL, SECOND_POOL, CANDIDATE_POOL];

    test("that all lose everybody, none of which has three, is one outage", async () => {
      const s = scene();
      for (const pool of pools) await workers(s, 1, pool);
      const raised = [];
      for (const pool of pools) raised.push(...(await lose(s, 1, 1, pool)));
      expect(raised).toEqual([0, 0, 1]);
      for (const pool of pools) expect(Number(await s.redis.hget(guardOf(s, pool), "before"))).toBe(1);
    });

    test("is none for a pool that has somebody left, nor over keys or more than 10 s", async () => {
      const left = scene();
      for (const pool of pools) await workers(left, 2, pool);
      for (const pool of pools) await lose(left, 1, 1, pool);
      for (const pool of pools) expect(await left.redis.exists(guardOf(left, pool))).toBe(0);

      const keys = scene();
      for (const [index, pool] of pools.entries()) await workers(keys, 1, pool, { api_key: `key${index}` });
      for (const pool of pools) expect(await lose(keys, 1, 1, pool)).toEqual([0]);

      const slow = scene();
      for (const pool of pools) await workers(slow, 1, pool);
      for (const pool of pools) {
        expect(await lose(slow, 1, 1, pool)).toEqual([0]);
        slow.pass(5_000);
      }
    });

    test("counts a neighbour that loses many as two, and ends with the first worker that is there", async () => {
      const s = scene();
      await workers(s, 15, SECOND_POOL);
      await workers(s, 1);
      await workers(s, 4, CANDIDATE_POOL);
      const epoch = await s.running("AJ_1", "AW_1");
      await s.report("AJ_1", "AW_1", "running");
      await lose(s, 1, 15, SECOND_POOL);
      expect(await lose(s, 1, 1)).toEqual([1]);
      await s.register("AW_new");
      s.pass(GRACE_MS);
      expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "resumed" });
      // Two and one of seven and more are less than 30 %.
      const crowded = scene();
      await workers(crowded, 15, SECOND_POOL);
      await workers(crowded, 1);
      await workers(crowded, 7, CANDIDATE_POOL);
      await lose(crowded, 1, 15, SECOND_POOL);
      expect(await lose(crowded, 1, 1)).toEqual([0]);
    });
  });

  test("a worker that says goodbye has finished its jobs", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    await s.starting("AJ_2", "AW_1");
    await s.running("AJ_3", "AW_1");
    await s.worker("AW_2", 0.69);
    await s.order("AD_4");
    await s.sample("AW_2", 0.69);
    const reply = await s.deregister("AW_1", true);
    expect(reply).toMatchObject({ status: "deregistered", requeued: ["AJ_1"], orphaned: [], guard: 0 });
    expect(reply.status === "deregistered" && reply.ended.sort()).toEqual(["AJ_2", "AJ_3"]);
    expect(await s.field("job", "AJ_3", "outcome")).toBe("success");
    expect(await s.field("job", "AJ_3", "cause")).toBe("goodbye");
    expect(await s.field("order", "AD_3", "state")).toBe("ended");
    expect(await s.deregister("AW_1", true)).toEqual({ status: "unknown" });
    expect(await s.report("AJ_3", "AW_1", "failed")).toEqual({ status: "refused", reason: "ended" });
  });

  test("a session that goes lets those behind it in line be served", async () => {
    const s = scene();
    await s.worker("AW_1", 0.2);
    const epoch = await s.offered("AJ_1", "AW_1");
    await s.reject("AJ_1", "AW_1", epoch);
    await s.admit("AJ_1");
    await s.worker("AW_2");
    expect(await s.deregister("AW_1")).toMatchObject({ serve: [POOL] });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test.each([
    [HOLD_MS - 1, "idle"],
    [HOLD_MS, "lost"],
    [HOLD_MS + 1, "lost"],
  ])("a lease that ended in a gap of ours, %i ms after the gap", async (afterMs, expected) => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(LEASE_MS + 60_000);
    const awakeSinceMs = s.nowMs;
    expect(await s.expireGateway("NO_g", 100, awakeSinceMs)).toEqual({ status: "idle" });
    expect(await s.timer("gateway|NO_g")).toBe(awakeSinceMs + HOLD_MS);
    s.pass(afterMs);
    expect((await s.expireGateway("NO_g", 100, awakeSinceMs)).status).toBe(expected);
  });

  test("a lease that ended while we looked is not waited for", async () => {
    const s = scene();
    await s.worker("AW_1");
    const ends = s.nowMs + LEASE_MS;
    s.pass(LEASE_MS + 1);
    expect(await s.expireGateway("NO_none", 100, s.nowMs)).toEqual({ status: "idle" });
    expect(await s.expireGateway("NO_g", 100, ends)).toMatchObject({ status: "lost", sessions: 1 });
  });
});
