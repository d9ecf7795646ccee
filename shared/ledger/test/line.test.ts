/** Where a waiting job stands in line, and how long that may take at the pace of late. */
import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { fallback, newJob, POOL, SECOND_POOL, STEPS } from "./scene.js";

const FORGET_MS = 600_000;

onEachRedis("the line", (scene) => {
  const parked = async (...orders: string[]) => {
    for (const order of orders) {
      await scene().order(order);
      await scene().admit(order.replace("AD", "AJ"));
      scene().pass(1);
    }
  };
  const paceKey = (pool = POOL) => `muster:{${scene().namespace}}:pace:${pool}`;
  /** A worker with one place takes the first in line, so long after the last time, and the job ends. */
  const serveOne = async (afterMs: number) => {
    const s = scene();
    s.pass(afterMs);
    const reply = await s.serve();
    if (reply.status !== "offered") throw new Error(reply.status);
    await s.reject(reply.job.id ?? "", reply.job.session ?? "", Number(reply.job.epoch), "rejected", true);
  };
  const estimate = async (job: string) => {
    const reply = await scene().position(job);
    return reply.status === "stands" ? reply.estimate : undefined;
  };

  test("goes by priority and age; one that is about to be tried stands where it would be parked", async () => {
    const s = scene();
    await parked("AD_1", "AD_2");
    await s.order("AD_high", undefined, { priority: 9 });
    await s.order("AD_low");
    expect(await s.position("AJ_1")).toEqual({
      ...{ status: "stands", position: 0, estimate: 0, ejectedUntil: 0 },
    });
    expect(await s.position("AJ_2")).toMatchObject({ position: 1 });
    expect(await s.position("AJ_high")).toMatchObject({ position: 0 });
    expect(await s.position("AJ_low")).toMatchObject({ position: 2 });
    await s.change("AD_2", { priority: 10 });
    expect(await s.position("AJ_2")).toMatchObject({ position: 0 });
  });

  test("has no place for what is on hold, or does not wait", async () => {
    const s = scene();
    await parked("AD_1");
    await s.hold("AD_1");
    await s.worker("AW_1");
    await s.offered("AJ_2", "AW_1");
    for (const job of ["AJ_1", "AJ_2", "AJ_none"])
      expect(await s.position(job)).toEqual({ status: "nowhere" });
  });

  test("is told of with the event, as it then is", async () => {
    const s = scene();
    s.listenMs = 600_000;
    await s.redis.hset(paceKey(), { at: s.nowMs, every: 2_000 });
    await parked("AD_1", "AD_2");
    const entries = await s.redis.xrange(`muster:{${s.namespace}}:events`, "-", "+");
    const events = entries.flatMap(([id, fields]) => jobEventOf(s.namespace, id, fields) ?? []);
    const places = events.filter(({ event }) => event === "agent_job_parked");
    expect(places).toMatchObject([
      { job: "AJ_1", position: 0, estimatedWaitMs: 2_000 },
      { job: "AJ_2", position: 1, estimatedWaitMs: 4_000 },
    ]);
  });

  test("its pace is the mean time between places, the newest weighing most; unknown until there were two", async () => {
    const s = scene();
    await parked(..."12345678".split("").map((id) => `AD_${id}`));
    await s.worker("AW_1", 0, { cap: 1 });
    await serveOne(0);
    expect(await estimate("AJ_8")).toBe(0);
    await serveOne(1_000);
    expect(await estimate("AJ_3")).toBe(1_000);
    expect(await estimate("AJ_8")).toBe(6_000);
    await serveOne(2_000);
    expect(await estimate("AJ_4")).toBe(1_200);
    await serveOne(200);
    expect(await estimate("AJ_5")).toBe(1_000);
  });

  test("slows down while nothing moves, and is forgotten after ten minutes", async () => {
    const s = scene();
    await parked("AD_1", "AD_2", "AD_3", "AD_4");
    await s.worker("AW_1", 0, { cap: 1 });
    await serveOne(0);
    await serveOne(1_000);
    s.pass(1_000);
    expect(await estimate("AJ_3")).toBe(1_000);
    s.pass(10_000);
    expect(await estimate("AJ_3")).toBe(3_000);
    s.pass(FORGET_MS - 11_000);
    expect(await estimate("AJ_3")).toBe(120_800);
    s.pass(1);
    expect(await estimate("AJ_3")).toBe(0);
    await serveOne(0);
    expect(await estimate("AJ_4")).toBe(0);
  });

  test("a job that is offered at once leaves no trace of it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.offered("AJ_2", "AW_1");
    await s.reject("AJ_2", "AW_1", 1);
    expect(await s.redis.exists(paceKey())).toBe(0);
  });

  test("each pool has its own, and a job that fell back stands in the line of its new one", async () => {
    const s = scene();
    await s.redis.hset(paceKey(), { at: s.nowMs, every: 2_000 });
    await s.order("AD_0", [newJob("AJ_0", SECOND_POOL)]);
    await s.admit("AJ_0");
    s.pass(1);
    await s.order("AD_1", undefined, fallback(1));
    await s.admit("AJ_1");
    expect(await s.position("AJ_1")).toMatchObject({ position: 0, estimate: 2_000 });
    s.pass(STEPS[1].after_ms);
    await s.expireJob("AJ_1");
    await s.admit("AJ_1");
    expect(await s.position("AJ_1")).toMatchObject({ position: 1, estimate: 0 });
  });
});
