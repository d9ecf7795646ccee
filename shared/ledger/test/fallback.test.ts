/** Fallback steps: who is asked next for a job that nobody takes, when, and what it keeps on the way. */
import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { fallback, newJob, POOL, SECOND_POOL, STEPS, WAIT_MS } from "./scene.js";

const FIRST_MS = STEPS[1].after_ms;
const SECOND_MS = STEPS[2].after_ms;

onEachRedis("fallback", (scene) => {
  const waiting = async (steps: 1 | 2 = 1, order = "AD_1") => {
    const s = scene();
    await s.order(order, undefined, fallback(steps));
    await s.admit(order.replace("AD", "AJ"));
    return s;
  };
  const parked = (pool: string) => scene().redis.zcard(`muster:{${scene().namespace}}:parked:${pool}`);

  test.each([
    [-1, "idle", POOL],
    [0, "fell_back", SECOND_POOL],
    [1, "fell_back", SECOND_POOL],
  ])("looked at %i ms from when its step is due: %s", async (offset, expected, pool) => {
    const s = await waiting();
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + FIRST_MS);
    s.pass(FIRST_MS + offset);
    expect((await s.expireJob("AJ_1")).status).toBe(expected);
    expect((await s.expireJob("AJ_1")).status).toBe("idle");
    expect(await s.field("job", "AJ_1", "pool")).toBe(pool);
  });

  test("the step's worker is asked, and nobody else from then on", async () => {
    const s = await waiting();
    await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
    expect(await s.serve(SECOND_POOL)).toEqual({ status: "empty" });
    s.pass(FIRST_MS);
    await s.expireJob("AJ_1");
    expect(await parked(POOL)).toBe(0);
    await s.worker("AW_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test("a worker of its own agent that comes in time takes it, and no step is gone", async () => {
    const s = await waiting();
    s.pass(FIRST_MS - 1);
    await s.worker("AW_1");
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_1" } });
    s.pass(FIRST_MS);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "requeued" });
    expect(await s.field("job", "AJ_1", "pool")).toBe(POOL);
  });

  test("one that was not tried yet is tried where it stands first, however late", async () => {
    const s = scene();
    await s.order("AD_1", undefined, fallback(1));
    await s.worker("AW_1");
    s.pass(10 * FIRST_MS);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "requeued" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_1" } });
  });

  test("steps are gone one by one, each tried; after the last it waits to the end of its time", async () => {
    const s = await waiting(2);
    const beganAt = s.nowMs;
    s.pass(SECOND_MS);
    for (const pool of [SECOND_POOL, POOL]) {
      expect(await s.expireJob("AJ_1")).toEqual({ status: "fell_back" });
      expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", pool });
    }
    expect(await s.timer("job|AJ_1")).toBe(beganAt + WAIT_MS);
    s.nowMs = beganAt + WAIT_MS;
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "ended", outcome: "expired" });
  });

  test("it keeps its age and priority, and forgets who refused it", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.order("AD_1", undefined, { ...fallback(2), priority: 7 });
    const createdAt = s.nowMs;
    const offered = await s.admit("AJ_1");
    if (offered.status !== "offered") throw new Error(offered.status);
    await s.reject("AJ_1", "AW_1", 1);
    await s.admit("AJ_1");
    s.pass(1);
    await s.order("AD_2", [newJob("AJ_2", SECOND_POOL)], { priority: 7 });
    await s.admit("AJ_2");
    for (let state = ""; state !== "fell_back"; ) {
      s.pass(1_000);
      state = (await s.expireJob("AJ_1")).status;
      if (state === "requeued") {
        const again = await s.admit("AJ_1");
        if (again.status === "offered") await s.reject("AJ_1", "AW_1", Number(again.job.epoch));
        await s.admit("AJ_1");
      }
    }
    expect(await s.field("job", "AJ_1", "excluded")).toBeUndefined();
    await s.admit("AJ_1");
    const line = `muster:{${s.namespace}}:parked:${SECOND_POOL}`;
    expect(await s.redis.zrange(line, "0", "-1")).toEqual(["AJ_1", "AJ_2"]);
    expect(await s.field("job", "AJ_1", "created_at")).toBe(`${createdAt}`);
  });

  test("lost or failed after its start, it stays at its step, whose clock begins again at the end of its back-off", async () => {
    const s = await waiting(2);
    s.pass(FIRST_MS);
    await s.expireJob("AJ_1");
    await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_2", 1);
    s.pass(SECOND_MS);
    expect(await s.report("AJ_1", "AW_2", "failed")).toMatchObject({ status: "retrying" });
    await s.deregister("AW_2");
    s.pass(1_000);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "requeued" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", pool: SECOND_POOL });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + SECOND_MS);
  });

  test("a worker that was lost and is back before another was asked has its job again, at its agent's step", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", undefined, fallback(1));
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    await s.seen("AJ_1", "AW_1", 1);
    await s.deregister("AW_1");
    await s.settle("AJ_1", 1, "absent");
    await s.admit("AJ_1");
    s.pass(FIRST_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "fell_back" });
    await s.admit("AJ_1");
    await s.register("AW_3");
    expect(await s.migrate("AW_3", "AJ_1")).toMatchObject({
      moved: [{ job: "AJ_1", epoch: 2 }],
      refused: [],
    });
    expect(await s.field("job", "AJ_1", "pool")).toBe(POOL);
    expect(await parked(SECOND_POOL)).toBe(0);
  });

  test("one whose job went on at the next step is told to stop", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", undefined, fallback(1));
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    await s.seen("AJ_1", "AW_1", 1);
    await s.deregister("AW_1");
    await s.settle("AJ_1", 1, "absent");
    await s.admit("AJ_1");
    s.pass(FIRST_MS);
    await s.expireJob("AJ_1");
    await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
    await s.register("AW_3");
    expect(await s.migrate("AW_3", "AJ_1")).toMatchObject({ moved: [], stops: ["AJ_1"], refused: [] });
    await s.register("AW_4", {}, "NO_g", "room/stranger/");
    expect(await s.migrate("AW_4", "AJ_1")).toMatchObject({ stops: [], refused: ["AJ_1"] });
  });

  test("a step that Redis forgot is gone again when its worker is asserted", async () => {
    const s = await waiting(2);
    await s.register("AW_2", {}, "NO_g", SECOND_POOL);
    await s.assert([{ job: "AJ_1", session: "AW_2", epoch: 1, wire: "AJ_1" }]);
    expect(await s.field("job", "AJ_1", "state")).toBe("running");
    expect(await s.field("job", "AJ_1", "fallback_step")).toBe("1");
    expect(await parked(POOL)).toBe(0);
  });

  test("participants' jobs have the steps of their order, each of their own type", async () => {
    const s = scene();
    await s.openOrder("AD_1", fallback(1));
    await s.extend("AD_1", [newJob("AJ_ann", "participant/agent/", "participant")]);
    await s.admit("AJ_ann");
    s.pass(FIRST_MS);
    await s.expireJob("AJ_ann");
    expect(await s.admit("AJ_ann")).toMatchObject({ status: "parked", pool: "participant/second/" });
  });

  test("is told, with who was asked before", async () => {
    const s = scene();
    s.listenMs = 600_000;
    await waiting();
    s.pass(FIRST_MS);
    await s.expireJob("AJ_1");
    const entries = await s.redis.xrange(`muster:{${s.namespace}}:events`, "-", "+");
    const events = entries.map(([id, fields]) => jobEventOf(s.namespace, id, fields));
    expect(events.at(-1)).toMatchObject({
      ...{ event: "agent_job_fallback", job: "AJ_1", state: "queued" },
      ...{ agentName: "second", fromAgentName: "agent" },
    });
  });

  test("of two that look at once, one goes the step", async () => {
    const s = await waiting(2);
    s.pass(FIRST_MS);
    const replies = await Promise.all([1, 2, 3].map(() => s.expireJob("AJ_1")));
    expect(replies.map(({ status }) => status).sort()).toEqual(["fell_back", "idle", "idle"]);
    expect(await s.field("job", "AJ_1", "fallback_step")).toBe("1");
  });
});
