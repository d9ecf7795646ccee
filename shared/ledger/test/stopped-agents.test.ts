/** A job that was stopped, and its agent that may still be in the room: when it is looked for, and what frees its place. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { AGAIN_MS, GRACE_MS, newJob, POOL, REMOVE_MS, START_MS, STOP_MS } from "./scene.js";

const STOP = "AW_1|AJ_1";

onEachRedis("the agent of a stopped job", (scene) => {
  /** Its worker has room for one job, and another one waits. */
  async function stopped(
    how: "terminated" | "deleted" = "terminated",
    removeMs = REMOVE_MS,
    hasJoined = false,
  ) {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    const epoch = await s.running("AJ_1", "AW_1");
    if (hasJoined) await s.agentJoined("AJ_1", "PA_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    if (how === "terminated") await s.terminate("AJ_1", removeMs);
    else await s.deleteOrder("AD_1", 100, removeMs);
    return { s, epoch };
  }

  test.each(["terminated", "deleted"] as const)(
    "is looked for 3 s after it was %s, then less and less often, until its worker's time is over",
    async (how) => {
      const { s, epoch } = await stopped(how);
      const start = s.nowMs;
      s.pass(REMOVE_MS - 1);
      expect(await s.expireStop(STOP)).toEqual({ status: "idle" });
      s.pass(1);
      const agent = { job: "AJ_1", room: "room", identity: "agent-AJ_1", epoch };
      for (const [looks, againMs] of [AGAIN_MS, 2 * AGAIN_MS, 4 * AGAIN_MS].entries()) {
        const due = Math.min(start + STOP_MS, s.nowMs + againMs);
        expect([looks, await s.expireStop(STOP)]).toEqual([looks, { status: "looking", ...agent, due }]);
        expect(await s.expireStop(STOP)).toEqual({ status: "idle" });
        expect(await s.timer(`stop|${STOP}`)).toBe(due);
        s.pass(due - s.nowMs);
      }
      expect(s.nowMs).toBe(start + 17_000);
      expect(await s.expireStop(STOP)).toMatchObject({ status: "looking", due: start + STOP_MS });
      s.pass(start + STOP_MS - s.nowMs);
      expect(await s.serve()).toEqual({ status: "no_room" });
      expect(await s.expireStop(STOP)).toEqual({ status: "released", serve: POOL });
    },
  );

  test("that is found to be gone frees its worker's place at once, and once", async () => {
    const { s } = await stopped();
    s.pass(REMOVE_MS);
    expect(await s.confirmStop(STOP, true)).toEqual({ status: "seen" });
    await s.expireStop(STOP);
    expect(await s.confirmStop(STOP)).toEqual({ status: "released", serve: POOL });
    expect(await s.confirmStop(STOP)).toEqual({ status: "idle" });
    expect(await s.expireStop(STOP)).toEqual({ status: "idle" });
    expect(await s.timer(`stop|${STOP}`)).toBeUndefined();
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_2" } });
    expect(await s.assert()).toMatchObject({ stops: [] });
  });

  test("that was never in its room may be on its way in: not finding it frees nothing before its worker had time to stop", async () => {
    const { s } = await stopped();
    s.pass(REMOVE_MS);
    expect(await s.confirmStop(STOP)).toEqual({ status: "doubted" });
    expect(await s.serve()).toEqual({ status: "no_room" });
    s.pass(STOP_MS - REMOVE_MS);
    expect(await s.expireStop(STOP)).toEqual({ status: "released", serve: POOL });
  });

  test("that LiveKit said had joined is known to have been there", async () => {
    const { s } = await stopped("terminated", REMOVE_MS, true);
    s.pass(REMOVE_MS);
    expect(await s.confirmStop(STOP)).toEqual({ status: "released", serve: POOL });
  });

  test("whose worker has confirmed is not looked for any more", async () => {
    const { s } = await stopped();
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({ status: "released", serve: POOL });
    s.pass(REMOVE_MS);
    expect(await s.expireStop(STOP)).toEqual({ status: "idle" });
    expect(await s.confirmStop(STOP)).toEqual({ status: "idle" });
  });

  test("is looked for by nobody where LiveKit cannot be asked", async () => {
    const { s } = await stopped("terminated", 0);
    s.pass(REMOVE_MS);
    expect(await s.expireStop(STOP)).toEqual({ status: "idle" });
    s.pass(STOP_MS - REMOVE_MS);
    expect(await s.expireStop(STOP)).toEqual({ status: "released", serve: POOL });
  });

  test("is looked for in the midst of an order's many, each for itself", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [newJob("AJ_1"), newJob("AJ_2"), newJob("AJ_3")]);
    for (const job of ["AJ_1", "AJ_2"]) {
      await s.admit(job);
      await s.accept(job, "AW_1", 1);
    }
    await s.deleteOrder("AD_1", 100, REMOVE_MS);
    s.pass(REMOVE_MS);
    expect(await s.expireStop("AW_1|AJ_1")).toMatchObject({ status: "looking", identity: "agent-AJ_1" });
    expect(await s.expireStop("AW_1|AJ_2")).toMatchObject({ status: "looking", identity: "agent-AJ_2" });
    expect(await s.expireStop("AW_1|AJ_3")).toEqual({ status: "idle" });
  });

  test.each(["terminated", "deleted"] as const)(
    "of a lost worker is looked for too when it was %s",
    async (how) => {
      const s = scene();
      await s.worker("AW_1");
      const epoch = await s.orphan("AJ_1", "AW_1");
      // The same worker, on a new session, which does not say what it runs.
      await s.worker("AW_2", 0, { cap: 1 });
      if (how === "terminated") await s.terminate("AJ_1", REMOVE_MS);
      else await s.deleteOrder("AD_1", 100, REMOVE_MS);
      s.pass(REMOVE_MS);
      const agent = { job: "AJ_1", room: "room", identity: "agent-AJ_1", epoch };
      expect(await s.expireStop(STOP)).toMatchObject({ status: "looking", ...agent });
      await s.order("AD_2");
      expect(await s.admit("AJ_2")).toMatchObject({ status: "offered" });
      await s.confirmStop(STOP, true);
      expect(await s.confirmStop(STOP)).toEqual({ status: "released", serve: "" });
      // Whoever comes back with it is told.
      await s.worker("AW_3");
      expect(await s.migrate("AW_3", "AJ_1")).toMatchObject({ status: "migrated", stops: ["AJ_1"] });
    },
  );

  test("of a lost worker keeps its place on a session that only lapsed", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.orphan("AJ_1", "AW_1");
    await s.terminate("AJ_1", REMOVE_MS);
    await s.worker("AW_1", 0, { cap: 1 });
    expect(await s.assert()).toMatchObject({ stops: [{ job: "AJ_1", session: "AW_1" }] });
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({ status: "released", serve: POOL });
  });

  test("that was never seen is looked for until its start deadline", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1");
    await s.admit("AJ_1");
    const start = s.nowMs;
    await s.accept("AJ_1", "AW_1", 1);
    await s.deregister("AW_1");
    await s.terminate("AJ_1", REMOVE_MS);
    s.pass(STOP_MS);
    expect(await s.expireStop(STOP)).toMatchObject({ status: "looking" });
    s.pass(start + START_MS - s.nowMs);
    expect(await s.expireStop(STOP)).toEqual({ status: "released", serve: "" });
  });

  test("whose job waits for another worker is looked for at once, by nobody's session", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.orphan("AJ_1", "AW_1");
    s.pass(GRACE_MS);
    await s.settle("AJ_1", epoch, "unknown", false, { removeMs: 1_000 });
    expect(await s.terminate("AJ_1", REMOVE_MS)).toMatchObject({ status: "terminated", stop: null });
    const agent = { job: "AJ_1", room: "room", identity: "agent-AJ_1", epoch };
    expect(await s.expireStop("|AJ_1")).toMatchObject({ status: "looking", ...agent });
    expect(await s.confirmStop("|AJ_1", true)).toEqual({ status: "seen" });
    expect(await s.confirmStop("|AJ_1")).toEqual({ status: "released", serve: "" });
    expect(await s.timer("stop||AJ_1")).toBeUndefined();
  });

  test.each([
    ["failed", "is not to be tried again", { restarts: "never" as const, deserted: false }],
    ["success", "is alone in its room", { restarts: "on_failure" as const, deserted: true }],
  ])("that ends as %s since it %s is looked for", async (outcome, _why, { restarts, deserted }) => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [newJob("AJ_1")], { restart_policy: restarts });
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    await s.report("AJ_1", "AW_1", "running");
    await s.deregister("AW_1");
    s.pass(GRACE_MS);
    const settled = await s.settle("AJ_1", 1, "unknown", false, { deserted, removeMs: 1_000 });
    expect(settled).toMatchObject({ status: "ended", outcome });
    expect(await s.expireStop(STOP)).toMatchObject({ status: "looking", identity: "agent-AJ_1" });
  });

  test("of a lost worker that left its room of its own will is looked for by nobody", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.running("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    await s.deregister("AW_1");
    await s.agentLeft("AJ_1", "PA_1", "clean");
    const settled = await s.settle("AJ_1", epoch, "absent", false, { removeMs: 1_000 });
    expect(settled).toMatchObject({ status: "ended", outcome: "success" });
    expect(await s.timer(`stop|${STOP}`)).toBeUndefined();
  });
});
