/** Starts that failed, or never were: reported failures with their back-off, withdrawn starts, workers that never say. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { GUARD_MS, MAX_ATTEMPTS, newJob, POOL, SILENT_MS, START_MS, STOP_MS, WAIT_MS } from "./scene.js";

onEachRedis("retries", (scene) => {
  test("a job that failed is tried again after a back-off that doubles, until its attempts are used up", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.order("AD_1");
    await s.order("AD_2");
    for (const [attempt, backOffMs] of [1_000, 2_000].entries()) {
      const wire = attempt === 0 ? "AJ_1" : `AJ_1.${attempt + 1}`;
      expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { wire } });
      await s.accept("AJ_1", "AW_1", attempt + 1);
      await s.admit("AJ_2");
      const retrying = { status: "retrying", serve: POOL, due: s.nowMs + backOffMs };
      expect(await s.report("AJ_1", "AW_1", "failed", wire)).toEqual(retrying);
      expect(await s.report("AJ_1", "AW_1", "failed", wire)).toEqual(retrying);
      expect(await s.field("job", "AJ_1", "error")).toBe("boom");
      expect(await s.timer("job|AJ_1")).toBe(s.nowMs + backOffMs);
      s.pass(backOffMs - 1);
      expect(await s.admit("AJ_1")).toEqual({ status: "idle", state: "queued" });
      expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
      s.pass(1);
      expect(await s.expireJob("AJ_1")).toEqual({ status: "requeued", serve: "" });
    }
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { wire: "AJ_1.3" } });
    await s.accept("AJ_1", "AW_1", MAX_ATTEMPTS);
    await s.reinstate("AW_1");
    expect(await s.report("AJ_1", "AW_1", "failed", "AJ_1.3")).toEqual({ status: "ended", serve: POOL });
    expect(await s.report("AJ_1", "AW_1", "failed", "AJ_1.3")).toEqual({ status: "ended", serve: POOL });
    expect(await s.field("job", "AJ_1", "outcome")).toBe("failed");
  });

  test("the back-off ends at 30 s, and what failed may then wait as long as at first", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [{ ...newJob("AJ_1"), max_attempts: 100 }]);
    for (let attempt = 1; attempt <= 8; attempt++) {
      await s.admit("AJ_1");
      await s.accept("AJ_1", "AW_1", attempt);
      await s.seen("AJ_1", "AW_1", attempt);
      s.pass(WAIT_MS / 4);
      expect(
        await s.report("AJ_1", "AW_1", "failed", attempt === 1 ? "AJ_1" : `AJ_1.${attempt}`),
      ).toMatchObject({
        status: "retrying",
      });
      const backOffMs = Math.min(30_000, 1_000 * 2 ** (attempt - 1));
      expect(await s.timer("job|AJ_1")).toBe(s.nowMs + backOffMs);
      s.pass(backOffMs);
    }
  });

  test("a job that nobody else may take is not tried again", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.simulate("AJ_1", "AW_1");
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    expect(await s.report("AJ_1", "AW_1", "failed")).toEqual({ status: "ended", serve: "" });
  });

  test("a failure that arrives on the worker's next socket counts as one", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.orphan("AJ_1", "AW_1");
    await s.worker("AW_2");
    expect(await s.report("AJ_1", "AW_2", "failed")).toMatchObject({ status: "retrying", serve: "" });
    expect(await s.report("AJ_1", "AW_2", "running")).toEqual({ status: "refused", reason: "queued" });
  });

  test("a job of a deleted order is not tried again", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [newJob("AJ_1"), newJob("AJ_2")]);
    for (const job of ["AJ_1", "AJ_2"]) {
      await s.admit(job);
      await s.accept(job, "AW_1", 1);
      await s.seen(job, "AW_1", 1);
    }
    await s.deregister("AW_1");
    expect(await s.deleteOrder("AD_1", 1)).toMatchObject({ more: 1 });
    expect(await s.settle("AJ_1", 1, "absent")).toEqual({ status: "stale", state: "ended" });
    expect(await s.settle("AJ_2", 1, "absent")).toEqual({ status: "resumed", serve: "" });
    expect(await s.admit("AJ_2")).toEqual({ status: "idle", state: "queued" });
    expect(await s.expireJob("AJ_2")).toEqual({ status: "ended", outcome: "canceled", serve: "" });
  });

  test.each([
    [-1, "idle"],
    [0, "stopping"],
    [1, "stopping"],
  ])(
    "a worker that was never seen to report is believed for long: %i ms from then",
    async (offset, expected) => {
      const s = scene();
      await s.worker("AW_1", 0, { cap: 1 });
      await s.starting("AJ_1", "AW_1");
      const startedAt = s.nowMs;
      s.pass(START_MS);
      expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
      expect(await s.timer("job|AJ_1")).toBe(startedAt + SILENT_MS);
      s.nowMs = startedAt + SILENT_MS + offset;
      const reply = await s.expireJob("AJ_1");
      expect(reply.status).toBe(expected);
      if (reply.status !== "stopping") return;
      expect(reply.stop).toMatchObject({ session: "AW_1", wire: "AJ_1" });
      expect(reply.outcome).toBe("unknown");
      expect(await s.field("job", "AJ_1", "outcome")).toBe("unknown");
      expect(await s.loadInPool("AW_1")).toBeUndefined();
      s.pass(STOP_MS);
      expect(await s.expireStop("AW_1|AJ_1")).toEqual({ status: "released", serve: "" });
    },
  );

  test("a start whose assignment never left is taken back, without blame and as no attempt", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    const epoch = await s.starting("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    const requeued = { status: "requeued", serve: POOL };
    expect(await s.withdraw("AJ_1", "AW_2", epoch)).toEqual({ status: "stale", state: "starting" });
    expect(await s.withdraw("AJ_1", "AW_1", epoch + 1)).toEqual({ status: "stale", state: "starting" });
    expect(await s.withdraw("AJ_1", "AW_1", epoch)).toEqual(requeued);
    expect(await s.withdraw("AJ_1", "AW_1", epoch)).toEqual(requeued);
    expect(await s.withdraw("AJ_none", "AW_1", epoch)).toEqual({ status: "stale", state: "unknown" });
    expect(await s.field("job", "AJ_1", "attempts")).toBe("0");
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    expect(await s.admit("AJ_1")).toMatchObject({
      status: "offered",
      job: { session: "AW_1", wire: "AJ_1.2" },
    });
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "offered" });
    expect(await s.withdraw("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "offered" });
  });

  test("it is taken back even when its session was lost meanwhile, but not once it runs", async () => {
    const s = scene();
    await s.worker("AW_1");
    const lost = await s.starting("AJ_1", "AW_1");
    await s.deregister("AW_1");
    expect(await s.withdraw("AJ_1", "AW_1", lost)).toEqual({ status: "requeued", serve: "" });
    await s.worker("AW_2");
    await s.running("AJ_2", "AW_2");
    expect(await s.withdraw("AJ_2", "AW_2", 1)).toEqual({ status: "stale", state: "running" });
  });

  test("of a withdrawal, a sighting and a failure at once, one moves the job", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cost: 0 });
    for (let round = 0; round < 10; round++) {
      const job = `AJ_${round}`;
      const epoch = await s.starting(job, "AW_1");
      const calls = [
        () => s.withdraw(job, "AW_1", epoch),
        () => s.seen(job, "AW_1", epoch),
        () => s.report(job, "AW_1", "failed"),
      ];
      const order = [...calls.slice(round % 3), ...calls.slice(0, round % 3)];
      const replies = await Promise.all(order.map((call) => call()));
      const sent = replies.filter(({ status }) => status === "requeued" || status === "retrying");
      expect(sent).toHaveLength(1);
      expect(await s.field("job", job, "state")).toBe("queued");
      await s.endJob(job);
      await s.reinstate("AW_1");
    }
  });
});
