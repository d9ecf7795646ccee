/** Orders that make jobs as participants come, and wait for a room: how long, from when, and what ends the wait. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { GUARD_MS, newJob, RETAIN_MS, WAIT_MS } from "./scene.js";

onEachRedis("rooms that never open", (scene) => {
  const end = (order = "AD_1") =>
    Promise.all(["state", "cause"].map((field) => scene().field("order", order, field)));
  const wait = () => scene().timer("order|AD_1");

  for (const early of [1, 0, -1]) {
    test(`an order looked at ${-early} ms from the end of its wait`, async () => {
      const s = scene();
      await s.openOrder("AD_1", { wait_ms: 20_000 });
      expect(await wait()).toBe(s.nowMs + 20_000);
      s.pass(20_000 - early);
      const isOver = early <= 0;
      expect(await s.expireOrder("AD_1")).toEqual({ status: isOver ? "expired" : "idle" });
      expect(await end()).toEqual(isOver ? ["expired", "waited_too_long"] : ["live", undefined]);
      expect(await s.expireOrder("AD_1")).toEqual({ status: "idle" });
      expect(await s.field("order", "AD_1", "ended_at")).toBe(isOver ? String(s.nowMs) : "0");
    });
  }

  test("one that expired makes no jobs, changes no more, and is forgotten in its time", async () => {
    const s = scene();
    await s.openOrder("AD_1", { wait_ms: 20_000 });
    s.pass(20_000);
    await s.expireOrder("AD_1");
    const closed = { status: "closed", state: "expired" };
    expect(await s.extend("AD_1", [newJob("AJ_ann")])).toEqual(closed);
    expect(await s.hold("AD_1")).toEqual(closed);
    expect(await s.release("AD_1")).toEqual(closed);
    expect(await s.change("AD_1", { wait_ms: WAIT_MS })).toEqual(closed);
    expect(await s.openOrder("AD_1")).toEqual({ status: "exists", state: "expired", queued: [] });
    expect(await s.deleteOrder("AD_1")).toMatchObject({ status: "deleted" });
    expect(await end()).toEqual(["deleted", "deleted"]);
    s.pass(RETAIN_MS);
    expect(await s.sweep()).toMatchObject({ orders: 1 });
  });

  test("of a room that opens in its last millisecond and its timer, the one that comes first has it", async () => {
    const s = scene();
    for (const id of ["AD_1", "AD_2"]) await s.openOrder(id, { wait_ms: 20_000 });
    s.pass(20_000);
    expect(await s.extend("AD_1", [newJob("AJ_ann")])).toMatchObject({ status: "extended", made: 1 });
    expect(await s.expireOrder("AD_1")).toEqual({ status: "idle" });
    expect(await s.expireOrder("AD_2")).toEqual({ status: "expired" });
    expect(await s.extend("AD_2", [newJob("AJ_ben")])).toEqual({ status: "closed", state: "expired" });
    expect(await s.field("job", "AJ_ben", "state")).toBeUndefined();
  });

  test("raced by a room that opens, it is bound and lives, or is over without a job", async () => {
    const s = scene();
    for (let round = 0; round < 20; round++) {
      const [order, job] = [`AD_${round}`, `AJ_${round}`];
      await s.openOrder(order, { wait_ms: 1 });
      s.pass(1);
      const [extended, expired] = await Promise.all(
        round % 2 === 0
          ? [s.extend(order, [newJob(job)]), s.expireOrder(order)]
          : [s.expireOrder(order), s.extend(order, [newJob(job)])].reverse(),
      );
      const isBound = extended?.status === "extended";
      expect(expired?.status).toBe(isBound ? "idle" : "expired");
      expect(await s.field("order", order, "state")).toBe(isBound ? "live" : "expired");
      expect(await s.field("job", job, "state")).toBe(isBound ? "queued" : undefined);
    }
  });

  test("bound to a life of its room it has no end of its own, nobody came or all is done", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.extend("AD_1");
    expect(await wait()).toBeUndefined();
    await s.extend("AD_1", [newJob("AJ_ann")]);
    await s.endJob("AJ_ann");
    expect(await wait()).toBeUndefined();
    await s.openOrder("AD_2", { room_sid: "RM_1", one_life: 1 });
    expect(await s.timer("order|AD_2")).toBeUndefined();
  });

  test("left to the room's next life, it waits as long as it may from its beginning", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    const waitsUntil = s.nowMs + WAIT_MS;
    await s.extend("AD_1", [newJob("AJ_ann", "participant/agent/", "participant")]);
    await s.openOrder("AD_2");
    await s.extend("AD_2");
    s.pass(1_000);
    for (const id of ["AD_1", "AD_2"]) expect(await s.endRoom(id)).toEqual({ status: "kept", serve: [] });
    expect(await wait()).toBe(waitsUntil);
    expect(await s.timer("order|AD_2")).toBe(waitsUntil);
    s.pass(WAIT_MS - 1_000);
    expect(await s.expireOrder("AD_1")).toEqual({ status: "expired" });
  });

  test("one for the room that serves participants too waits on after its room job, and no longer than that", async () => {
    const s = scene();
    await s.order("AD_1");
    const waitsUntil = s.nowMs + WAIT_MS;
    await s.extend("AD_1", [], "RM_1", "", true);
    expect(await s.endRoom("AD_1")).toEqual({ status: "kept", serve: [] });
    expect(await wait()).toBeUndefined();
    await s.terminate("AJ_1");
    expect(await end()).toEqual(["live", undefined]);
    expect(await wait()).toBe(waitsUntil);
    await s.extend("AD_1", [newJob("AJ_ann")]);
    expect(await wait()).toBeUndefined();
  });

  test("on hold it waits without end; its release begins the wait anew, and a second one does not", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.hold("AD_1");
    expect(await wait()).toBeUndefined();
    s.pass(2 * WAIT_MS);
    expect(await s.expireOrder("AD_1")).toEqual({ status: "idle" });
    await s.release("AD_1");
    const waitsUntil = s.nowMs + WAIT_MS;
    expect(await wait()).toBe(waitsUntil);
    s.pass(1_000);
    await s.release("AD_1");
    expect(await wait()).toBe(waitsUntil);
    await s.openOrder("AD_2", { held: 1 });
    expect(await s.timer("order|AD_2")).toBeUndefined();
    await s.release("AD_2");
    expect(await s.timer("order|AD_2")).toBe(s.nowMs + WAIT_MS);
  });

  test("another wait counts from when it began, and may be over by then", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    const madeAt = s.nowMs;
    s.pass(10_000);
    await s.change("AD_1", { wait_ms: 20_000 });
    expect(await wait()).toBe(madeAt + 20_000);
    await s.change("AD_1", { priority: 1 });
    expect(await wait()).toBe(madeAt + 20_000);
    await s.change("AD_1", { wait_ms: 5_000 });
    expect(await s.expireOrder("AD_1")).toEqual({ status: "expired" });
  });

  test("deleted, it has no timer left", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.deleteOrder("AD_1");
    expect(await wait()).toBeUndefined();
  });

  test("a namespace rests meanwhile, until then; whoever moves that forward wakes it first", async () => {
    const s = scene();
    const rested = async () => {
      expect(await s.rest()).toMatchObject({ status: "resting" });
      return s.rest();
    };
    await s.openOrder("AD_1");
    expect(await rested()).toEqual({ status: "resting", next: s.nowMs + WAIT_MS });
    const change = { ...s.at, order: "AD_1", before: "", cursor: "0", limit: 10 };
    const sooner = { ...change, changes: { wait_ms: 20_000 } };
    const first = await s.ledger.changeOrder({ ...sooner, rests: -1 });
    expect(first).toMatchObject({ status: "unindexed" });
    expect(await s.field("order", "AD_1", "wait_ms")).toBe(String(WAIT_MS));
    const rests = first.status === "unindexed" ? first.rests : -1;
    expect(await s.ledger.changeOrder({ ...sooner, rests })).toMatchObject({ status: "changed" });
    expect(await s.rest()).toEqual({ status: "resting", next: s.nowMs + 20_000 });
    // What moves no timer needs nobody.
    const priority = { ...change, changes: { priority: 9 }, rests: -1 };
    expect(await s.ledger.changeOrder(priority)).toMatchObject({ status: "changed" });

    await s.hold("AD_1");
    expect(await s.rest()).toEqual({ status: "resting", next: -1 });
    const release = { ...s.at, order: "AD_1", limit: 10, listenMs: 0, rests: -1 };
    expect(await s.ledger.releaseOrder(release)).toMatchObject({ status: "unindexed" });
    expect(await s.field("order", "AD_1", "held")).toBe("1");
    await s.release("AD_1");

    await s.extend("AD_1");
    await rested();
    const closing = { ...s.at, order: "AD_1", roomSid: "RM_1", stopMs: 0, waitMs: WAIT_MS, listenMs: 0 };
    expect(
      await s.ledger.endRoomOrder({ ...closing, seenAt: 0, told: true, limit: 10, rests: -1 }),
    ).toMatchObject({
      status: "unindexed",
    });
    expect(await s.field("order", "AD_1", "room_sid")).toBe("RM_1");
    expect(await s.endRoom("AD_1")).toMatchObject({ status: "kept" });
    expect(await s.rest()).toEqual({ status: "resting", next: s.nowMs + 20_000 });
  });

  test("an order says why it ended, however it did", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.endJob("AJ_1");
    expect(await end("AD_1")).toEqual(["ended", "jobs_ended"]);
    await s.order("AD_2");
    s.pass(GUARD_MS);
    await s.deleteOrder("AD_2");
    expect(await end("AD_2")).toEqual(["deleted", "deleted"]);
    await s.openOrder("AD_3");
    await s.extend("AD_3");
    s.pass(WAIT_MS);
    await s.endRoom("AD_3");
    expect(await end("AD_3")).toEqual(["ended", "room_finished"]);
  });
});
