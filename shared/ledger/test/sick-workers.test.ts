/** Workers that are sick: what is held against them, how long they are left alone, and what brings them back. */
import { expect, test } from "vitest";
import type { Ejection } from "../src/shapes.js";
import { onEachRedis } from "./on-each-redis.js";
import { COOL_MS, EARLY_MS, newJob, OFFER_MS, orderOf, POOL, type Scene, START_MS } from "./scene.js";

onEachRedis("sick workers", (scene) => {
  let jobs = 0;

  /** AW_1 is asked first, and AW_2 has room for one. */
  async function pair(): Promise<Scene> {
    const s = scene();
    s.roomFor = (order) => `room-${order}`;
    await s.reporter("AW_1");
    await s.worker("AW_2", 0.6);
    s.pass(1);
    return s;
  }
  const next = () => `AJ_${jobs++}`;
  const ejectionOf = (reply: object) => ("blame" in reply ? (reply.blame as Ejection) : undefined);

  /** What AW_1 does with the next job. */
  const deeds = {
    async silent(s: Scene) {
      const job = next();
      return ejectionOf(await s.reject(job, "AW_1", await s.offered(job, "AW_1"), "silent"));
    },
    async rejects(s: Scene) {
      const job = next();
      return ejectionOf(await s.reject(job, "AW_1", await s.offered(job, "AW_1")));
    },
    async fails_early(s: Scene, afterMs = 0) {
      const job = next();
      await s.running(job, "AW_1");
      s.pass(afterMs);
      return ejectionOf(await s.report(job, "AW_1", "failed"));
    },
    async never_starts(s: Scene) {
      const job = next();
      await s.starting(job, "AW_1");
      s.pass(START_MS);
      const reply = await s.expireJob(job);
      await s.expireStop(`AW_1|${job}`);
      return ejectionOf(reply);
    },
  };
  /** Its cool-down is over, and its timer was looked at. */
  async function cooled(s: Scene, coolMs = COOL_MS): Promise<void> {
    s.pass(coolMs);
    expect(await s.expireSession("AW_1")).toMatchObject({ status: "back" });
  }
  const health = (s: Scene) => s.field("session", "AW_1", "health");

  test.each([
    ["silent", 1],
    ["rejects", 5],
    ["fails_early", 3],
    ["never_starts", 2],
  ] as const)("one that %s: %i times in a row are enough, and not one less", async (reason, enough) => {
    const s = await pair();
    for (let count = 1; count < enough; count++) {
      expect(await deeds[reason](s)).toBeUndefined();
      expect(await s.loadInPool("AW_1")).toBeDefined();
    }
    const ejection = await deeds[reason](s);
    const until_ms = s.nowMs + COOL_MS;
    const agent = "agent";
    expect(ejection).toEqual({ session: "AW_1", agent, reason, until_ms, ejections: 1, last_of_pool: false });
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    expect(await s.timer("session|AW_1")).toBe(until_ms);
    expect(await health(s)).toBe("ejected");
    s.pass(COOL_MS - 1);
    expect(await s.expireSession("AW_1")).toEqual({ status: "idle" });
    s.pass(1);
    expect(await s.expireSession("AW_1")).toEqual({ status: "back", serve: "" });
    expect(await health(s)).toBe("probation");
    expect(await s.loadInPool("AW_1")).toBeDefined();
  });

  test("each time it is left alone for twice as long, at most for five minutes", async () => {
    const s = await pair();
    for (const coolMs of [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      expect(await deeds.silent(s)).toMatchObject({ until_ms: s.nowMs + coolMs });
      await cooled(s, coolMs);
    }
  });

  test("what was offered before its ejection is of the same incident, and counts once", async () => {
    const s = await pair();
    const open = [next(), next(), next()];
    for (const job of open) await s.offered(job, "AW_1");
    const [first = "", second = "", third = ""] = open;
    expect(await s.reject(first, "AW_1", 1, "silent")).toHaveProperty("blame");
    expect(await s.reject(second, "AW_1", 1, "silent")).not.toHaveProperty("blame");
    await cooled(s);
    expect(await s.reject(third, "AW_1", 1, "silent")).not.toHaveProperty("blame");
    expect(await s.field("session", "AW_1", "ejections")).toBe("1");
    expect(await deeds.silent(s)).toMatchObject({ ejections: 2, until_ms: s.nowMs + 2 * COOL_MS });
  });

  test("on probation it has one job at a time, until that has run for long enough", async () => {
    const s = await pair();
    for (let count = 0; count < 3; count++) await deeds.fails_early(s);
    await cooled(s);
    const canary = next();
    await s.starting(canary, "AW_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    // It is seen to run a while after it was accepted: its time counts from then.
    expect(await s.expireSession("AW_1")).toMatchObject({ status: "back" });
    s.pass(4_000);
    await s.seen(canary, "AW_1", 1);
    s.pass(EARLY_MS - 4_000);
    expect(await s.expireSession("AW_1")).toMatchObject({ status: "back" });
    expect(await s.timer("session|AW_1")).toBe(s.nowMs + 4_000);
    s.pass(3_999);
    expect(await s.expireSession("AW_1")).toEqual({ status: "idle" });
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    expect(await health(s)).toBe("probation");
    s.pass(1);
    await s.order("AD_wait", [newJob("AJ_wait"), newJob("AJ_wait2")]);
    await s.admit("AJ_wait");
    await s.admit("AJ_wait2");
    expect(await s.expireSession("AW_1")).toEqual({ status: "back", serve: POOL });
    expect(await health(s)).toBeUndefined();
    expect(await s.field("session", "AW_1", "ejections")).toBeUndefined();
  });

  test("a job of the probation that ends well brings it back at once; one that fails, or is not answered, ejects it", async () => {
    const s = await pair();
    await deeds.silent(s);
    await cooled(s);
    expect(await deeds.fails_early(s)).toMatchObject({ reason: "fails_early", ejections: 2 });
    await cooled(s, 2 * COOL_MS);
    expect(await deeds.never_starts(s)).toMatchObject({ reason: "never_starts", ejections: 3 });
    await cooled(s, 4 * COOL_MS);
    const job = next();
    await s.running(job, "AW_1");
    expect(await s.report(job, "AW_1", "success")).toMatchObject({ status: "ended" });
    expect(await health(s)).toBeUndefined();
    expect(await s.timer("session|AW_1")).toBeUndefined();
    expect(await deeds.silent(s)).toMatchObject({ ejections: 1 });
  });

  test("a job of the probation that somebody else ended says nothing: the next one is tried", async () => {
    const s = await pair();
    await deeds.silent(s);
    await cooled(s);
    const job = next();
    await s.offered(job, "AW_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    await s.terminate(job);
    expect(await health(s)).toBe("probation");
    expect(await s.loadInPool("AW_1")).toBeDefined();
  });

  test("an acceptance clears silence and refusals, and not what its jobs did", async () => {
    const s = await pair();
    for (let count = 0; count < 4; count++) await deeds.rejects(s);
    await deeds.fails_early(s);
    expect(await s.strikes("AW_1", "rejects")).toBe(0);
    expect(await s.strikes("AW_1", "fails_early")).toBe(1);
    await deeds.silent(s);
    await cooled(s);
    const job = next();
    await s.starting(job, "AW_1");
    await s.expireSession("AW_1");
    expect(await health(s)).toBe("probation");
    expect(await s.strikes("AW_1", "silent")).toBe(0);
  });

  test("one that was only silent, or refused, is back with its first acceptance", async () => {
    const s = await pair();
    for (let count = 0; count < 5; count++) await deeds.rejects(s);
    expect(await health(s)).toBe("ejected");
    await cooled(s);
    await s.starting(next(), "AW_1");
    expect(await s.expireSession("AW_1")).toMatchObject({ status: "back" });
    expect(await health(s)).toBeUndefined();
    expect(await s.loadInPool("AW_1")).toBeDefined();
  });

  test("one that took jobs since its last report may be full, and refuses all of a burst with no word against it", async () => {
    const s = await pair();
    await s.starting(next(), "AW_1");
    for (let count = 0; count < 8; count++) expect(await deeds.rejects(s)).toBeFalsy();
    expect(await s.strikes("AW_1", "rejects")).toBe(0);
    s.pass(1);
    await s.sample("AW_1", 0);
    for (let count = 0; count < 4; count++) expect(await deeds.rejects(s)).toBeFalsy();
    expect(await deeds.rejects(s)).toMatchObject({ session: "AW_1", reason: "rejects" });
  });

  test("one that says it is full was right to refuse; one that is silent was not", async () => {
    const s = await pair();
    for (let count = 0; count < 5; count++) await deeds.rejects(s);
    await s.sample("AW_1", 1, { status: "full" });
    expect(await health(s)).toBeUndefined();
    expect(await s.timer("session|AW_1")).toBeUndefined();
    await s.sample("AW_1", 0);
    expect(await s.loadInPool("AW_1")).toBe(0);
    for (let count = 0; count < 4; count++) expect(await deeds.rejects(s)).toBeUndefined();
    await s.sample("AW_1", 1, { status: "full" });
    await s.sample("AW_1", 0);
    expect(await deeds.rejects(s)).toBeUndefined();
    await deeds.silent(s);
    await s.sample("AW_1", 1, { status: "full" });
    expect(await health(s)).toBe("ejected");
  });

  test("a single refusal of one that was silent is an answer", async () => {
    const s = await pair();
    await deeds.silent(s);
    await cooled(s);
    expect(await deeds.rejects(s)).toBeUndefined();
    expect(await s.loadInPool("AW_1")).toBeDefined();
  });

  test.each([
    ["just under", EARLY_MS - 1, true],
    ["for long enough", EARLY_MS, false],
  ])("a job that fails after it ran %s", async (_, afterMs, isStrike) => {
    const s = await pair();
    await deeds.fails_early(s, afterMs);
    expect(await s.strikes("AW_1", "fails_early")).toBe(isStrike ? 1 : 0);
  });

  test("failures are not in a row when a later job ended well or got going between them; an older one is no witness", async () => {
    const s = await pair();
    const older = next();
    await s.running(older, "AW_1");
    s.pass(1);
    await deeds.fails_early(s);
    await deeds.fails_early(s);
    await s.report(older, "AW_1", "success");
    expect(await s.strikes("AW_1", "fails_early")).toBe(2);
    const later = next();
    s.pass(1);
    await s.running(later, "AW_1");
    s.pass(EARLY_MS);
    expect(await deeds.fails_early(s)).toBeUndefined();
    expect(await s.strikes("AW_1", "fails_early")).toBe(1);
    s.pass(1);
    const last = next();
    await s.running(last, "AW_1");
    await s.report(last, "AW_1", "success");
    expect(await s.strikes("AW_1", "fails_early")).toBe(0);
  });

  test("a job that failed at once goes to another worker, while there is one that can take work", async () => {
    const s = await pair();
    const job = next();
    await s.running(job, "AW_1");
    await s.report(job, "AW_1", "failed");
    s.pass(1_000);
    await s.expireJob(job);
    expect(await s.admit(job)).toMatchObject({ status: "offered", job: { session: "AW_2" } });
    await s.accept(job, "AW_2", 2);
    await s.deregister("AW_1");
    await s.report(job, "AW_2", "failed", `${job}.2`);
    s.pass(2_000);
    await s.expireJob(job);
    expect(await s.admit(job)).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test("the last one that can take work is asked on, and that it is sick is said once a minute", async () => {
    const s = await pair();
    await deeds.silent(s);
    await cooled(s);
    await s.deregister("AW_2");
    const told = { reason: "silent", ejections: 1, last_of_pool: true };
    expect(await deeds.silent(s)).toMatchObject({ ...told, until_ms: s.nowMs });
    expect(await s.loadInPool("AW_1")).toBeDefined();
    s.pass(59_999);
    expect(await deeds.silent(s)).toBeUndefined();
    s.pass(1);
    expect(await deeds.silent(s)).toMatchObject(told);
  });

  test("one that was ejected may be back before those who wait, who are told", async () => {
    const s = await pair();
    const ejection = await deeds.silent(s);
    await s.sample("AW_2", 1, { status: "full" });
    await s.order("AD_w", [newJob("AJ_w")]);
    await s.admit("AJ_w");
    expect(await s.position("AJ_w")).toMatchObject({ ejectedUntil: ejection?.until_ms });
    await s.worker("AW_3", 0);
    expect(await s.position("AJ_w")).toMatchObject({ ejectedUntil: 0 });
  });

  test.each([
    ["full", true, POOL, { status: "full" as const }],
    ["draining", false, POOL, { draining: true }],
    ["of another agent", false, "room/other/", {}],
  ])("another that is %s counts as one that can take work: %s", async (_, counts, pool, sample) => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0, {}, "NO_g", pool);
    await s.sample("AW_2", 0.5, sample);
    expect(await deeds.silent(s)).toMatchObject({ last_of_pool: !counts });
  });

  test("when the last of the others goes, the first that was ejected is tried at once", async () => {
    const s = await pair();
    for (const coolMs of [COOL_MS, 2 * COOL_MS, 4 * COOL_MS]) {
      await deeds.silent(s);
      await cooled(s, coolMs);
    }
    await deeds.silent(s);
    await s.order("AD_w", [newJob("AJ_w"), newJob("AJ_w2")]);
    await s.admit("AJ_w");
    await s.admit("AJ_w2");
    await s.deregister("AW_2");
    expect(await s.expireSession("AW_1")).toEqual({ status: "back", serve: POOL });
    expect(await health(s)).toBe("probation");
  });

  test("nobody is blamed for what we did, or the network: offers undelivered or unanswered, jobs of lost sockets", async () => {
    const s = await pair();
    const undelivered = next();
    await s.reject(undelivered, "AW_1", await s.offered(undelivered, "AW_1"), "undelivered");
    const unanswered = next();
    await s.offered(unanswered, "AW_1");
    s.pass(OFFER_MS);
    await s.expireJob(unanswered);
    const withdrawn = next();
    await s.withdraw(withdrawn, "AW_1", await s.starting(withdrawn, "AW_1"));
    for (let count = 0; count < 5; count++) {
      const job = next();
      await s.order(orderOf(job), [newJob(job)]);
      await s.admit(job);
      expect(await s.reject(job, "AW_1", 1, "rejected", true)).toMatchObject({ status: "ended" });
    }
    const lost = next();
    await s.running(lost, "AW_1");
    await s.deregister("AW_1");
    await s.register("AW_4");
    await s.report(lost, "AW_4", "failed");
    const kept = Object.keys((await s.redis.hgetall(`muster:{${s.namespace}}:session:AW_4`)) ?? {});
    expect(kept).not.toContain("struck");
  });

  test("somebody may say that it is well, whatever it did", async () => {
    const s = await pair();
    for (let count = 0; count < 3; count++) await deeds.fails_early(s);
    await s.order("AD_w", [newJob("AJ_w"), newJob("AJ_w2")]);
    await s.admit("AJ_w");
    await s.admit("AJ_w2");
    expect(await s.reinstate("AW_1")).toEqual({ status: "reinstated", serve: POOL });
    expect(await s.reinstate("AW_1")).toEqual({ status: "reinstated", serve: POOL });
    expect(await s.reinstate("AW_none")).toEqual({ status: "unknown" });
    expect(await health(s)).toBeUndefined();
    expect(await s.loadInPool("AW_1")).toBe(0);
    expect(await deeds.fails_early(s)).toBeUndefined();
  });

  test("a job that came back to a session on probation is looked at as one that was offered", async () => {
    const s = await pair();
    await deeds.fails_early(s);
    await deeds.silent(s);
    await cooled(s);
    const job = next();
    await s.order(orderOf(job), [newJob(job)]);
    expect(await s.restore(job, "AW_1")).toMatchObject({ status: "exists" });
    const restored = next();
    expect(await s.restore(restored, "AW_1")).toEqual({ status: "restored" });
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    await s.expireSession("AW_1");
    s.pass(EARLY_MS);
    await s.expireSession("AW_1");
    expect(await health(s)).toBeUndefined();
  });

  test("a worker that never reports is believed to run what it accepted", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.6);
    await deeds.silent(s);
    s.pass(COOL_MS);
    await s.redis.hset(`muster:{${s.namespace}}:session:AW_1`, "struck", "fails_early,AJ_a,AD_a,r;");
    await s.expireSession("AW_1");
    await s.starting(next(), "AW_1");
    await s.expireSession("AW_1");
    s.pass(EARLY_MS);
    await s.expireSession("AW_1");
    expect(await health(s)).toBeUndefined();
  });
});
