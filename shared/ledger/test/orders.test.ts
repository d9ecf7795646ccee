import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { GUARD_MS, jobOf, newJob, POOL, RETAIN_MS, WAIT_MS } from "./scene.js";

onEachRedis("work orders", (scene) => {
  test("an order is created once; repeated, it names the jobs that nobody has tried", async () => {
    const s = scene();
    expect(await s.order("AD_1", [newJob("AJ_1"), newJob("AJ_2")])).toEqual({ status: "created" });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    const again = await s.order("AD_1", [newJob("AJ_1"), newJob("AJ_2")]);
    expect(again).toEqual({ status: "exists", state: "live", queued: ["AJ_1", "AJ_2"] });
    await s.admit("AJ_1");
    expect(await s.order("AD_1")).toEqual({ status: "exists", state: "live", queued: ["AJ_2"] });
  });

  test("ten racers create one order", async () => {
    const s = scene();
    await s.register("AW_1");
    const replies = await Promise.all(Array.from({ length: 10 }, () => s.order("AD_1")));
    expect(replies.filter(({ status }) => status === "created")).toHaveLength(1);
  });

  test("an order for the room ends with the last of its jobs, one that stays open does not", async () => {
    const s = scene();
    await s.order("AD_1", [newJob("AJ_1"), newJob("AJ_2")]);
    await s.endJob("AJ_1");
    expect(await s.field("order", "AD_1", "state")).toBe("live");
    await s.endJob("AJ_2");
    expect(await s.field("order", "AD_1", "state")).toBe("ended");
    await s.order("AD_2", [newJob("AJ_3")], { open: 1, wait_ms: WAIT_MS });
    await s.endJob("AJ_3");
    expect(await s.field("order", "AD_2", "state")).toBe("live");
  });

  test("deleting ends what waits, gives back what was offered, and stops what runs", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 2 });
    const jobs = ["AJ_run", "AJ_offer", "AJ_park", "AJ_queue"];
    await s.order(
      "AD_1",
      jobs.map((job) => newJob(job)),
    );
    await s.admit("AJ_run");
    await s.accept("AJ_run", "AW_1", 1);
    await s.admit("AJ_offer");
    await s.admit("AJ_park");
    await s.order("AD_2");
    await s.admit("AJ_2");
    const deletedAt = s.nowMs;
    const stop = { job: "AJ_run", session: "AW_1", gateway: "NO_g", wire: "AJ_run" };
    const reply = await s.deleteOrder("AD_1");
    const told = { stops: [stop], more: 0, serve: [POOL], ended: jobs.length };
    expect(reply).toMatchObject({ status: "deleted", deletedAt, ...told });
    s.pass(5);
    expect(await s.deleteOrder("AD_1")).toEqual({
      status: "deleted",
      deletedAt,
      stops: [],
      ended: 0,
      more: 0,
      serve: [],
    });
    expect(await s.deleteOrder("AD_none")).toEqual({ status: "unknown" });
    for (const job of jobs) expect(await s.field("job", job, "outcome")).toBe("canceled");
    expect(await s.order("AD_1")).toEqual({ status: "exists", state: "deleted", queued: [] });
  });

  test("an order with many jobs is deleted by repeating the call; what is left meanwhile is not placed", async () => {
    const s = scene();
    const jobs = Array.from({ length: 5 }, (_, index) => `AJ_${index}`);
    await s.order(
      "AD_1",
      jobs.map((job) => newJob(job)),
    );
    await s.admit("AJ_4");
    expect(await s.deleteOrder("AD_1", 2)).toMatchObject({ status: "deleted", more: 1 });
    await s.worker("AW_1");
    expect(await s.admit("AJ_3")).toEqual({ status: "idle", state: "queued" });
    expect(await s.serve()).toEqual({ status: "no_room" });
    s.pass(GUARD_MS);
    expect(await s.expireJob("AJ_3")).toEqual({ status: "ended", outcome: "canceled", serve: "" });
    expect(await s.deleteOrder("AD_1", 2)).toMatchObject({ status: "deleted", more: 0 });
    expect(await s.field("job", "AJ_4", "cause")).toBe("order_deleted");
  });

  test("an ended order can be deleted still, and keeps when it ended", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.endJob("AJ_1");
    const endedAt = await s.field("order", "AD_1", "ended_at");
    s.pass(10);
    expect(await s.deleteOrder("AD_1")).toMatchObject({ status: "deleted", deletedAt: s.nowMs });
    expect(await s.field("order", "AD_1", "ended_at")).toBe(endedAt);
  });

  test("what ended is forgotten after its time, some a call, and counted", async () => {
    const s = scene();
    for (const order of ["AD_1", "AD_2", "AD_3"]) {
      await s.order(order);
      await s.endJob(jobOf(order));
    }
    await s.order("AD_open", [newJob("AJ_gone"), newJob("AJ_live")]);
    await s.endJob("AJ_gone");
    expect(await s.timer("sweep")).toBe(s.nowMs + RETAIN_MS);
    s.pass(RETAIN_MS - 1);
    expect(await s.sweep()).toEqual({ status: "swept", jobs: 0, orders: 0, more: 0 });
    await s.order("AD_late");
    await s.endJob("AJ_late");
    s.pass(1);
    expect(await s.sweep(2)).toEqual({ status: "swept", jobs: 2, orders: 2, more: 1 });
    expect(await s.sweep(2)).toEqual({ status: "swept", jobs: 2, orders: 1, more: 0 });
    expect(await s.sweep(2)).toEqual({ status: "swept", jobs: 0, orders: 0, more: 0 });
    expect(await s.timer("sweep")).toBe(s.nowMs - 1 + RETAIN_MS);
    s.pass(RETAIN_MS);
    expect(await s.sweep()).toEqual({ status: "swept", jobs: 1, orders: 1, more: 0 });
    expect(await s.timer("sweep")).toBeUndefined();
    expect(await s.endJob("AJ_live")).toEqual({ status: "ended", serve: "" });
  });

  test("a job that outlives its forgotten order ends alone", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [newJob("AJ_1"), newJob("AJ_2")]);
    await s.deleteOrder("AD_1", 1);
    s.pass(RETAIN_MS);
    await s.sweep();
    expect(await s.endJob("AJ_2")).toEqual({ status: "ended", serve: "" });
    expect(WAIT_MS).toBeGreaterThan(RETAIN_MS);
  });

  test("the orders of a room are listed with their jobs, the newest ones, oldest first", async () => {
    const s = scene();
    await s.order("AD_b", [newJob("AJ_b")], {}, "room {x}");
    s.pass(1);
    await s.order("AD_a", [newJob("AJ_a1"), newJob("AJ_a2")], {}, "room {x}");
    await s.order("AD_other");
    const list = (room: string, only: string, limit = 10) =>
      s.ledger.listRoomOrders({ ...s.at, room, only, limit });
    const all = await list("room {x}", "");
    expect(all.orders.map(({ order }) => order.id)).toEqual(["AD_b", "AD_a"]);
    expect(all.orders[1]?.jobs.map((job) => job.id)).toEqual(["AJ_a1", "AJ_a2"]);
    expect((await list("room {x}", "", 1)).orders.map(({ order }) => order.id)).toEqual(["AD_a"]);
    expect((await list("room {x}", "AD_a")).orders).toHaveLength(1);
    expect(await list("room {x}", "AD_other")).toEqual({ status: "listed", orders: [] });
    expect(await list("nowhere", "")).toEqual({ status: "listed", orders: [] });
  });

  test("records are listed by pages", async () => {
    const s = scene();
    await s.register("AW_1");
    for (const order of ["AD_1", "AD_2", "AD_3"]) await s.order(order);
    const page = (list: string, kind: string, offset: number) =>
      s.ledger.listRecords({ ...s.at, list, kind, offset, limit: 2 });
    const [first, second] = [await page("orders", "order", 0), await page("orders", "order", 2)];
    expect([first.total, first.records.length, second.records.length]).toEqual([3, 2, 1]);
    expect((await page("jobs", "job", 0)).records[0]).toMatchObject({ id: "AJ_1", state: "queued" });
    expect((await page("sessions", "session", 0)).records).toMatchObject([{ id: "AW_1" }]);
    expect(await page("ended-jobs", "job", 0)).toEqual({ status: "page", records: [], total: 0 });
  });
});
