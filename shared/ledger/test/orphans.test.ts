/** Jobs whose holder's socket is gone: when their timer is due, and what is decided by which evidence. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { GRACE_MS, GUARD_MS, newJob, POOL, RECHECK_MS, type Scene, SILENT_MS, START_MS } from "./scene.js";

onEachRedis("orphans", (scene) => {
  test.each([
    [-1, { status: "idle" }],
    [0, { status: "orphaned", epoch: 1 }],
    [1, { status: "orphaned", epoch: 1 }],
  ])("the timer of one, %i ms from the end of its grace", async (offset, expected) => {
    const s = scene();
    await s.worker("AW_1");
    await s.orphan("AJ_1", "AW_1");
    s.pass(GRACE_MS + offset);
    expect(await s.expireJob("AJ_1")).toEqual(expected);
    if (expected.status === "idle") return;
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
  });

  test("a grace that ended while we were away starts again", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    s.pass(GRACE_MS + 10);
    const due = s.nowMs - 10;
    expect(await s.expireJob("AJ_1", due + 1)).toEqual({ status: "idle" });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GRACE_MS);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({
      status: "kept",
      due: s.nowMs + GRACE_MS,
    });
    s.pass(GRACE_MS);
    expect(await s.expireJob("AJ_1", due + 1)).toEqual({ status: "orphaned", epoch });
  });

  test.each(["absent", "unknown"] as const)(
    "one that is %s in a room where nobody is left ends well instead of being resumed",
    async (verdict) => {
      const s = scene();
      await s.worker("AW_1");
      const epoch = await s.orphan("AJ_1", "AW_1");
      await s.worker("AW_2", 0, { cap: 1 });
      const kept = await s.settle("AJ_1", epoch, "present", false, { deserted: true });
      expect(kept).toMatchObject({ status: "kept" });
      s.pass(GRACE_MS);
      const settled = await s.settle("AJ_1", epoch, verdict, false, { deserted: true });
      expect(settled).toEqual({ status: "ended", outcome: "success", serve: "" });
      expect(await s.field("job", "AJ_1", "cause")).toBe("nobody_left");
      expect(await s.field("order", "AD_1", "state")).toBe("ended");
      expect(await s.settle("AJ_1", epoch, verdict)).toEqual({ status: "stale", state: "ended" });
    },
  );

  test("one whose agent may be in the room is nobody else's to try until that was put out", async () => {
    const s = scene();
    await s.worker("AW_1");
    const [unknown, absent] = [await s.orphan("AJ_1", "AW_1"), "AJ_2"];
    await s.worker("AW_2");
    const epoch = await s.orphan(absent, "AW_2");
    s.pass(GRACE_MS);
    await s.settle("AJ_1", unknown, "unknown", false, { removeMs: 1_000 });
    await s.settle(absent, epoch, "absent", false, { removeMs: 1_000 });
    expect(await s.timer(`job|${absent}`)).toBe(s.nowMs);
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + 1_000);
    s.pass(999);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    s.pass(1);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "requeued" });
  });

  test("one that is absent is resumed at once, by whoever has room; that is no attempt", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    await s.worker("AW_2");
    s.pass(100);
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "resumed", serve: "" });
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "resumed", serve: "" });
    expect(await s.field("job", "AJ_1", "resumed_at")).toBe(`${s.nowMs}`);
    expect(await s.admit("AJ_1")).toMatchObject({
      status: "offered",
      job: { session: "AW_2", wire: "AJ_1.2", epoch: "2", resumed_at: `${s.nowMs}` },
    });
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "stale", state: "offered" });
    await s.accept("AJ_1", "AW_2", 2);
    expect(await s.field("job", "AJ_1", "attempts")).toBe("1");
    expect(await s.settle("AJ_none", 1, "absent")).toEqual({ status: "stale", state: "unknown" });
    expect(await s.settle("AJ_1", 2, "absent")).toEqual({ status: "stale", state: "starting" });
  });

  test("a verdict on an earlier holder says nothing of the present one", async () => {
    const s = scene();
    await s.worker("AW_1");
    const earlier = await s.orphan("AJ_1", "AW_1");
    await s.register("AW_2");
    await s.migrate("AW_2", "AJ_1");
    await s.deregister("AW_2");
    expect(await s.settle("AJ_1", earlier, "absent")).toEqual({ status: "stale", state: "orphaned" });
    expect(await s.settle("AJ_1", earlier + 1, "absent")).toEqual({ status: "resumed", serve: "" });
  });

  test("one that is resumed may wait as long as at first, and wakes up by itself", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    s.pass(10 * 3_600_000);
    await s.expireGateway();
    await s.settle("AJ_1", 1, "absent");
    expect(await s.expireJob("AJ_1")).toEqual({ status: "requeued", serve: "" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
  });

  test.each([
    [-1, "kept"],
    [0, "resumed"],
    [1, "resumed"],
  ])(
    "absence of one never seen to start counts from its start deadline: %i ms from it",
    async (offset, expected) => {
      const s = scene();
      await s.worker("AW_1");
      const epoch = await s.starting("AJ_1", "AW_1");
      const deadline = s.nowMs + START_MS;
      s.pass(1_000);
      await s.deregister("AW_1");
      s.nowMs = deadline + offset;
      const reply = await s.settle("AJ_1", epoch, "absent");
      expect(reply).toMatchObject({ status: expected });
      if (reply.status === "kept")
        expect([reply.due, await s.timer("job|AJ_1")]).toEqual([deadline, deadline]);
    },
  );

  test.each([
    [-1, "kept"],
    [0, "resumed"],
  ])(
    "an agent that warms up is not taken for gone, though its worker said that the job runs: %i ms from the start deadline",
    async (offset, expected) => {
      const s = scene();
      await s.worker("AW_1");
      const epoch = await s.starting("AJ_1", "AW_1");
      const deadline = s.nowMs + START_MS;
      s.pass(6_000);
      await s.report("AJ_1", "AW_1", "running");
      await s.deregister("AW_1");
      s.nowMs = deadline + offset;
      const reply = await s.settle("AJ_1", epoch, "absent", false, { startMs: START_MS });
      expect(reply).toMatchObject({ status: expected });
      if (reply.status === "kept") expect(reply.due).toBe(deadline);
    },
  );

  test("of a worker that never reports, the start deadline is still known when it is over", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    s.pass(START_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    s.pass(1);
    await s.deregister("AW_1");
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "resumed", serve: "" });
  });

  test("one that is present is kept and asked for again, until it was silent for too long", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    const lostAt = s.nowMs;
    s.pass(GRACE_MS);
    expect(await s.settle("AJ_1", epoch, "present")).toEqual({
      status: "kept",
      due: s.nowMs + RECHECK_MS,
      guard: 0,
    });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + RECHECK_MS);
    s.pass(RECHECK_MS - 1);
    expect(await s.settle("AJ_1", epoch, "unknown")).toEqual({ status: "kept", due: s.nowMs + 1, guard: 0 });
    s.nowMs = lostAt + SILENT_MS - 1;
    expect(await s.settle("AJ_1", epoch, "present")).toEqual({
      status: "kept",
      due: lostAt + SILENT_MS,
      guard: 0,
    });
    s.pass(1);
    const ended = { status: "ended", outcome: "unknown", serve: "" };
    expect(await s.settle("AJ_1", epoch, "present")).toEqual(ended);
    expect(await s.settle("AJ_1", epoch, "present")).toEqual({ status: "stale", state: "ended" });
    expect(await s.field("job", "AJ_1", "cause")).toBe("worker_lost");
  });

  test.each([
    ["a worker that reported", true, false, -1, "kept"],
    ["a worker that reported", true, false, 0, "resumed"],
    ["a worker that never reported", false, false, 0, "kept"],
    ["a worker that never reported, taken for dead unproven", false, true, -1, "kept"],
    ["a worker that never reported, taken for dead unproven", false, true, 0, "resumed"],
  ])(
    "nothing known of %s (%s, %s), %i ms from the grace's end",
    async (_, reports, unproven, offset, expected) => {
      const s = scene();
      await s.worker("AW_1");
      const epoch = await s.orphan("AJ_1", "AW_1", reports);
      const graceEnds = s.nowMs + GRACE_MS;
      s.nowMs = graceEnds + offset;
      const reply = await s.settle("AJ_1", epoch, "unknown", unproven);
      expect(reply.status).toBe(expected);
      if (reply.status === "kept") expect(reply.due).toBe(offset < 0 ? graceEnds : s.nowMs + RECHECK_MS);
    },
  );

  test("one of which nothing is ever known ends as unknown", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    const epoch = await s.orphan("AJ_1", "AW_1", false);
    s.pass(SILENT_MS - 1);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "kept", due: s.nowMs + 1 });
    s.pass(1);
    expect(await s.settle("AJ_1", epoch, "unknown")).toMatchObject({ status: "ended", outcome: "unknown" });
  });

  test("a job that is not restarted, or has nobody else, ends as failed instead", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [newJob("AJ_1")], { restart_policy: "never" });
    await s.simulate("AJ_2", "AW_1");
    for (const job of ["AJ_1", "AJ_2"]) {
      await s.admit(job);
      await s.accept(job, "AW_1", 1);
      await s.seen(job, "AW_1", 1);
    }
    await s.deregister("AW_1");
    const ended = { status: "ended", outcome: "failed", serve: "" };
    expect(await s.settle("AJ_1", 1, "absent")).toEqual(ended);
    expect(await s.settle("AJ_2", 1, "absent")).toEqual(ended);
  });

  test("a session that is back under its id is not asked for what it was lost with", async () => {
    const s = scene();
    await lapsed(s);
    await s.register("AW_1", { cap: 1 });
    await s.order("AD_2");
    await s.admit("AJ_2");
    expect(await s.settle("AJ_1", 1, "absent")).toEqual({ status: "resumed", serve: "" });
    expect(await s.field("job", "AJ_1", "excluded")).toBe("AW_1");
    s.pass(300);
    expect(await s.expireSession("AW_1")).toEqual({ status: "back", serve: POOL });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
    const [, attempt] = (await s.explain("AJ_1")).attempts;
    expect(attempt).toMatchObject({ considered: [{ verdict: "excluded" }] });
  });

  test("one that was resumed and not offered yet is taken back by the gateway that still holds it", async () => {
    const s = scene();
    await lapsed(s);
    await s.register("AW_1");
    await s.settle("AJ_1", 1, "absent");
    const held = [{ job: "AJ_1", session: "AW_1", epoch: 1, wire: "AJ_1" }];
    expect(await s.assert(held)).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    expect(await s.assert(held)).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    expect(await s.field("job", "AJ_1", "state")).toBe("running");
    expect(await s.admit("AJ_1")).toEqual({ status: "idle", state: "running" });
  });

  test("the last word of a lost session counts while nobody else has the job", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.orphan("AJ_1", "AW_1");
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "refused", reason: "orphaned" });
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({ status: "ended", serve: "" });
    expect(await s.report("AJ_1", "AW_2", "success")).toEqual({
      status: "refused",
      reason: "unknown_session",
    });
  });

  test("of racing verdicts and a worker that is back, one wins", async () => {
    const s = scene();
    await s.worker("AW_0");
    for (let round = 0; round < 10; round++) {
      const [job, session] = [`AJ_${round}`, `AW_${round}`];
      const epoch = await s.orphan(job, session);
      await s.worker(`AW_${round + 1}`);
      s.pass(GRACE_MS);
      const calls = [
        () => s.settle(job, epoch, "absent"),
        () => s.settle(job, epoch, "unknown"),
        () => s.migrate(`AW_${round + 1}`, job),
        () => s.report(job, `AW_${round + 1}`, "success"),
      ];
      await Promise.all([...calls.slice(round % 4), ...calls.slice(0, round % 4)].map((call) => call()));
      const state = await s.field("job", job, "state");
      expect(["running", "queued", "ended"]).toContain(state);
      await s.endJob(job);
      await s.sample(`AW_${round + 1}`, 0);
    }
  });
});

/** AJ_1 ran on AW_1 (cap 1) when its gateway's lease ended. */
async function lapsed(s: Scene): Promise<void> {
  await s.worker("AW_1", 0, { cap: 1 });
  await s.running("AJ_1", "AW_1");
  s.pass(10 * 3_600_000);
  await s.expireGateway();
}
