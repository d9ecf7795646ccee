/** Drains that an operator asks for: whom they hold, from when on, and that undoing one gives back what it took. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { DRAIN_OUTLIVES_MS, LEASE_MS, POOL, type Scene, SECOND_POOL } from "./scene.js";

const measure = (s: Scene, drain: string, pools: string[] = [], below = -1, limit = 100) =>
  s.ledger.measureDrain({ ...s.at, drain, pools, below, limit });

onEachRedis("drains", (scene) => {
  test("hold those who are there once they were applied, or said their load", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2");
    await s.putDrain("DR_1", "gateway", "NO_g");
    expect(await s.loadInPool("AW_1")).toBe(0);
    await s.sample("AW_1", 0.2);
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    await s.applyDrains();
    expect(await s.loadInPool("AW_2")).toBeUndefined();
    await s.order("AD_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
  });

  test.each([
    ["gateway", "NO_g", ""],
    ["client_ip", "10.0.0.1", ""],
    ["deployment", "blue", "agent"],
  ])("of a %s hold who registers while they stand, and nobody else", async (kind, value, agent) => {
    const s = scene();
    await s.putDrain("DR_1", kind, value, agent);
    const theirs = { client_ip: "10.0.0.1", deployment: "blue" };
    await s.register("AW_1", theirs);
    await s.sample("AW_1", 0.1);
    expect(await s.field("session", "AW_1", "drained")).toBe("DR_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    const others = {
      gateway: () => s.worker("AW_2", 0, theirs, "NO_h"),
      client_ip: () => s.worker("AW_2", 0, { ...theirs, client_ip: "10.0.0.2" }),
      deployment: async () => {
        await s.worker("AW_2", 0, { ...theirs, agent: "second" });
        await s.worker("AW_3", 0, { ...theirs, deployment: "" });
        expect(await s.loadInPool("AW_3")).toBe(0);
      },
    };
    await others[kind as keyof typeof others]();
    expect(await s.loadInPool("AW_2")).toBe(0);
    expect(await s.field("session", "AW_2", "drained")).toBeUndefined();
  });

  test("of a kind that only a later version has hold nobody", async () => {
    const s = scene();
    await s.putDrain("DR_1", "region", "", "agent");
    await s.worker("AW_1");
    await s.applyDrains();
    expect(await s.loadInPool("AW_1")).toBe(0);
    expect(await s.field("session", "AW_1", "drained")).toBeUndefined();
  });

  test("let what was offered or runs go on, and count it until it is over", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_run", "AW_1");
    const epoch = await s.offered("AJ_open", "AW_1");
    await s.worker("AW_2", 0, {}, "NO_h", SECOND_POOL);
    await s.putDrain("DR_1", "gateway", "NO_g");
    const counts = { sessions: 1, jobs: 1, offers: 1, orphans: 0 };
    expect(await measure(s, "DR_1")).toMatchObject({ ...counts, behind: 1 });
    await s.applyDrains();
    expect(await measure(s, "DR_1")).toMatchObject({ ...counts, behind: 0 });
    expect(await s.accept("AJ_open", "AW_1", epoch)).toMatchObject({ status: "started" });
    expect(await measure(s, "DR_1")).toMatchObject({ jobs: 2, offers: 0 });
    for (const job of ["AJ_run", "AJ_open"]) {
      expect(await s.report(job, "AW_1", "success")).toEqual({ status: "ended", serve: "" });
    }
    expect(await measure(s, "DR_1")).toMatchObject({ sessions: 1, jobs: 0, offers: 0 });
  });

  test("of a deployment count the jobs whose worker's socket is away", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.putDrain("DR_1", "deployment", "", "agent");
    await s.deregister("AW_1");
    expect(await measure(s, "DR_1", [POOL])).toMatchObject({ sessions: 0, jobs: 0, orphans: 1 });
    expect(await measure(s, "DR_1", [SECOND_POOL])).toMatchObject({ orphans: 0 });
  });

  test("undone, give back their sessions at once, and name the pools where jobs wait", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.putDrain("DR_1", "worker", "AW_1");
    await s.applyDrains(100, "AW_1");
    await s.order("AD_1");
    await s.admit("AJ_1");
    expect(await s.deleteDrain("DR_1")).toMatchObject({ status: "deleted" });
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await s.applyDrains(100, "AW_1")).toEqual([POOL]);
    expect(await s.applyDrains(100, "AW_1")).toEqual([]);
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_1", session: "AW_1" } });
  });

  test("undone and not applied, give back their sessions with the next load sample", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.putDrain("DR_1", "client_ip", "127.0.0.1");
    await s.applyDrains();
    await s.order("AD_1");
    await s.admit("AJ_1");
    await s.deleteDrain("DR_1");
    expect(await s.sample("AW_1", 0.1)).toMatchObject({ status: "sampled", serve: [POOL] });
  });

  test("are not undone by the worker's own drain, nor undo it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.putDrain("DR_1", "worker", "AW_1");
    await s.sample("AW_1", 0, { draining: true, status: "full" });
    await s.sample("AW_1", 0, { draining: false });
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    await s.sample("AW_1", 0, { draining: true });
    await s.deleteDrain("DR_1");
    await s.applyDrains();
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    await s.sample("AW_1", 0, { draining: false });
    expect(await s.loadInPool("AW_1")).toBe(0);
  });

  test("that hold one session together let it go with the last of them", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.putDrain("DR_2", "worker", "AW_1");
    await s.putDrain("DR_1", "gateway", "NO_g");
    await s.applyDrains();
    expect(await s.field("session", "AW_1", "drained")).toBe("DR_1,DR_2");
    await s.deleteDrain("DR_2");
    await s.applyDrains();
    expect(await s.field("session", "AW_1", "drained")).toBe("DR_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    await s.deleteDrain("DR_1");
    await s.applyDrains();
    expect(await s.loadInPool("AW_1")).toBe(0);
  });

  test("of a worker end with its session", async () => {
    const s = scene();
    expect(await s.putDrain("DR_1", "worker", "AW_1")).toEqual({ status: "unknown" });
    await s.worker("AW_1");
    await s.putDrain("DR_1", "worker", "AW_1");
    await s.putDrain("DR_2", "gateway", "NO_g");
    await s.deregister("AW_1");
    expect(await measure(s, "DR_1")).toEqual({ status: "unknown" });
    expect(await measure(s, "DR_2")).toMatchObject({ status: "measured", sessions: 0 });
  });

  test("of a worker still hold it when its gateway only lapsed, and end when it does not come back", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2");
    await s.putDrain("DR_1", "worker", "AW_1");
    await s.putDrain("DR_2", "worker", "AW_2");
    s.pass(LEASE_MS);
    await s.expireGateway();
    s.pass(DRAIN_OUTLIVES_MS - 1);
    expect(await s.expireSession("AW_2")).toEqual({ status: "idle" });
    await s.register("AW_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    s.pass(1);
    for (const session of ["AW_1", "AW_2"]) await s.expireSession(session);
    expect(await measure(s, "DR_1")).toMatchObject({ status: "measured", sessions: 1, behind: 0 });
    expect(await measure(s, "DR_2")).toEqual({ status: "unknown" });
  });

  test("of a worker that was lost, and undone, leave nothing to wait for", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.putDrain("DR_1", "worker", "AW_1");
    s.pass(LEASE_MS);
    await s.expireGateway();
    expect(await s.timer("session|AW_1")).toBe(s.nowMs + DRAIN_OUTLIVES_MS);
    await s.deleteDrain("DR_1");
    expect(await s.timer("session|AW_1")).toBeUndefined();
  });

  test("asked for or undone again change nothing; a namespace has so many at most", async () => {
    const s = scene();
    const first = await s.putDrain("DR_1", "gateway", "NO_g", "", 2);
    expect(first).toMatchObject({ status: "stored", created: 1 });
    s.pass(5);
    expect(await s.putDrain("DR_1", "gateway", "NO_g", "", 2)).toEqual({ ...first, created: 0 });
    await s.putDrain("DR_2", "gateway", "NO_h", "", 2);
    expect(await s.putDrain("DR_3", "gateway", "NO_i", "", 2)).toEqual({ status: "full", count: 2 });
    expect(await s.putDrain("DR_1", "gateway", "NO_g", "", 2)).toEqual({ ...first, created: 0 });
    expect((await s.ledger.listDrains(s.at)).texts).toHaveLength(2);
    expect(await s.deleteDrain("DR_1")).toMatchObject({ status: "deleted" });
    expect(await s.deleteDrain("DR_1")).toEqual({ status: "unknown" });
  });

  test("reach everybody page by page, though sessions come and go in between", async () => {
    const s = scene();
    for (let index = 0; index < 9; index++) {
      s.pass(1);
      await s.worker(`AW_${index}`);
    }
    await s.putDrain("DR_1", "gateway", "NO_g");
    const page = (below: number) => s.ledger.applyDrains({ ...s.at, only: "", below, limit: 3 });
    const { next } = await page(-1);
    expect(next).toBe(6);
    // One that had its turn, one that had not, and a new one.
    await s.deregister("AW_8");
    await s.deregister("AW_0");
    s.pass(1);
    await s.register("AW_new");
    for (let below = next; below !== 0; ) ({ next: below } = await page(below));
    for (const id of ["AW_1", "AW_2", "AW_3", "AW_4", "AW_5", "AW_6", "AW_7", "AW_new"])
      expect([id, await s.field("session", id, "drained")]).toEqual([id, "DR_1"]);
    expect(await measure(s, "DR_1", [], -1, 3)).toMatchObject({ sessions: 3, behind: 0, next: 5 });
    expect(await measure(s, "DR_1", [], 2, 3)).toMatchObject({ sessions: 2, next: 0 });
  });
});
