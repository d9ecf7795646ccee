/** A worker that is back on a new session with the jobs that it still runs. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { ENTERING_MS, GRACE_MS, POOL, START_MS, STOP_MS } from "./scene.js";

const NOTHING = {
  ...{ moved: [], stops: [], refused: [], held: [], closed: [] },
  ...{ orphaned: [], requeued: [], serve: [] },
};
const migrated = (rest: object) => ({ status: "migrated", ...NOTHING, ...rest });
const moved = (job: string, epoch: number, wire = job) => ({ job, wire, epoch });

onEachRedis("migration", (scene) => {
  test("orphans move to the session that names them, once", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.starting("AJ_2", "AW_1");
    await s.deregister("AW_1");
    await s.register("AW_2", { cap: 3 });
    const both = migrated({ moved: [moved("AJ_1", 2), moved("AJ_2", 2)] });
    expect(await s.migrate("AW_2", "AJ_1", "AJ_2")).toEqual(both);
    expect(await s.migrate("AW_2", "AJ_1", "AJ_2")).toEqual(both);
    for (const job of ["AJ_1", "AJ_2"]) {
      expect(await s.field("job", job, "state")).toBe("running");
      expect(await s.field("job", job, "gateway")).toBe("NO_g");
      expect(await s.timer(`job|${job}`)).toBeUndefined();
    }
    expect(await s.field("session", "AW_2", "reports")).toBe("1");
    const held = [{ job: "AJ_1", session: "AW_1", epoch: 1, wire: "AJ_1" }];
    expect(await s.assert(held)).toMatchObject({ stops: [{ session: "AW_1", wire: "AJ_1" }] });
    expect(await s.report("AJ_1", "AW_2", "success")).toMatchObject({ status: "ended" });
  });

  test("the returned session is not offered more than fits beside what it brought", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.running("AJ_2", "AW_1");
    await s.deregister("AW_1");
    for (const job of ["AD_3", "AD_4"]) await s.order(job);
    await s.register("AW_2", { cap: 3 });
    await s.migrate("AW_2", "AJ_1", "AJ_2");
    expect(await s.loadInPool("AW_2")).toBeUndefined();
    s.pass(1);
    await s.sample("AW_2", 0.2);
    expect(await s.admit("AJ_3")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
    expect(await s.admit("AJ_4")).toMatchObject({ status: "parked", behind: 0 });
  });

  test.each([
    ["from another address", { client_ip: "10.9.9.9" }],
    ["with another API key", { api_key: "API_other" }],
  ])(
    "a worker %s takes nothing from a holder that is there, and all that is its own once it is gone",
    async (_, facts) => {
      const s = scene();
      await s.worker("AW_1");
      await s.running("AJ_1", "AW_1");
      await s.worker("AW_2", 0, facts);
      for (let times = 0; times < 2; times++)
        expect(await s.migrate("AW_2", "AJ_1")).toEqual(migrated({ held: ["AJ_1"] }));
      expect(await s.field("job", "AJ_1", "session")).toBe("AW_1");
      expect(await s.field("job", "AJ_1", "epoch")).toBe("1");
      expect(await s.field("session", "AW_1", "status")).toBe("available");
    },
  );

  test("one that came back from another address has its job once the old socket is gone", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.worker("AW_2", 0, { client_ip: "10.9.9.9" });
    expect(await s.migrate("AW_2", "AJ_1")).toEqual(migrated({ held: ["AJ_1"] }));
    await s.deregister("AW_1");
    expect(await s.migrate("AW_2", "AJ_1")).toMatchObject({ moved: [moved("AJ_1", 2)], held: [] });
  });

  test("a half-open holder is lost, with all that it had", async () => {
    const s = scene();
    await s.worker("AW_1", 0, {}, "NO_h");
    await s.running("AJ_1", "AW_1");
    await s.starting("AJ_2", "AW_1");
    await s.running("AJ_3", "AW_1");
    await s.offered("AJ_4", "AW_1");
    await s.register("AW_2");
    expect(await s.migrate("AW_2", "AJ_2", "AJ_1")).toEqual(
      migrated({
        moved: [moved("AJ_2", 2), moved("AJ_1", 2)],
        closed: [{ session: "AW_1", gateway: "NO_h" }],
        orphaned: ["AJ_3"],
        requeued: ["AJ_4"],
      }),
    );
    expect(await s.sample("AW_1", 0, {}, "NO_h")).toMatchObject({ unknown: ["AW_1"] });
    expect(await s.timer("job|AJ_3")).toBe(s.nowMs + GRACE_MS);
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({
      status: "refused",
      reason: "unknown_session",
    });
    const held = [{ job: "AJ_1", session: "AW_1", epoch: 1, wire: "AJ_1" }];
    expect(await s.assert(held, "NO_h")).toMatchObject({ stops: [{ session: "AW_1", wire: "AJ_1" }] });
    expect(await s.migrate("AW_2", "AJ_1")).toEqual(migrated({ moved: [moved("AJ_1", 2)], serve: [] }));
  });

  test("what is over, or went on elsewhere, is to be stopped, and takes a place until it is", async () => {
    const s = scene();
    await s.reporter("AW_1");
    await s.running("AJ_over", "AW_1");
    await s.starting("AJ_else", "AW_1");
    await s.orphan("AJ_failed", "AW_1");
    s.pass(START_MS);
    await s.worker("AW_3");
    await s.settle("AJ_else", 1, "absent");
    expect(await s.admit("AJ_else")).toMatchObject({ job: { session: "AW_3", wire: "AJ_else.2" } });
    await s.endJob("AJ_over");
    await s.report("AJ_failed", "AW_3", "failed");
    await s.register("AW_2", { cap: 3 });
    const names = ["AJ_over", "AJ_else", "AJ_failed"];
    const stops = migrated({ stops: names });
    expect(await s.migrate("AW_2", ...names)).toEqual(stops);
    const ends = s.nowMs + STOP_MS;
    s.pass(1_000);
    expect(await s.migrate("AW_2", ...names)).toEqual(stops);
    expect(await s.timer("stop|AW_2|AJ_over")).toBe(ends);
    expect(await s.sample("AW_2", 0)).toMatchObject({ serve: [] });
    expect(await s.loadInPool("AW_2")).toBeUndefined();
    expect((await s.assert()).status === "renewed").toBe(true);
    const told = await s.assert();
    expect(told.status === "renewed" && told.stops.map(({ wire }) => wire).sort()).toEqual(names.sort());
    expect(await s.report("AJ_over", "AW_2", "success")).toEqual({ status: "released", serve: "" });
    expect(await s.loadInPool("AW_2")).toBeDefined();
    s.nowMs = ends;
    expect(await s.expireStop("AW_2|AJ_else")).toEqual({ status: "released", serve: "" });
    expect(await s.field("job", "AJ_else", "session")).toBe("AW_3");
  });

  test("what is unknown, or of another agent, is refused; the rest is not held up", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.orphan("AJ_1", "AW_1");
    await s.register("AW_other", {}, "NO_g", "room/other/");
    const refused = ["AJ_1", "AJ_none"];
    expect(await s.migrate("AW_other", ...refused)).toEqual(migrated({ refused }));
    expect(await s.migrate("AW_none", "AJ_1")).toEqual({ status: "unknown_session" });
    await s.register("AW_2");
    for (const wire of ["AJ_1.", "AJ_1.0", "AJ_1.x", "AJ_1.9999999", "AJ_1.2.2"])
      expect(await s.migrate("AW_2", wire)).toEqual(migrated({ refused: [wire] }));
    expect(await s.migrate("AW_2", "AJ_none", "AJ_1")).toEqual(
      migrated({ refused: ["AJ_none"], moved: [moved("AJ_1", 2)] }),
    );
  });

  test("one that was sent to be resumed is taken back while nobody else was asked", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    await s.settle("AJ_1", epoch, "absent");
    await s.admit("AJ_1");
    expect(await s.field("job", "AJ_1", "state")).toBe("parked");
    await s.register("AW_2");
    expect(await s.migrate("AW_2", "AJ_1")).toEqual(migrated({ moved: [moved("AJ_1", 2)] }));
    expect(await s.serve()).toEqual({ status: "empty" });
  });

  test("one that Redis forgot was accepted, or offered, belongs to the worker that runs it", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.offered("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.register("AW_2");
    expect(await s.migrate("AW_2", "AJ_1", "AJ_2.3")).toMatchObject({
      moved: [moved("AJ_1", 2), moved("AJ_2", 1, "AJ_2.3")],
    });
    expect(await s.loadInPool("AW_1")).toBe(0);
    expect(await s.accept("AJ_1", "AW_1", 1)).toEqual({ status: "stale", state: "running" });
    expect(await s.field("job", "AJ_2", "offers")).toBe("3");
  });

  test("of two sessions that name one job at once, one holds it and the other is closed", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.orphan("AJ_1", "AW_1");
    await s.register("AW_2");
    await s.register("AW_3");
    await Promise.all(["AW_2", "AW_3"].map((session) => s.migrate(session, "AJ_1")));
    const holder = await s.field("job", "AJ_1", "session");
    const other = holder === "AW_2" ? "AW_3" : "AW_2";
    expect(await s.field("session", other, "id")).toBeUndefined();
    expect(await s.field("job", "AJ_1", "epoch")).toBe("3");
  });

  test.each([
    ["its time is over", 0],
    ["it sent a sample", 1],
    ["it named its jobs", 2],
  ])("a new session in a pool with orphans enters when %s", async (_, way) => {
    const s = scene();
    await s.worker("AW_1");
    await s.orphan("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    expect(await s.register("AW_2")).toEqual({ status: "registered", serve: "", answerMs: 0 });
    expect(await s.register("AW_2")).toEqual({ status: "registered", serve: "", answerMs: 0 });
    expect(await s.loadInPool("AW_2")).toBeUndefined();
    s.pass(ENTERING_MS - 1);
    expect(await s.expireSession("AW_2")).toEqual({ status: "idle" });
    if (way === 1) expect(await s.sample("AW_2", 0)).toMatchObject({ serve: [POOL] });
    if (way === 2) expect(await s.migrate("AW_2", "AJ_none")).toMatchObject({ serve: [POOL] });
    s.pass(1);
    expect(await s.expireSession("AW_2")).toEqual({ status: "back", serve: POOL });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test("a new session enters at once where nobody is missed", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    await s.register("AW_other", {}, "NO_g", "room/other/");
    expect(await s.loadInPool("AW_other", "room/other/")).toBe(0);
    await s.settle("AJ_1", epoch, "absent");
    await s.register("AW_2");
    expect(await s.loadInPool("AW_2")).toBe(0);
  });
});
