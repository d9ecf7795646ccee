/** Callers who hang up while their job waits: what the room book says of them, and what it ends. */
import { expect, test } from "vitest";
import type { RoomChange, RoomLife } from "../src/shapes.js";
import { onEachRedis } from "./on-each-redis.js";
import { AWAY_MS, newJob, OFFER_MS, POOL, RETRY_MS } from "./scene.js";

onEachRedis("callers of a job that waits", (scene) => {
  const end = async (job = "AJ_1") => [
    await scene().field("job", job, "state"),
    await scene().field("job", job, "outcome"),
    await scene().field("job", job, "cause"),
  ];
  const leftAlone = ["ended", "canceled", "caller_left"];
  /** Bound to the life RM_1, with one job that waits. */
  const bound = async (facts = {}) => {
    await scene().order("AD_1", [newJob("AJ_1")], facts);
    await scene().admit("AJ_1");
    await scene().extend("AD_1");
    scene().pass(1);
  };

  for (const early of [1, 0, -1]) {
    test(`gone, it ends by its timer ${-early} ms from their time to come back`, async () => {
      const s = scene();
      await bound();
      expect(await s.noteCallers("AD_1", 0)).toEqual({ status: "noted", ended: [], serve: [] });
      expect(await s.timer("job|AJ_1")).toBe(s.nowMs + AWAY_MS);
      s.pass(AWAY_MS - early);
      const isOver = early <= 0;
      expect(await s.expireJob("AJ_1")).toMatchObject({ status: isOver ? "ended" : "idle" });
      expect((await end())[0]).toBe(isOver ? "ended" : "parked");
      if (isOver) expect(await end()).toEqual(leftAlone);
      expect(await s.field("order", "AD_1", "state")).toBe(isOver ? "ended" : "live");
      expect(await s.field("order", "AD_1", "cause")).toBe(isOver ? "caller_left" : undefined);
      expect((await s.expireJob("AJ_1")).status).toBe("idle");
    });
  }

  test("gone for good, it is offered to nobody, also before its timer is looked at", async () => {
    const s = scene();
    await bound();
    await s.noteCallers("AD_1", 0);
    s.pass(AWAY_MS);
    await s.worker("AW_1");
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "idle" });
    expect(await s.noteCallers("AD_1", 0, s.nowMs - AWAY_MS)).toEqual({
      ...{ status: "noted", ended: ["AJ_1"], serve: [] },
    });
    expect(await end()).toEqual(leftAlone);
    expect(await s.serve()).toEqual({ status: "empty" });
    expect((await s.noteCallers("AD_1", 0)).status).toBe("closed");
  });

  test("back in time, it waits on; gone again, the time begins anew", async () => {
    const s = scene();
    await bound();
    await s.noteCallers("AD_1", 0);
    s.pass(AWAY_MS - 1);
    await s.noteCallers("AD_1", 1);
    s.pass(1);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "requeued" });
    await s.admit("AJ_1");
    await s.noteCallers("AD_1", 0);
    s.pass(AWAY_MS - 1);
    expect((await s.expireJob("AJ_1")).status).toBe("idle");
    s.pass(1);
    expect((await s.expireJob("AJ_1")).status).toBe("ended");
  });

  test("offered meanwhile, it is accepted in time; later the offer ends with it, and frees the place", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    for (const [id, job] of [
      ["AD_1", "AJ_1"],
      ["AD_2", "AJ_2"],
    ] as const)
      await s.order(id, [newJob(job)]);
    expect((await s.admit("AJ_1")).status).toBe("offered");
    await s.admit("AJ_2");
    await s.extend("AD_1");
    s.pass(1);
    await s.noteCallers("AD_1", 0, s.nowMs, "RM_1");
    s.pass(AWAY_MS);
    expect(await s.accept("AJ_1", "AW_1", 1)).toEqual({ status: "stale", state: "offered" });
    expect(await s.noteCallers("AD_1", 0, s.nowMs - AWAY_MS)).toEqual({
      ...{ status: "noted", ended: ["AJ_1"], serve: [POOL] },
    });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_2" } });
  });

  test("a job that runs is its agent's business; when it waits again, it ends", async () => {
    const s = scene();
    await s.reporter("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    await s.extend("AD_1");
    s.pass(1);
    await s.noteCallers("AD_1", 0);
    s.pass(AWAY_MS);
    expect(await s.noteCallers("AD_1", 0, s.nowMs - AWAY_MS)).toMatchObject({ ended: [] });
    expect((await s.seen("AJ_1", "AW_1", epoch)).status).toBe("running");
    expect(await s.report("AJ_1", "AW_1", "failed")).toMatchObject({ status: "retrying" });
    s.pass(RETRY_MS * 20);
    expect(await s.admit("AJ_1")).toMatchObject({ status: "idle" });
    await s.expireJob("AJ_1");
    expect(await end()).toEqual(leftAlone);
  });

  test("a job that failed after they had gone does not wait out its back-off", async () => {
    const s = scene();
    await s.reporter("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    await s.extend("AD_1");
    s.pass(1);
    await s.noteCallers("AD_1", 0);
    await s.seen("AJ_1", "AW_1", epoch);
    s.pass(AWAY_MS - 10);
    const due = s.nowMs + 10;
    for (let call = 0; call < 2; call++)
      expect(await s.report("AJ_1", "AW_1", "failed")).toMatchObject({ status: "retrying", due });
    s.pass(10);
    expect((await s.expireJob("AJ_1")).status).toBe("ended");
    expect(await end()).toEqual(leftAlone);
  });

  test("in a back-off too, and back, its back-off is what it was", async () => {
    const s = scene();
    await s.reporter("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    await s.extend("AD_1");
    await s.seen("AJ_1", "AW_1", epoch);
    await s.report("AJ_1", "AW_1", "failed");
    const backOff = await s.timer("job|AJ_1");
    const seenAt = s.nowMs + 1 - AWAY_MS + 10;
    s.pass(1);
    // Long ago, yet after the order was made: as by an order that waited.
    await s.redis.hset(`muster:{${s.namespace}}:order:AD_1`, "created_at", seenAt - 1);
    await s.noteCallers("AD_1", 0, seenAt);
    expect(await s.timer("job|AJ_1")).toBe(seenAt + AWAY_MS);
    await s.noteCallers("AD_1", 1);
    expect(await s.timer("job|AJ_1")).toBe(backOff);
  });

  test("nobody came since the order was made, or it keeps waiting: gone, it waits on", async () => {
    const s = scene();
    await bound();
    await s.noteCallers("AD_1", 0, s.nowMs - 1);
    expect(await s.field("job", "AJ_1", "alone_until")).toBeUndefined();
    await s.noteCallers("AD_1", 0, 0);
    expect(await s.field("job", "AJ_1", "alone_until")).toBeUndefined();
    await s.order("AD_2", [newJob("AJ_2")], { keep_waiting: 1 });
    await s.extend("AD_2");
    s.pass(1);
    await s.noteCallers("AD_2", 0);
    expect(await s.field("job", "AJ_2", "alone_until")).toBeUndefined();
    expect(await s.noteCallers("AD_2", 0, s.nowMs, "RM_2")).toEqual({
      status: "other_life",
      roomSid: "RM_1",
    });
    expect((await s.noteCallers("AD_3", 0)).status).toBe("unknown");
  });

  test("one on hold ends with the next look, and its namespace is found", async () => {
    const s = scene();
    await s.order("AD_1", [newJob("AJ_1")], { held: 1 });
    await s.extend("AD_1");
    s.pass(1);
    await s.noteCallers("AD_1", 0);
    const seenAt = s.nowMs;
    s.pass(AWAY_MS);
    expect(await s.noteCallers("AD_1", 0, seenAt)).toMatchObject({ ended: ["AJ_1"] });
    expect(await end()).toEqual(leftAlone);
  });

  test("their room closes: what waits ends; where nobody came, or with keep_waiting, it waits for the next life", async () => {
    const s = scene();
    await bound();
    expect(await s.endRoom("AD_1", "RM_1", 100, s.nowMs)).toMatchObject({ outcomes: ["canceled"] });
    expect(await end()).toEqual(["ended", "canceled", "room_closed"]);
    expect(await s.field("order", "AD_1", "cause")).toBe("room_finished");
    for (const [id, facts, seenAt] of [
      ["AD_2", {}, 0],
      ["AD_3", { keep_waiting: 1 }, s.nowMs + 1],
    ] as const) {
      await s.order(id, undefined, facts);
      await s.extend(id);
      s.pass(1);
      expect((await s.endRoom(id, "RM_1", 100, seenAt)).status).toBe("kept");
      expect(await s.field("order", id, "room_sid")).toBeUndefined();
    }
  });

  test("an order that nothing bound yet was for the life in which a caller sat after it was made", async () => {
    const s = scene();
    const seenBefore = s.nowMs;
    await s.order("AD_1", [newJob("AJ_1")]);
    s.pass(1);
    expect(await s.endRoom("AD_1", "RM_1", 100, seenBefore)).toEqual({ status: "other_life", roomSid: "" });
    expect(await s.endRoom("AD_1", "RM_1", 100, s.nowMs)).toMatchObject({ outcomes: ["canceled"] });
    expect(await end()).toEqual(["ended", "canceled", "room_closed"]);
  });

  test("back in the room's next life, the wait for those who left the one before is forgotten", async () => {
    const s = scene();
    await bound({ keep_waiting: 1 });
    await s.redis.hset(`muster:{${s.namespace}}:job:AJ_1`, "alone_until", s.nowMs);
    await s.endRoom("AD_1", "RM_1", 100, s.nowMs);
    expect(await s.field("job", "AJ_1", "alone_until")).toBeUndefined();
  });

  test("offered and unanswered after they left, the offer's own timer ends it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    await s.extend("AD_1");
    s.pass(1);
    await s.redis.hset(`muster:{${s.namespace}}:job:AJ_1`, "alone_until", s.nowMs + 1);
    s.pass(OFFER_MS);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "ended", outcome: "canceled" });
    expect(await end()).toEqual(leftAlone);
  });

  const room = () => `room-of-${scene().namespace}`;
  const say = (sid: string, createdAt: number, changes: RoomChange[], isOver = false) =>
    scene().ledger.mergeRoom({
      ...{ room: room(), nowMs: scene().nowMs, sid, createdAt, isOver, info: "", saidAt: createdAt },
      ...{ changes, keepMs: 60_000 },
    });
  const lives = async () => {
    const { lives: listed } = await scene().ledger.listLives({ room: room(), nowMs: scene().nowMs });
    return Object.fromEntries(
      Object.values(listed).map(({ sid, over, callers, seen_at }: RoomLife) => [
        sid,
        [over, callers, seen_at],
      ]),
    );
  };
  const here = (sid: string, kind = "standard"): RoomChange => ({ sid, identity: sid, kind, joined_at: 1 });
  const gone = (sid: string): RoomChange => ({ sid, identity: sid, left_at: 2 });

  test("the book counts them, once each, and knows when one was last there", async () => {
    const s = scene();
    expect(await lives()).toEqual({});
    await say("RM_a", 1_000, [
      here("PA_agent", "agent"),
      here("PA_rec", "egress"),
      { sid: "PA_x", identity: "x" },
    ]);
    expect(await lives()).toEqual({ RM_a: [0, 0, 0] });
    await say("RM_a", 1_000, [here("PA_1"), here("PA_1"), here("PA_2", "sip")]);
    const seenAt = s.nowMs;
    expect(await lives()).toEqual({ RM_a: [0, 2, seenAt] });
    s.pass(10);
    await say("RM_a", 1_000, [gone("PA_1"), gone("PA_1"), gone("PA_agent")]);
    expect(await lives()).toEqual({ RM_a: [0, 1, seenAt + 10] });
    s.pass(10);
    await say("RM_a", 1_000, [gone("PA_2")]);
    const left = seenAt + 20;
    expect(await lives()).toEqual({ RM_a: [0, 0, left] });
    // Said again, later: nobody came back.
    s.pass(10);
    await say("RM_a", 1_000, [gone("PA_1"), gone("PA_2"), here("PA_2"), here("PA_agent", "agent")]);
    expect(await lives()).toEqual({ RM_a: [0, 0, left] });
  });

  test("who was there when a life ended, or the next one began, was there until then", async () => {
    const s = scene();
    await say("RM_a", 1_000, [here("PA_1")]);
    s.pass(10);
    await say("RM_a", 1_000, [], true);
    const overAt = s.nowMs;
    await say("RM_b", 2_000, [here("PA_2")]);
    s.pass(10);
    await say("RM_c", 3_000, []);
    expect(await lives()).toEqual({ RM_a: [1, 0, overAt], RM_b: [1, 0, s.nowMs], RM_c: [0, 0, 0] });
  });

  test("late words on a life that is over tell that one was there, until its end, and no more than that", async () => {
    const s = scene();
    for (const sid of ["RM_a", "RM_b"]) await say(sid, sid === "RM_a" ? 1_000 : 2_000, []);
    await say("RM_b", 2_000, [here("PA_2")]);
    const seenAt = s.nowMs;
    s.pass(10);
    await say("RM_b", 2_000, [gone("PA_2")]);
    s.pass(10);
    await say("RM_b", 2_000, [], true);
    s.pass(10);
    await say("RM_a", 1_000, [here("PA_bot", "agent")]);
    expect(await lives()).toEqual({ RM_a: [1, 0, 0], RM_b: [1, 0, seenAt + 10] });
    await say("RM_a", 1_000, [here("PA_1")]);
    await say("RM_b", 2_000, [here("PA_2")]);
    // When the first one was over was learnt when the second one began.
    expect(await lives()).toEqual({ RM_a: [1, 0, seenAt], RM_b: [1, 0, seenAt + 10] });
  });

  test("who came and left before anybody told of it was there", async () => {
    await say("RM_a", 1_000, [{ ...here("PA_1"), left_at: 2 }]);
    expect(await lives()).toEqual({ RM_a: [0, 0, scene().nowMs] });
  });
});
