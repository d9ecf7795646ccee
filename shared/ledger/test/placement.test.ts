import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { LEASE_MS, newJob, POOL } from "./scene.js";

onEachRedis("placement", (scene) => {
  test("the least loaded session is taken", async () => {
    const s = scene();
    await s.worker("AW_1", 0.5);
    await s.worker("AW_2", 0.1);
    await s.worker("AW_3", 0.3);
    await s.order("AD_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test("a fresh session takes one job at a time until its first sample", async () => {
    const s = scene();
    await s.register("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    await s.accept("AJ_1", "AW_1", epoch);
    expect(await s.serve()).toEqual({ status: "no_room" });
    s.pass(10);
    expect(await s.sample("AW_1", -1)).toEqual({
      status: "sampled",
      unknown: [],
      serve: [],
      miscounted: [],
      misfits: [],
    });
    expect(await s.sample("AW_1", 0.1)).toEqual({
      status: "sampled",
      unknown: [],
      serve: [POOL],
      miscounted: [],
      misfits: [],
    });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_2" } });
  });

  test.each([
    ["full", { status: "full" as const }],
    ["draining", { draining: true }],
  ])("a session that is %s is not offered anything", async (_, sample) => {
    const s = scene();
    await s.worker("AW_1");
    await s.sample("AW_1", 0, sample);
    await s.order("AD_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
    expect(await s.explain("AJ_1")).toMatchObject({ attempts: [{ considered: [] }] });
    expect(await s.sample("AW_1", 0)).toEqual({
      status: "sampled",
      unknown: [],
      serve: [POOL],
      miscounted: [],
      misfits: [],
    });
  });

  test.each([0.7, 0.9, 1, 5])("a session at load %d, whose maximum is 0.7, has no room", async (load) => {
    const s = scene();
    await s.worker("AW_1", load);
    expect(await s.loadInPool("AW_1")).toBeUndefined();
  });

  test("a load that was refused leaves the last good one, and counts on top of it", async () => {
    const s = scene();
    await s.worker("AW_1", 0.2);
    await s.starting("AJ_1", "AW_1");
    s.pass(2_500);
    await s.sample("AW_1", -1);
    expect(await s.loadInPool("AW_1")).toBe(0.3);
    await s.sample("AW_1", 0.25);
    expect(await s.loadInPool("AW_1")).toBe(0.25);
  });

  test("an offer that is open during a sample still counts after it", async () => {
    const s = scene();
    await s.worker("AW_1", 0.2);
    const epoch = await s.offered("AJ_1", "AW_1");
    s.pass(100);
    await s.sample("AW_1", 0.2);
    expect(await s.loadInPool("AW_1")).toBe(0.3);
    s.pass(100);
    await s.accept("AJ_1", "AW_1", epoch);
    await s.sample("AW_1", 0.2);
    expect(await s.loadInPool("AW_1")).toBe(0.3);
    s.pass(1);
    await s.sample("AW_1", 0.35);
    expect(await s.loadInPool("AW_1")).toBe(0.35);
  });

  test("samples of sessions that are not the gateway's are named and change nothing", async () => {
    const s = scene();
    await s.worker("AW_1", 0.2);
    expect(await s.sample("AW_1", 0.9, {}, "NO_other")).toEqual({
      status: "sampled",
      unknown: ["AW_1"],
      serve: [],
      miscounted: [],
      misfits: [],
    });
    expect(await s.sample("AW_none", 0.9)).toEqual({
      status: "sampled",
      unknown: ["AW_none"],
      serve: [],
      miscounted: [],
      misfits: [],
    });
    expect(await s.loadInPool("AW_1")).toBe(0.2);
  });

  test("a batch of samples names each pool to serve once", async () => {
    const s = scene();
    for (const session of ["AW_1", "AW_2"]) await s.worker(session, 1);
    await s.order("AD_1");
    await s.admit("AJ_1");
    const samples = ["AW_1", "AW_2"].map((session) => ({
      ...{ session, status: "available" as const, draining: false, load: 0, job_count: 1 },
    }));
    const reply = await s.ledger.sampleSessions({ ...s.at, gateway: "NO_g", samples });
    expect(reply).toEqual({ status: "sampled", unknown: [], serve: [POOL], miscounted: [], misfits: [] });
    expect(await s.field("session", "AW_2", "counts")).toBe("1");
  });

  test("racing claims never pass a cap, whether offered, accepted or told to stop", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 3, cost: 0 });
    const jobs = Array.from({ length: 12 }, (_, index) => `AJ_${index}`);
    await s.order(
      "AD_1",
      jobs.map((job) => newJob(job)),
    );
    const replies = await Promise.all(jobs.map((job) => s.admit(job)));
    expect(replies.map(({ status }) => status).filter((status) => status === "offered")).toHaveLength(3);
    await s.accept("AJ_0", "AW_1", 1);
    await s.terminate("AJ_0");
    expect(await s.serve()).toEqual({ status: "no_room" });
  });

  test.each([
    [-1, "offered"],
    [0, "parked"],
    [1, "parked"],
  ])("a claim %i ms from the end of the gateway's lease", async (offset, expected) => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(LEASE_MS + offset);
    await s.order("AD_1");
    const reply = await s.admit("AJ_1");
    expect(reply.status).toBe(expected);
    const verdict = expected === "parked" ? "gateway_gone" : "chosen";
    expect(await s.explain("AJ_1")).toMatchObject({ attempts: [{ considered: [{ verdict }] }] });
  });

  test("1,000 claims between two samples are spread evenly over 100 sessions", async () => {
    const s = scene();
    const sessions = Array.from({ length: 100 }, (_, index) => `AW_${index}`);
    for (const session of sessions) await s.worker(session, 0, { cost: 0.05, cap: 12 });
    const jobs = Array.from({ length: 1_000 }, (_, index) => `AJ_${index}`);
    await s.order(
      "AD_1",
      jobs.map((job) => newJob(job)),
    );
    const perSession = new Map<string, number>();
    for (const reply of await Promise.all(jobs.map((job) => s.admit(job)))) {
      if (reply.status !== "offered") throw new Error(`not offered: ${JSON.stringify(reply)}`);
      const session = reply.job.session ?? "";
      perSession.set(session, (perSession.get(session) ?? 0) + 1);
    }
    expect(perSession.size).toBe(100);
    expect(Math.max(...perSession.values())).toBeLessThanOrEqual(12);
  });
});
