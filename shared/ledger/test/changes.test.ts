/** Orders whose terms change while they live: for whom, and what is left alone. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { fallback, newJob, POOL, RETRY_MS, STEPS, WAIT_MS } from "./scene.js";

onEachRedis("changes", (scene) => {
  const inLine = () => scene().redis.zrange(`muster:{${scene().namespace}}:parked:${POOL}`, "0", "-1");
  const parked = async (order: string) => {
    await scene().order(order);
    await scene().admit(order.replace("AD", "AJ"));
    scene().pass(1);
  };

  test("a new priority moves a parked job in its line; one on hold comes back by it", async () => {
    const s = scene();
    for (const order of ["AD_1", "AD_2", "AD_3"]) await parked(order);
    await s.hold("AD_3");
    for (let time = 0; time < 2; time++) {
      expect(await s.change("AD_2", { priority: 5 })).toMatchObject({ status: "changed" });
      await s.change("AD_3", { priority: 9 });
    }
    expect(await inLine()).toEqual(["AJ_2", "AJ_1"]);
    await s.release("AD_3");
    expect(await inLine()).toEqual(["AJ_3", "AJ_2", "AJ_1"]);
  });

  test("a new deadline counts from when the job began to wait; one that is over ends it with its timer", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.admit("AJ_1");
    const beganAt = s.nowMs;
    s.pass(10_000);
    await s.change("AD_1", { wait_ms: 60_000 });
    expect(await s.timer("job|AJ_1")).toBe(beganAt + 60_000);
    await s.change("AD_1", { wait_ms: 2 * WAIT_MS });
    expect(await s.timer("job|AJ_1")).toBe(beganAt + 2 * WAIT_MS);
    await s.change("AD_1", { wait_ms: 10_000 });
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "ended", outcome: "expired" });
  });

  test("it moves neither a fallback step nor a back-off that are sooner", async () => {
    const s = scene();
    await s.order("AD_1", undefined, fallback(1));
    await s.admit("AJ_1");
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_2", "AW_1");
    await s.reject("AJ_2", "AW_1", epoch);
    await s.admit("AJ_2");
    for (const order of ["AD_1", "AD_2"]) await s.change(order, { wait_ms: WAIT_MS / 2 });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + STEPS[1].after_ms);
    expect(await s.timer("job|AJ_2")).toBe(s.nowMs + RETRY_MS);
  });

  test("a started job keeps what it began with, also when it is sent back; one that is offered does not", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cost: 0 });
    await s.order("AD_1", [newJob("AJ_runs"), newJob("AJ_asked")]);
    await s.admit("AJ_runs");
    await s.accept("AJ_runs", "AW_1", 1);
    await s.admit("AJ_asked");
    for (let time = 0; time < 2; time++)
      await s.change("AD_1", { restart_policy: "never", max_attempts: 1, priority: 8 }, 1);
    expect(await s.field("job", "AJ_asked", "priority")).toBe("8");
    expect(await s.field("job", "AJ_runs", "priority")).toBeUndefined();
    await s.accept("AJ_asked", "AW_1", 1);
    expect(await s.report("AJ_asked", "AW_1", "failed")).toMatchObject({ status: "ended" });
    expect(await s.report("AJ_runs", "AW_1", "failed")).toMatchObject({ status: "retrying" });
  });

  test("later jobs have the new terms", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.change("AD_1", { priority: 6, wait_ms: 9_000 });
    await s.extend("AD_1", [newJob("AJ_ann")]);
    expect(await s.field("job", "AJ_ann", "priority")).toBe("6");
    expect(await s.field("job", "AJ_ann", "wait_ms")).toBe("9000");
  });

  test("an order that is over is closed, and one that is not there unknown", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.deleteOrder("AD_1");
    expect(await s.change("AD_1", { metadata: "m" })).toEqual({ status: "closed", state: "deleted" });
    expect(await s.change("AD_0", { metadata: "m" })).toEqual({ status: "unknown" });
    expect(await s.field("order", "AD_1", "metadata")).toBe("");
  });
});
