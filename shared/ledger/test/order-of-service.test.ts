import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { HEADS, newJob, POOL, SCAN, WAIT_MS } from "./scene.js";

onEachRedis("order of service", (scene) => {
  test("priority first, then age; exactly as many as there is room for", async () => {
    const s = scene();
    const line = [
      ["AD_old", 0],
      ["AD_high", 1000],
      ["AD_mid", 5],
      ["AD_young", 0],
    ] as const;
    for (const [order, priority] of line) {
      await s.order(order, undefined, { priority });
      expect(await s.admit(order.replace("AD", "AJ"))).toMatchObject({ status: "parked" });
      s.pass(1);
    }
    await s.worker("AW_1", 0, { cap: 3, cost: 0 });
    const served: string[] = [];
    for (let reply = await s.serve(); ; reply = await s.serve()) {
      if (reply.status !== "offered") {
        expect(reply).toEqual({ status: "no_room" });
        break;
      }
      served.push(reply.job.id ?? "");
    }
    expect(served).toEqual(["AJ_high", "AJ_mid", "AJ_old"]);
    expect(await s.reject("AJ_mid", "AW_1", 1, "rejected", true)).toEqual({ status: "ended", serve: POOL });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_young" } });
    expect(await s.serve()).toEqual({ status: "empty" });
  });

  test("who comes while somebody of better rank waits for that room stands behind", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.admit("AJ_1");
    s.pass(1);
    await s.worker("AW_1", 0, { cap: 1 });
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toEqual({ status: "parked", pool: POOL, behind: 1 });
    await s.order("AD_3", undefined, { priority: 1 });
    expect(await s.admit("AJ_3")).toMatchObject({ status: "offered" });
    await s.reject("AJ_3", "AW_1", 1, "rejected", true);
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_1" } });
  });

  test("those who wait and cannot take the room hold nobody up", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    for (let index = 0; index < HEADS + 2; index++) {
      const epoch = await s.offered(`AJ_${index}`, "AW_1");
      await s.reject(`AJ_${index}`, "AW_1", epoch);
      await s.admit(`AJ_${index}`);
      await s.reinstate("AW_1");
    }
    s.pass(1);
    await s.order("AD_new");
    expect(await s.admit("AJ_new")).toMatchObject({ status: "offered", job: { session: "AW_1" } });
  });

  test("a simulated job that waits for its session holds nobody up", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.offered("AJ_1", "AW_1");
    await s.simulate("AJ_s", "AW_1");
    expect(await s.admit("AJ_s")).toMatchObject({ status: "parked", behind: 0 });
    s.pass(1);
    await s.worker("AW_2");
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test("a parked job is passed over while it backs off, and served by a session that has not refused", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    await s.reject("AJ_1", "AW_1", epoch);
    await s.admit("AJ_1");
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await s.register("AW_2")).toEqual({ status: "registered", serve: POOL, answerMs: 0 });
    expect(await s.serve()).toMatchObject({
      status: "offered",
      job: { id: "AJ_1", session: "AW_2", epoch: "2" },
    });
  });

  test("racing servers of one pool hand out each place once", async () => {
    const s = scene();
    const jobs = Array.from({ length: 10 }, (_, index) => `AJ_${index}`);
    await s.order(
      "AD_1",
      jobs.map((job) => newJob(job)),
    );
    for (const job of jobs) await s.admit(job);
    await s.worker("AW_1", 0, { cap: 4, cost: 0 });
    const replies = await Promise.all(Array.from({ length: 12 }, () => s.serve()));
    const offered = replies.flatMap((reply) => (reply.status === "offered" ? [reply.job.id] : []));
    expect(offered).toEqual(["AJ_0", "AJ_1", "AJ_2", "AJ_3"]);
  });

  test("a job whose waiting time is over is not served", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.admit("AJ_1");
    s.pass(WAIT_MS);
    await s.register("AW_1");
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await s.expireJob("AJ_1")).toEqual({ status: "ended", outcome: "expired", serve: "" });
    expect(await s.serve()).toEqual({ status: "empty" });
  });

  test("deep lines do not make a claim look further than it may", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    for (let index = 0; index < SCAN + 2; index++) {
      const epoch = await s.offered(`AJ_${index}`, "AW_1");
      await s.reject(`AJ_${index}`, "AW_1", epoch);
      await s.admit(`AJ_${index}`);
      await s.reinstate("AW_1");
    }
    await s.order("AD_new");
    expect(await s.admit("AJ_new")).toMatchObject({ status: "offered" });
  });
});
