/** Deployment splits: who goes where and when, that no caller is lost by it, and its end when the candidate does badly. */
import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { CANDIDATE_POOL, EARLY_MS, jobOf, newJob, POOL, Scene, SECOND_POOL, SIDE_LOOK_MS } from "./scene.js";

const ALL = { steps: [{ after_ms: 0, percent: 100 }] };
const HALF = { steps: [{ after_ms: 0, percent: 50 }] };
const OLD_POOL = "room/agent/old";

onEachRedis("a deployment split", (scene) => {
  /** With a worker of each deployment. */
  async function divided(split: Parameters<Scene["setSplit"]>[0] = ALL): Promise<Scene> {
    const s = scene();
    await s.reporter("AW_stable");
    await s.reporter("AW_new", 0, {}, "NO_g", CANDIDATE_POOL);
    if (split !== undefined) await s.setSplit(split);
    return s;
  }

  /** Whose pool was asked; undefined when it waits. */
  async function placed(s: Scene, order: string, facts: Parameters<Scene["order"]>[2] = {}) {
    await s.order(order, undefined, facts);
    const reply = await s.admit(jobOf(order));
    return reply.status === "offered" ? reply.job.pool : undefined;
  }

  /** A job of the candidate, that its worker said yes to. */
  async function started(s: Scene, job: string, facts: Parameters<Scene["order"]>[2] = {}): Promise<number> {
    await s.order(job.replace("AJ_", "AD_"), undefined, facts);
    const reply = await s.admit(job);
    if (reply.status !== "offered") throw new Error(JSON.stringify(reply));
    const epoch = Number(reply.job.epoch);
    await s.accept(job, reply.job.session ?? "", epoch);
    return epoch;
  }

  const again = async (s: Scene, job: string) => {
    const reply = await s.admit(job);
    return reply.status === "offered" ? reply.job.pool : reply.status;
  };

  test("gives the candidate its share, drawn from the job's id", { timeout: 30_000 }, async () => {
    const s = scene();
    await s.setPlacement({ job_load: 0 });
    await s.worker("AW_stable");
    await s.worker("AW_new", 0, {}, "NO_g", CANDIDATE_POOL);
    await s.setSplit({ steps: [{ after_ms: 0, percent: 25 }] });
    let candidates = 0;
    for (let index = 0; index < 400; index++)
      if ((await placed(s, `AD_${index}`)) === CANDIDATE_POOL) candidates++;
    // A quarter, within four standard deviations.
    expect(Math.abs(candidates - 100)).toBeLessThanOrEqual(4 * Math.sqrt(400 * 0.25 * 0.75));
    const record = await s.split();
    expect([record?.stable.jobs, record?.candidate.jobs]).toEqual([400 - candidates, candidates]);
  });

  test("draws the same for the same job, and a larger share keeps who was in the smaller one", async () => {
    const sides = new Map<string, string[]>();
    for (const percent of [30, 30, 60]) {
      const s = new Scene(scene().redis);
      await s.worker("AW_stable");
      await s.worker("AW_new", 0, {}, "NO_g", CANDIDATE_POOL);
      await s.setPlacement({ job_load: 0 });
      await s.setSplit({ steps: [{ after_ms: 0, percent }] });
      for (let index = 0; index < 24; index++) {
        const pool = await placed(s, `AD_${index}`);
        sides.set(`${index}`, [...(sides.get(`${index}`) ?? []), pool === CANDIDATE_POOL ? "new" : "old"]);
      }
    }
    for (const [name, [first, second, larger]] of sides) {
      expect(second, name).toBe(first);
      if (first === "new") expect(larger, name).toBe("new");
    }
    expect([...sides.values()].filter(([first]) => first === "new").length).toBeGreaterThan(0);
  });

  test("ramps by the ledger's clock", async () => {
    const s = await divided({
      steps: [
        { after_ms: 1_000, percent: 100 },
        { after_ms: 2_000, percent: 0 },
      ],
    });
    const at = async (order: string) => [(await s.split())?.percent, await placed(s, order)];
    expect(await at("AD_1")).toEqual([0, POOL]);
    s.pass(999);
    expect(await at("AD_2")).toEqual([0, POOL]);
    s.pass(1);
    expect(await at("AD_3")).toEqual([100, CANDIDATE_POOL]);
    s.pass(1_000);
    expect(await at("AD_4")).toEqual([0, POOL]);
  });

  test("is for orders that name no deployment: another goes where it says, and nowhere else", async () => {
    const s = await divided();
    await s.order("AD_1", [newJob("AJ_1", OLD_POOL)], { deployment: "old" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", pool: OLD_POOL });
    await s.order("AD_2", [newJob("AJ_2", "room/other/")], { agent: "other" });
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked", pool: "room/other/" });
    expect(await placed(s, "AD_3")).toBe(CANDIDATE_POOL);
  });

  test("can have another stable deployment than the one that names none", async () => {
    const s = await divided({ stable: "old", steps: [{ after_ms: 0, percent: 0 }] });
    await s.worker("AW_old", 0, {}, "NO_g", OLD_POOL);
    expect(await placed(s, "AD_1")).toBe(OLD_POOL);
  });

  test("below 100 percent nobody waits for the candidate; at 100 they do", async () => {
    const s = await divided({ steps: [{ after_ms: 0, percent: 99.999 }] });
    await s.setPlacement({ max_jobs: 1 });
    expect([await placed(s, "AD_1"), await placed(s, "AD_2")]).toEqual([CANDIDATE_POOL, POOL]);
    await s.order("AD_3");
    expect(await s.admit("AJ_3")).toMatchObject({ status: "parked", pool: POOL });
    await s.setSplit(ALL);
    await s.order("AD_4");
    expect(await s.admit("AJ_4")).toMatchObject({ status: "parked", pool: CANDIDATE_POOL });
    await s.terminate("AJ_1");
    expect(await s.serve(CANDIDATE_POOL)).toMatchObject({ status: "offered", job: { id: "AJ_4" } });
  });

  test.each([
    ["the candidate", CANDIDATE_POOL, "AW_new", POOL],
    ["the stable one", POOL, "AW_stable", CANDIDATE_POOL],
  ])("has %s no worker at all, the other side gets the job", async (_, _pool, worker, other) => {
    const s = await divided(HALF);
    await s.deregister(worker, true);
    for (const order of ["AD_1", "AD_2", "AD_3", "AD_4"]) expect(await placed(s, order)).toBe(other);
  });

  test("a worker that drains is none to wait for", async () => {
    const s = await divided();
    await s.sample("AW_new", 0, { draining: true });
    expect(await placed(s, "AD_1")).toBe(POOL);
  });

  test("a job that waits for a side which is gone looks again by its own timer", async () => {
    const s = await divided();
    await s.setPlacement({ max_jobs: 1 });
    expect(await placed(s, "AD_1")).toBe(CANDIDATE_POOL);
    expect(await placed(s, "AD_2")).toBeUndefined();
    expect(await s.timer("job|AJ_2")).toBe(s.nowMs + SIDE_LOOK_MS);
    s.pass(SIDE_LOOK_MS);
    expect(await s.expireJob("AJ_2")).toEqual({ status: "idle" });
    expect(await s.timer("job|AJ_2")).toBe(s.nowMs + SIDE_LOOK_MS);
    await s.accept("AJ_1", "AW_new", 1);
    await s.deregister("AW_new", true);
    s.pass(SIDE_LOOK_MS);
    expect(await s.expireJob("AJ_2")).toMatchObject({ status: "requeued" });
    expect(await again(s, "AJ_2")).toBe(POOL);
  });

  test.each([
    ["failed", (s: Scene, epoch: number, job: string) => s.report(job, "AW_new", "failed").then(() => epoch)],
    [
      "never_started",
      async (s: Scene, _: number, job: string) => {
        s.pass(60_000);
        await s.expireJob(job);
      },
    ],
    [
      "worker_lost",
      async (s: Scene, epoch: number, job: string) => {
        await s.seen(job, "AW_new", epoch);
        await s.deregister("AW_new");
        await s.settle(job, epoch, "absent");
      },
    ],
  ] as const)("a job that %s there goes to the stable one, and counts as bad once", async (why, goWrong) => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 49, min_jobs: 2 } });
    const epoch = await started(s, "AJ_1");
    await goWrong(s, epoch, "AJ_1");
    s.pass(30_000);
    expect(await again(s, "AJ_1")).toBe(POOL);
    expect(await s.split()).toMatchObject({ candidate: { jobs: 1, good: 0, bad: 1 }, stable: { jobs: 0 } });
    await s.register("AW_new", {}, "NO_g", CANDIDATE_POOL);
    await s.seen("AJ_2", "AW_new", await started(s, "AJ_2"));
    expect(await s.split()).toMatchObject({ split: { why, bad_jobs: 1, counted_jobs: 2 } });
  });

  test("silence sends a job home at once; a no only when nobody else of the candidate takes it", async () => {
    const s = await divided();
    await s.worker("AW_new2", 0.3, {}, "NO_g", CANDIDATE_POOL);
    await s.order("AD_1");
    expect(await s.admit("AJ_1")).toMatchObject({ job: { session: "AW_new" } });
    await s.reject("AJ_1", "AW_new", 1, "silent");
    expect(await again(s, "AJ_1")).toBe(POOL);
    await s.order("AD_2");
    const first = await s.admit("AJ_2");
    expect(first).toMatchObject({ job: { session: "AW_new2" } });
    await s.reject("AJ_2", "AW_new2", 1);
    expect(await again(s, "AJ_2")).toBe(POOL);
    expect(await s.split()).toMatchObject({ candidate: { good: 0, bad: 2 }, lately_bad: 2 });
  });

  test("one that could not be asked speaks against nobody", async () => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 0, min_jobs: 1 } });
    await s.order("AD_1");
    await s.admit("AJ_1");
    await s.reject("AJ_1", "AW_new", 1, "undelivered");
    await s.admit("AJ_1");
    expect(await s.split()).toMatchObject({ candidate: { jobs: 1, good: 0, bad: 0 } });
    expect((await s.split())?.split.rolled_back_at).toBeUndefined();
  });

  test("what runs is good, and bad when it fails after all", async () => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 49, min_jobs: 2 } });
    for (const job of ["AJ_1", "AJ_2"]) await s.seen(job, "AW_new", await started(s, job));
    expect(await s.split()).toMatchObject({ candidate: { good: 2, bad: 0 }, lately_good: 2 });
    await s.report("AJ_1", "AW_new", "success");
    expect(await s.split()).toMatchObject({ candidate: { good: 2, bad: 0 } });
    await s.report("AJ_2", "AW_new", "failed");
    expect(await s.split()).toMatchObject({
      candidate: { good: 1, bad: 1 },
      ...{ lately_good: 1, lately_bad: 1, percent: 0 },
      split: { bad_jobs: 1, counted_jobs: 2, rolled_back_at: s.nowMs },
    });
  });

  test.each([
    ["failures", (s: Scene, job: string) => s.report(job, "AW_new", "failed")],
    ["refusals", async (s: Scene, job: string) => s.reject(job, "AW_new", 1)],
  ] as const)(
    "%s roll it back: from then on all go to the stable one, until it is set anew",
    async (by, goWrong) => {
      const rollback = { max_bad_percent: 50, min_jobs: 3 };
      const s = await divided({ ...ALL, rollback });
      await s.setPlacement({ job_load: 0.01 });
      for (const order of ["AD_1", "AD_2", "AD_3"]) {
        expect(await placed(s, order)).toBe(CANDIDATE_POOL);
        if (by === "failures") await s.accept(jobOf(order), "AW_new", 1);
        // Longer than those that fail at once: such a worker is ejected by itself.
        if (by === "failures") await s.seen(jobOf(order), "AW_new", 1);
        s.pass(EARLY_MS);
        await goWrong(s, jobOf(order));
        if (by === "refusals") expect(await again(s, jobOf(order))).toBe(POOL);
      }
      expect(await placed(s, "AD_4")).toBe(POOL);
      const { rolled_back_at: at } = (await s.split())?.split ?? {};
      expect(at).toBeGreaterThan(0);
      expect(await s.timer("split|agent")).toBe(at);
      expect(await s.expireSplit()).toMatchObject({
        status: "rolled_back",
        split: { candidate: "new" },
      });
      expect(await s.expireSplit()).toEqual({ status: "idle" });
      await s.setSplit({ ...ALL, rollback });
      expect(await placed(s, "AD_5")).toBe(CANDIDATE_POOL);
      expect(await s.split()).toMatchObject({ candidate: { jobs: 1, bad: 0 }, lately_bad: 0 });
    },
  );

  test("a good one can make them enough to judge by", async () => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 40, min_jobs: 2 } });
    await started(s, "AJ_1");
    await s.report("AJ_1", "AW_new", "failed");
    expect((await s.split())?.split.rolled_back_at).toBeUndefined();
    await s.seen("AJ_2", "AW_new", await started(s, "AJ_2"));
    expect(await s.split()).toMatchObject({ split: { rolled_back_at: s.nowMs, bad_jobs: 1, why: "failed" } });
  });

  test("what waits for the candidate goes home when it is rolled back, and when the split is taken back", async () => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 0, min_jobs: 1 } });
    await s.setPlacement({ max_jobs: 1 });
    await started(s, "AJ_1");
    expect([await placed(s, "AD_2"), await placed(s, "AD_3")]).toEqual([undefined, undefined]);
    await s.report("AJ_1", "AW_new", "failed");
    s.pass(SIDE_LOOK_MS);
    await s.expireJob("AJ_2");
    expect(await again(s, "AJ_2")).toBe(POOL);
    await s.setSplit(undefined);
    await s.expireJob("AJ_3");
    expect(await s.admit("AJ_3")).toMatchObject({ status: "parked", pool: POOL });
  });

  test("only the newest hundred count, and none that is older than ten minutes", {
    timeout: 30_000,
  }, async () => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 3, min_jobs: 100 } });
    await s.setPlacement({ job_load: 0, max_load: 1 });
    const fail = async (job: string) => {
      await s.seen(job, "AW_new", await started(s, job, { restart_policy: "never" }));
      s.pass(EARLY_MS);
      await s.report(job, "AW_new", "failed");
    };
    for (let index = 0; index < 3; index++) await fail(`AJ_old${index}`);
    s.pass(1_000);
    for (let index = 0; index < 99; index++) {
      await started(s, `AJ_${index}`);
      await s.report(`AJ_${index}`, "AW_new", "success");
    }
    expect(await s.split()).toMatchObject({ lately_good: 99, lately_bad: 1 });
    s.pass(599_000);
    expect(await s.split()).toMatchObject({ lately_good: 99, lately_bad: 0 });
    s.pass(1_000);
    for (let index = 0; index < 4; index++) await fail(`AJ_new${index}`);
    expect(await s.split()).toMatchObject({ lately_good: 0, lately_bad: 4, candidate: { bad: 7 } });
    expect((await s.split())?.split.rolled_back_at).toBeUndefined();
  });

  test("a lost worker that is back before another was asked keeps its job, though that had gone home", async () => {
    const s = await divided();
    const epoch = await started(s, "AJ_1");
    await s.seen("AJ_1", "AW_new", epoch);
    await s.deregister("AW_new");
    await s.settle("AJ_1", epoch, "absent");
    await s.sample("AW_stable", 1, { status: "full" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", pool: POOL });
    await s.register("AW_back", {}, "NO_g", CANDIDATE_POOL);
    expect(await s.migrate("AW_back", "AJ_1")).toMatchObject({ moved: [{ job: "AJ_1" }], refused: [] });
    expect(await s.field("job", "AJ_1", "pool")).toBe(CANDIDATE_POOL);
  });

  test("fallback steps go on as written, and what comes of them is not the candidate's", async () => {
    const s = await divided({ ...ALL, rollback: { max_bad_percent: 0, min_jobs: 1 } });
    await s.setPlacement({ max_jobs: 1 });
    await s.worker("AW_second", 0, {}, "NO_g", SECOND_POOL);
    const steps = [
      { pool: "agent/", after_ms: 0 },
      { pool: "second/", after_ms: 5_000 },
    ];
    expect(await placed(s, "AD_1")).toBe(CANDIDATE_POOL);
    expect(await placed(s, "AD_2", { fallback: JSON.stringify(steps) })).toBeUndefined();
    s.pass(5_000);
    expect(await s.expireJob("AJ_2")).toEqual({ status: "fell_back" });
    expect(await again(s, "AJ_2")).toBe(SECOND_POOL);
    await s.accept("AJ_2", "AW_second", 1);
    await s.report("AJ_2", "AW_second", "failed");
    expect(await s.split()).toMatchObject({ candidate: { jobs: 2, bad: 0 } });
  });

  test("an order that is let go is divided then", async () => {
    const s = await divided();
    await s.order("AD_1", undefined, { held: 1 });
    await s.admit("AJ_1");
    await s.release("AD_1");
    expect(await again(s, "AJ_1")).toBe(CANDIDATE_POOL);
  });

  test("events name the deployment that is really asked", async () => {
    const s = await divided();
    s.listenMs = 600_000;
    await placed(s, "AD_1");
    const entries = await s.redis.xrange(`muster:{${s.namespace}}:events`, "-", "+");
    const told = entries.map(([id, fields]) => jobEventOf(s.namespace, id, fields));
    expect(told.at(-1)).toMatchObject({ event: "agent_job_offered", agentName: "agent", deployment: "new" });
  });

  test("no more are kept than allowed, and one that is there may always be set anew", async () => {
    const s = scene();
    for (const agent of ["a", "b", "c"]) expect(await s.setSplit({}, agent)).toMatchObject({ status: "set" });
    expect(await s.setSplit({}, "d")).toEqual({ status: "full", count: 3 });
    const before = (await s.split("c"))?.split.id ?? 0;
    s.pass(1_000);
    expect(await s.setSplit({}, "c")).toMatchObject({ hadOne: 1, startedAt: s.nowMs - 1_000 });
    expect((await s.split("c"))?.split.id).toBe(before);
    s.nowMs -= 1_000;
    expect(await s.setSplit(ALL, "c")).toMatchObject({ hadOne: 1 });
    expect((await s.split("c"))?.split.id).toBe(before + 1);
    expect(await s.setSplit(undefined, "c")).toEqual({ status: "set", startedAt: 0, hadOne: 1 });
    expect(await s.split("c")).toBeUndefined();
  });
});
