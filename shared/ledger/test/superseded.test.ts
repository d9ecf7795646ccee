/** A job of a worker that reports nothing, where no LiveKit is known: a later order of its caller shows that it is over. */

import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { jobOf, newJob, type Scene, START_MS } from "./scene.js";

const jobRecord = async (s: Scene, id: string) => {
  const found = await s.ledger.readRecord({ ...s.at, kind: "job", id });
  return found.status === "found" ? found.record : undefined;
};

/** AJ_1 is with a worker that has one place and says nothing; its start deadline is over. */
async function unheard(s: Scene, facts = {}): Promise<void> {
  await s.worker("AW_1", 0, { cap: 1 });
  await s.order("AD_1", undefined, facts);
  await s.admit("AJ_1");
  await s.accept("AJ_1", "AW_1", 1);
  s.pass(START_MS);
  expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
}

onEachRedis("superseded jobs", (scene) => {
  test("the next order for the same room takes the place at once", async () => {
    const s = scene();
    await unheard(s);
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toEqual({ status: "superseded", pool: "room/agent/", count: 1 });
    expect(await jobRecord(s, "AJ_1")).toMatchObject({
      state: "ended",
      outcome: "unknown",
      cause: "superseded",
    });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_2", session: "AW_1" } });
  });

  test("its worker is not told to stop, whatever its gateway asserts", async () => {
    const s = scene();
    await unheard(s);
    await s.order("AD_2");
    await s.admit("AJ_2");
    const held = { job: "AJ_1", wire: "AJ_1", session: "AW_1" };
    const none = { status: "renewed", stops: [], unknown: [] };
    expect(await s.assert([{ ...held, epoch: 1 }])).toEqual({ ...none, over: ["AJ_1"] });
    expect(await s.assert([{ ...held, epoch: 0 }])).toMatchObject({ stops: [{ wire: "AJ_1" }], over: [] });
  });

  test("and the next one with the same sticky key, in whatever room", async () => {
    const s = scene();
    await unheard(s, { sticky: "ann" });
    await s.order("AD_2", undefined, { sticky: "bob" }, "other");
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    await s.order("AD_3", undefined, { sticky: "ann" }, "other");
    expect(await s.admit("AJ_3")).toMatchObject({ status: "superseded", count: 1 });
  });

  test("when the later job has found another worker, its own start deadline frees the place of the earlier one", async () => {
    const s = scene();
    await unheard(s);
    await s.worker("AW_2", 0, { cap: 1 });
    await s.order("AD_2");
    await s.admit("AJ_2");
    await s.accept("AJ_2", "AW_2", 1);
    expect(await jobRecord(s, "AJ_1")).toMatchObject({ state: "starting" });
    await s.order("AD_3", undefined, {}, "other");
    expect(await s.admit("AJ_3")).toMatchObject({ status: "parked" });
    s.pass(START_MS);
    expect(await s.expireJob("AJ_2")).toEqual({ status: "superseded", serve: "room/agent/", count: 1 });
    expect(await jobRecord(s, "AJ_2")).toMatchObject({ state: "starting" });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_3", session: "AW_1" } });
  });

  test.each<[string, { room?: string; pool?: string; type?: string }]>([
    ["ordered before its start deadline was over", {}],
    ["in another room", { room: "other" }],
    ["of another agent", { pool: "room/another/" }],
    ["for a participant", { type: "participant" }],
  ])("a job %s leaves it alone", async (_, { room = "room", pool = "room/agent/", type = "room" }) => {
    const s = scene();
    const order = () => s.order("AD_2", [newJob(jobOf("AD_2"), pool, type)], {}, room);
    await s.worker("AW_1", 0, { cap: 1 });
    await s.order("AD_1");
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    const isEarly = room === "room" && pool === "room/agent/" && type === "room";
    s.pass(START_MS - 1);
    if (isEarly) await order();
    s.pass(1);
    await s.expireJob("AJ_1");
    if (!isEarly) await order();
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    expect(await jobRecord(s, "AJ_1")).toMatchObject({ state: "starting" });
  });

  test("where presence is known it decides, and a worker that has reported since is believed", async () => {
    const s = scene();
    await unheard(s);
    await s.order("AD_2");
    await s.ledger.listWaiting({ ...s.at, first: 0, limit: 1, presenceMs: 60_000 });
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    expect(await jobRecord(s, "AJ_1")).toMatchObject({ state: "starting" });
    await s.redis.del(`muster:{${s.namespace}}:presence`);
    await s.redis.hset(`muster:{${s.namespace}}:session:AW_1`, "reports", 1);
    await s.order("AD_3");
    expect(await s.admit("AJ_3")).toMatchObject({ status: "parked" });
  });
});
