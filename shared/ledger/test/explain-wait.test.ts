/** Why a waiting job is with nobody now: what it waits for, and how each session of its pool stands to it. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import {
  COOL_MS,
  ENTERING_MS,
  LEASE_MS,
  LOOK_MS,
  newJob,
  RETRY_MS,
  type Scene,
  SECOND_POOL,
  WAIT_MS,
} from "./scene.js";

async function verdicts(s: Scene, job = "AJ_w"): Promise<Record<string, string>> {
  const reply = await s.wait(job);
  if (reply.status !== "waits") throw new Error(JSON.stringify(reply));
  return Object.fromEntries(Object.values(reply.sessions).map(({ session, verdict }) => [session, verdict]));
}

/** A job that waits, whoever comes later. */
async function waiting(s: Scene): Promise<void> {
  await s.order("AD_w");
  await s.admit("AJ_w");
}

onEachRedis("why a job waits", (scene) => {
  test("each session of its pool that has no room says why", async () => {
    const s = scene();
    await waiting(s);
    await s.worker("AW_room", 0.3);
    await s.worker("AW_full", 0.1);
    await s.sample("AW_full", 0.1, { status: "full" });
    await s.worker("AW_load", 0.7);
    await s.worker("AW_draining");
    await s.sample("AW_draining", 0, { draining: true });
    await s.worker("AW_drained");
    await s.putDrain("DR_1", "worker", "AW_drained");
    await s.sample("AW_drained", 0);
    await s.worker("AW_cap", 0, { cap: 1 });
    await s.simulate("AJ_cap", "AW_cap");
    await s.admit("AJ_cap");
    await s.register("AW_new");
    await s.simulate("AJ_new", "AW_new");
    await s.admit("AJ_new");
    await s.worker("AW_silent");
    await s.simulate("AJ_silent", "AW_silent");
    await s.admit("AJ_silent");
    await s.reject("AJ_silent", "AW_silent", 1, "silent");
    await s.worker("AW_other", 0, { agent: "second" }, "NO_g", SECOND_POOL);
    expect(await verdicts(s)).toEqual({
      ...{ AW_room: "room", AW_full: "full", AW_load: "load", AW_draining: "draining", AW_cap: "cap" },
      ...{ AW_new: "unknown_load", AW_silent: "cooling", AW_drained: "drained" },
    });
    s.pass(COOL_MS);
    expect(await verdicts(s)).toMatchObject({ AW_silent: "room" });
    s.pass(LEASE_MS);
    expect(new Set(Object.values(await verdicts(s)))).toEqual(new Set(["gateway_gone"]));
  });

  test("one that just came, while the pool has orphans, enters later", async () => {
    const s = scene();
    await s.worker("AW_lost");
    await s.orphan("AJ_1", "AW_lost");
    await waiting(s);
    await s.register("AW_1");
    expect(await verdicts(s)).toEqual({ AW_1: "entering" });
    s.pass(ENTERING_MS);
    expect(await verdicts(s)).toEqual({ AW_1: "room" });
    await s.expireSession("AW_1");
  });

  test("a worker with room that refused it is excluded for its back-off; for others it has room", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_w", "AW_1");
    await s.reject("AJ_w", "AW_1", 1);
    expect(await s.wait("AJ_w")).toMatchObject({ status: "waits", why: "turn" });
    await s.admit("AJ_w");
    const reply = await s.wait("AJ_w");
    expect(reply).toMatchObject({ status: "waits", why: "back_off", due: s.nowMs + RETRY_MS });
    expect(await verdicts(s)).toEqual({ AW_1: "excluded" });
    await s.order("AD_2");
    expect(await verdicts(s, "AJ_2")).toEqual({ AW_1: "room" });
  });

  test("what it waits for: room, the end of a back-off, its order's release", async () => {
    const s = scene();
    await waiting(s);
    expect(await s.wait("AJ_w")).toMatchObject({
      why: "room",
      due: s.nowMs + WAIT_MS,
      total: 0,
      sessions: [],
    });
    await s.hold("AD_w");
    expect(await s.wait("AJ_w")).toMatchObject({ why: "release", due: s.nowMs + LOOK_MS });
    await s.reporter("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "failed");
    expect(await s.wait("AJ_1")).toMatchObject({ why: "back_off", due: s.nowMs + 1_000 });
  });

  test("what is reserved for high priority is room for who has it", async () => {
    const s = scene();
    await s.setPlacement({ max_jobs: 1, reserved_jobs: 1, reserved_from: 10 });
    await s.worker("AW_1");
    await s.order("AD_low", [newJob("AJ_low")], { priority: 9 });
    await s.order("AD_high", [newJob("AJ_high")], { priority: 10 });
    expect(await verdicts(s, "AJ_low")).toEqual({ AW_1: "reserved" });
    expect(await verdicts(s, "AJ_high")).toEqual({ AW_1: "room" });
    await s.admit("AJ_high");
    expect(await verdicts(s, "AJ_low")).toEqual({ AW_1: "cap" });
  });

  test("a simulated job is for its own session alone", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.worker("AW_2");
    await s.offered("AJ_1", "AW_1");
    await s.simulate("AJ_w", "AW_1");
    expect(await verdicts(s)).toEqual({ AW_1: "cap", AW_2: "another" });
  });

  test("a session is among its pool's from its registration until it goes, page by page", async () => {
    const s = scene();
    await waiting(s);
    const sessions = ["AW_1", "AW_2", "AW_3"];
    for (const session of sessions) {
      await s.worker(session, 0.8);
      s.pass(1);
    }
    await s.register("AW_1");
    const pages = await Promise.all([0, 2].map((first) => s.wait("AJ_w", first, 2)));
    expect(pages).toMatchObject([
      { total: 3, sessions: [{ session: "AW_1" }, { session: "AW_2" }] },
      { total: 3, sessions: [{ session: "AW_3", load: 0.8, verdict: "load" }] },
    ]);
    await s.deregister("AW_2");
    expect(await verdicts(s)).toEqual({ AW_1: "load", AW_3: "load" });
  });

  test("a job that does not wait has no such thing", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    expect(await s.wait("AJ_1")).toEqual({ status: "places_no_more", state: "offered" });
    expect(await s.wait("AJ_none")).toEqual({ status: "places_no_more", state: "unknown" });
    await s.order("AD_2", [newJob("AJ_2")]);
    expect(await s.wait("AJ_2")).toMatchObject({ status: "waits", why: "turn" });
  });
});
