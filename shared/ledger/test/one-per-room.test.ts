/** An agent of which there is one in a room: its further orders are merged into the live one, and nothing else is. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { newJob, RETAIN_MS, WAIT_MS } from "./scene.js";

const ONE = { one_per_room: 1 } as const;
const MERGED = { status: "merged", into: "AD_1", asked: "" };

onEachRedis("one agent in a room", (scene) => {
  const second = (facts: object = ONE, room = "room") => scene().order("AD_2", [newJob("AJ_2")], facts, room);

  test("an order that asks for it is merged into the live one, and makes nothing", async () => {
    const s = scene();
    await s.order("AD_1");
    expect(await second()).toEqual(MERGED);
    expect(await s.field("order", "AD_2", "state")).toBeUndefined();
    expect(await s.field("job", "AJ_2", "state")).toBeUndefined();
    expect(await s.timer("job|AJ_2")).toBeUndefined();
  });

  test.each(["agent:agent", "namespace"])(
    "the policy of the %s says it for all its orders",
    async (field) => {
      const s = scene();
      await s.setPlacement({ one_per_room: true }, field);
      await s.order("AD_1");
      expect(await second({})).toEqual(MERGED);
      expect(await s.order("AD_3", [newJob("AJ_3")], { one_per_room: 0 })).toEqual({ status: "created" });
      await s.setPlacement(undefined, field);
      expect(await s.order("AD_4", [newJob("AJ_4")])).toEqual({ status: "created" });
    },
  );

  test("the policy of another agent says nothing", async () => {
    const s = scene();
    await s.setPlacement({ one_per_room: true }, "agent:other");
    await s.order("AD_1");
    expect(await second({})).toEqual({ status: "created" });
  });

  test.each<[string, object, string]>([
    ["another room", ONE, "other"],
    ["another agent", { ...ONE, agent: "other" }, "room"],
    ["another life of the room", { ...ONE, room_sid: "RM_2", one_life: 1 }, "room"],
    ["participants", { target: '{"for":"participants"}', open: 1, wait_ms: WAIT_MS }, "room"],
  ])("an order for %s is made", async (_, facts, room) => {
    const s = scene();
    await s.setPlacement({ one_per_room: true }, "namespace");
    await s.order("AD_1", [newJob("AJ_1")], { room_sid: "RM_1", one_life: 1 });
    expect(await second(facts, room)).toEqual({ status: "created" });
  });

  test("one for participants is merged into by nobody", async () => {
    const s = scene();
    await s.order("AD_1", [], { target: '{"for":"participants"}', open: 1, wait_ms: WAIT_MS });
    expect(await second()).toEqual({ status: "created" });
  });

  test("one that has ended does not count, and the oldest live one does", async () => {
    const s = scene();
    await s.order("AD_0", [newJob("AJ_0")]);
    await s.endJob("AJ_0");
    await s.order("AD_1");
    s.pass(1);
    await s.order("AD_X", [newJob("AJ_X")]);
    expect(await second()).toEqual(MERGED);
  });

  test("a repeat is answered the same when the first has ended meanwhile; another call makes an order", async () => {
    const s = scene();
    await s.order("AD_1");
    expect(await second({ ...ONE, asked: "digest" })).toEqual({ ...MERGED, asked: "digest" });
    await s.endJob("AJ_1");
    expect(await second({ ...ONE, asked: "another" })).toEqual({ ...MERGED, asked: "digest" });
    expect(await s.order("AD_3", [newJob("AJ_3")], ONE)).toEqual({ status: "created" });
    expect(await s.order("AD_3", [newJob("AJ_3")], ONE)).toMatchObject({ status: "exists" });
  });

  test("a repeat is answered the same when the policy was taken back, and when it asks for something else", async () => {
    const s = scene();
    await s.setPlacement({ one_per_room: true });
    await s.order("AD_1");
    expect(await second({ asked: "digest" })).toEqual({ ...MERGED, asked: "digest" });
    await s.setPlacement(undefined);
    for (const facts of [
      { asked: "digest" },
      { asked: "another" },
      { one_per_room: 0 },
      { target: "people", open: 1, wait_ms: 1 },
    ])
      expect(await second(facts as object, "other")).toEqual({ ...MERGED, asked: "digest" });
  });

  test("so is that of a call which said it for itself, by one which does not", async () => {
    const s = scene();
    await s.order("AD_1");
    expect(await second({ ...ONE, asked: "digest" })).toEqual({ ...MERGED, asked: "digest" });
    expect(await second({ asked: "another" })).toEqual({ ...MERGED, asked: "digest" });
  });

  test("what a call asked for is found whether it made an order or was merged, and for as long as an ended order is kept", async () => {
    const s = scene();
    const find = (order: string) => s.ledger.findCall({ namespace: s.namespace, order });
    expect(await find("AD_1")).toEqual({ status: "unknown" });
    await s.order("AD_1", [newJob("AJ_1")], { asked: "first" } as object);
    expect(await find("AD_1")).toEqual({ status: "found", asked: "first" });
    await second({ ...ONE, asked: "second" });
    expect(await find("AD_2")).toEqual({ status: "found", asked: "second" });
    await s.order("AD_3", [newJob("AJ_3")]);
    expect(await find("AD_3")).toEqual({ status: "found", asked: "" });
    const keptMs = await s.redis.pttl(`muster:{${s.namespace}}:merged:AD_2`);
    expect(keptMs).toBeGreaterThan(RETAIN_MS - 60_000);
    expect(keptMs).toBeLessThanOrEqual(RETAIN_MS);
  });

  test("ten racers make one", async () => {
    const s = scene();
    await s.register("AW_1");
    const orders = Array.from({ length: 10 }, (_, at) => s.order(`AD_${at}`, [newJob(`AJ_${at}`)], ONE));
    const replies = await Promise.all(orders);
    expect(replies.filter(({ status }) => status === "created")).toHaveLength(1);
    expect(replies.filter(({ status }) => status === "merged")).toHaveLength(9);
  });
});
