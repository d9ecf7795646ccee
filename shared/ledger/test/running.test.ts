import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { MAX_ATTEMPTS, POOL, START_MS, STOP_MS } from "./scene.js";

onEachRedis("running jobs", (scene) => {
  test("seen makes a started job run, once and for good", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    expect(await s.seen("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "offered" });
    await s.accept("AJ_1", "AW_1", epoch);
    expect(await s.seen("AJ_1", "AW_1", epoch + 1)).toEqual({ status: "stale", state: "starting" });
    expect(await s.seen("AJ_1", "AW_2", epoch)).toEqual({ status: "stale", state: "starting" });
    expect(await s.seen("AJ_none", "AW_1", 1)).toEqual({ status: "stale", state: "unknown" });
    expect(await s.seen("AJ_1", "AW_1", epoch)).toEqual({ status: "running" });
    expect(await s.seen("AJ_1", "AW_1", epoch)).toEqual({ status: "running" });
    expect(await s.timer("job|AJ_1")).toBeUndefined();
    await s.endJob("AJ_1");
    expect(await s.seen("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "ended" });
  });

  test("a report of running counts like being seen", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "running" });
    const since = await s.field("job", "AJ_1", "running_at");
    s.pass(1_000);
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "running" });
    expect(await s.field("job", "AJ_1", "running_at")).toBe(since);
    expect(await s.field("session", "AW_1", "reports")).toBe("1");
  });

  test.each(["success", "failed"])(
    "a report of %s ends a job that is not restarted, frees its place, and repeats",
    async (status) => {
      const s = scene();
      await s.worker("AW_1", 0, { cap: 1 });
      await s.order("AD_1", undefined, { restart_policy: "never" });
      await s.admit("AJ_1");
      await s.accept("AJ_1", "AW_1", 1);
      await s.order("AD_2");
      await s.admit("AJ_2");
      const ended = { status: "ended", serve: POOL };
      expect(await s.report("AJ_1", "AW_1", status)).toEqual(ended);
      expect(await s.report("AJ_1", "AW_1", status)).toEqual(ended);
      expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "refused", reason: "ended" });
      expect(await s.field("job", "AJ_1", "outcome")).toBe(status);
      expect(await s.field("job", "AJ_1", "error")).toBe(status === "failed" ? "boom" : "");
      expect(await s.field("order", "AD_1", "state")).toBe("ended");
    },
  );

  test("reports of others are refused, each with its reason", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.5);
    const epoch = await s.offered("AJ_1", "AW_1");
    const refused = (reason: string) => ({ status: "refused", reason });
    expect(await s.report("AJ_1", "AW_none", "success")).toEqual(refused("unknown_session"));
    expect(await s.report("AJ_none", "AW_1", "success")).toEqual(refused("unknown_job"));
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual(refused("offered"));
    await s.accept("AJ_1", "AW_1", epoch);
    expect(await s.report("AJ_1", "AW_2", "running")).toEqual(refused("held_elsewhere"));
    expect(await s.report("AJ_1", "AW_1", "success", "AJ_1.2")).toEqual(refused("held_elsewhere"));
    await s.deregister("AW_1");
    expect(await s.report("AJ_1", "AW_2", "running")).toEqual(refused("orphaned"));
  });

  test("an end counts on the worker's next socket also before the old one is known to be gone", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.worker("AW_2", 0, {}, "NO_h");
    expect(await s.report("AJ_1", "AW_2", "success", "AJ_1.2")).toEqual({
      status: "refused",
      reason: "held_elsewhere",
    });
    expect(await s.report("AJ_1", "AW_2", "success")).toEqual({ status: "ended", serve: "" });
    expect(await s.report("AJ_1", "AW_2", "success")).toEqual({ status: "ended", serve: "" });
  });

  test("an orphan's end is not for another API key to say, nor is it to be taken by that", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.deregister("AW_1");
    await s.worker("AW_2", 0, { api_key: "API_other" });
    expect(await s.report("AJ_1", "AW_2", "success")).toEqual({
      status: "refused",
      reason: "another_worker",
    });
    expect(await s.migrate("AW_2", "AJ_1")).toMatchObject({ moved: [], refused: ["AJ_1"], held: [] });
    expect(await s.field("job", "AJ_1", "state")).toBe("orphaned");
  });

  test.each([
    ["from another address", { client_ip: "10.9.9.9" }],
    ["with another API key", { api_key: "API_other" }],
  ])("who holds a job is who ends it: the word of a worker %s is refused", async (_, facts) => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.worker("AW_2", 0, facts, "NO_h");
    const refused = { status: "refused", reason: "another_worker" };
    for (const status of ["success", "failed"] as const)
      expect(await s.report("AJ_1", "AW_2", status)).toEqual(refused);
    expect(await s.field("job", "AJ_1", "state")).toBe("running");
    expect(await s.report("AJ_1", "AW_1", "success")).toMatchObject({ status: "ended" });
  });

  test("an orphan's end counts from any session of its pool, and from no other", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.deregister("AW_1");
    await s.worker("AW_other", 0, {}, "NO_g", "room/other/");
    await s.worker("AW_2");
    expect(await s.report("AJ_1", "AW_other", "success")).toEqual({
      status: "refused",
      reason: "held_elsewhere",
    });
    expect(await s.report("AJ_1", "AW_2", "success")).toEqual({ status: "ended", serve: "" });
    expect(await s.field("job", "AJ_1", "outcome")).toBe("success");
  });

  test("a terminated job ends at once, and keeps its place until the worker says so", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.running("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    const stop = { job: "AJ_1", session: "AW_1", gateway: "NO_g", wire: "AJ_1", reason: "no longer wanted" };
    expect(await s.terminate("AJ_1")).toMatchObject({ status: "terminated", stop, serve: "" });
    expect(await s.terminate("AJ_1")).toEqual({ status: "final", outcome: "canceled" });
    expect(await s.terminate("AJ_none")).toEqual({ status: "unknown" });
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "refused", reason: "ended" });
    expect(await s.assert()).toMatchObject({ status: "renewed", stops: [stop], unknown: [] });
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({ status: "released", serve: POOL });
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({ status: "refused", reason: "ended" });
    expect(await s.assert()).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    expect(await s.field("job", "AJ_1", "outcome")).toBe("canceled");
  });

  test.each([
    [-1, { status: "idle" }],
    [0, { status: "released", serve: POOL }],
    [1, { status: "released", serve: POOL }],
  ])("the place of one that never confirms, %i ms from the end of its stop", async (offset, expected) => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.running("AJ_1", "AW_1");
    await s.terminate("AJ_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    s.pass(STOP_MS + offset);
    expect(await s.expireStop("AW_1|AJ_1")).toEqual(expected);
    if (expected.status === "released") expect(await s.expireStop("AW_1|AJ_1")).toEqual({ status: "idle" });
  });

  test("a job that no worker holds is terminated without a stop; an offer gives its place back", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.offered("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.order("AD_3");
    await s.admit("AJ_2");
    expect(await s.terminate("AJ_3")).toEqual({ status: "terminated", stop: null, serve: "" });
    expect(await s.terminate("AJ_1")).toEqual({ status: "terminated", stop: null, serve: POOL });
    expect(await s.terminate("AJ_2")).toEqual({ status: "terminated", stop: null, serve: "" });
    expect(await s.accept("AJ_1", "AW_1", 1)).toEqual({ status: "stale", state: "ended" });
  });

  test("of racing ends one counts", async () => {
    const s = scene();
    await s.worker("AW_1");
    for (let round = 0; round < 10; round++) {
      const job = `AJ_${round}`;
      await s.running(job, "AW_1");
      const [report, terminate, end] = await Promise.all([
        s.report(job, "AW_1", "failed"),
        s.terminate(job),
        s.endJob(job, "success"),
        s.deregister("AW_none"),
      ]);
      const winners = [report.status === "ended", terminate.status === "terminated", end.status === "ended"];
      expect(winners.filter(Boolean)).toHaveLength(1);
      await s.expireStop(`AW_1|${job}`);
      await s.reinstate("AW_1");
    }
  });

  test("evidence from outside ends a job whatever its state", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.running("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    expect(await s.endJob("AJ_1", "success")).toEqual({ status: "ended", serve: POOL });
    expect(await s.endJob("AJ_1", "failed")).toEqual({ status: "final", outcome: "success" });
    expect(await s.endJob("AJ_none")).toEqual({ status: "unknown" });
    expect(await s.endJob("AJ_2", "failed")).toEqual({ status: "ended", serve: "" });
  });

  test.each([
    [-1, "idle"],
    [0, "stopping"],
    [1, "stopping"],
  ])("a job never seen to start, %i ms from its deadline", async (offset, expected) => {
    const s = scene();
    await s.reporter("AW_1");
    await s.starting("AJ_1", "AW_1");
    s.pass(START_MS + offset);
    expect((await s.expireJob("AJ_1")).status).toBe(expected);
  });

  test("a job never seen to start is stopped there and tried elsewhere, until its attempts are used up", async () => {
    const s = scene();
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const [session, wire] = [`AW_${attempt}`, attempt === 1 ? "AJ_1" : `AJ_1.${attempt}`];
      await s.reporter(session, attempt / 10);
      if (attempt === 1) await s.order("AD_1");
      expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session, wire } });
      await s.accept("AJ_1", session, attempt);
      s.pass(START_MS);
      expect(await s.expireJob("AJ_1")).toMatchObject({
        status: "stopping",
        stop: { session, wire, gateway: "NO_g" },
        outcome: attempt < MAX_ATTEMPTS ? "" : "failed",
      });
      if (attempt < MAX_ATTEMPTS) expect(await s.timer("job|AJ_1")).toBe(s.nowMs);
      if (attempt < MAX_ATTEMPTS)
        expect(await s.expireJob("AJ_1")).toEqual({ status: "requeued", serve: "" });
    }
    expect(await s.field("job", "AJ_1", "cause")).toBe("never_started");
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    expect(await s.report("AJ_1", "AW_3", "failed", "AJ_1.3")).toEqual({ status: "released", serve: "" });
  });

  test("the stop of a job that was sent elsewhere is confirmed by its former worker", async () => {
    const s = scene();
    await s.reporter("AW_1", 0, { cap: 1 });
    await s.starting("AJ_1", "AW_1");
    s.pass(START_MS);
    await s.expireJob("AJ_1");
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "refused", reason: "queued" });
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    expect(await s.report("AJ_1", "AW_1", "failed")).toEqual({ status: "released", serve: "" });
    expect(await s.loadInPool("AW_1")).toBe(0);
    expect(await s.field("job", "AJ_1", "state")).toBe("queued");
  });
});
