/** What a pool has to do and who is there for it, as it is measured for scaling; and that it agrees with placement. */
import { EMPTY_POOL } from "@muster/domain/scaling";
import { expect, test } from "vitest";
import { measurePool } from "../src/pool-size.js";
import { onEachRedis } from "./on-each-redis.js";
import { COOL_MS, LEASE_MS, newJob, POOL, type Scene, SECOND_POOL } from "./scene.js";

/** In as many pages as it takes, at the scene's time. */
function measure(s: Scene, pool = POOL, limit = 100) {
  const ledger = {
    measurePool: (args: Parameters<typeof s.ledger.measurePool>[0]) =>
      s.ledger.measurePool({ ...args, limit, nowMs: s.nowMs }),
  };
  return measurePool(ledger, s.namespace, pool);
}

/** Offers jobs until nobody has room; how many that were. */
async function fill(s: Scene, prefix: string): Promise<number> {
  for (let count = 0; ; count++) {
    await s.order(`AD_${prefix}${count}`);
    if ((await s.admit(`AJ_${prefix}${count}`)).status !== "offered") return count;
  }
}

onEachRedis("the size of a pool", (scene) => {
  test("that was never seen is nothing", async () => {
    expect(await measure(scene())).toEqual(EMPTY_POOL);
  });

  test.each([
    ["its load", 0, {}, 7],
    ["its load, begun", 0.25, {}, 5],
    ["its cap", 0, { cap: 3 }, 3],
    ["its cap, beyond what its load allows", 0.6, { cap: 3 }, 1],
    ["a cost of another kind", 0.1, { cost: 0.25, max_load: 0.9 }, 4],
    ["its load, above the maximum", 0.7, {}, 0],
  ])("has as many free places as are then given: by %s", async (_, load, facts, slots) => {
    const s = scene();
    await s.worker("AW_1", load, facts);
    const before = await measure(s);
    expect(before).toMatchObject({
      used: 0,
      free: slots,
      available: slots > 0 ? 1 : 0,
      full: slots > 0 ? 0 : 1,
    });
    expect(await fill(s, "x")).toBe(slots);
    expect(await measure(s)).toMatchObject({ used: slots, free: 0, available: 0, full: 1, queued: 1 });
  });

  test("of a worker whose jobs cost nothing has a bound", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cost: 0 });
    expect(await measure(s)).toMatchObject({ free: 1_000, available: 1 });
  });

  test("tells apart who takes no jobs, and why", async () => {
    const s = scene();
    for (const id of ["AW_full", "AW_drains", "AW_drained", "AW_idle", "AW_cools"]) await s.worker(id, 0.5);
    for (const id of ["AW_drains", "AW_drained"]) {
      await s.sample(id, 0);
      await s.running(`AJ_${id}`, id);
    }
    await s.sample("AW_cools", 0);
    const epoch = await s.offered("AJ_silent", "AW_cools");
    await s.reject("AJ_silent", "AW_cools", epoch, "silent");
    await s.sample("AW_full", 0, { status: "full" });
    await s.sample("AW_drains", 0, { draining: true, status: "full" });
    for (const id of ["AW_drained", "AW_idle"]) await s.putDrain(`DR_${id}`, "worker", id);
    await s.applyDrains();
    const size = await measure(s);
    expect(size).toMatchObject({
      full: 1,
      draining: 1,
      drained: 2,
      drainedBusy: 1,
      cooling: 1,
      available: 0,
    });
    expect(size).toMatchObject({ used: 0, leaving: 2, free: 0, queued: 1 });
    s.pass(COOL_MS);
    await s.expireSession("AW_cools");
    expect(await measure(s)).toMatchObject({ cooling: 0, available: 1 });
  });

  test("counts who waits, parked or not tried yet, and nobody on hold", async () => {
    const s = scene();
    for (const id of ["1", "2", "3"]) await s.order(`AD_${id}`);
    await s.admit("AJ_1");
    await s.order("AD_held", [newJob("AJ_held")], { held: 1 });
    await s.admit("AJ_held");
    await s.order("AD_other", [newJob("AJ_other", SECOND_POOL)]);
    expect(await measure(s)).toEqual({ ...EMPTY_POOL, queued: 3 });
    expect(await measure(s, SECOND_POOL)).toEqual({ ...EMPTY_POOL, queued: 1 });
  });

  test("knows how long the one waits that waits longest, whatever its priority, and counts no hold", async () => {
    const s = scene();
    await s.order("AD_held", [newJob("AJ_held")], { held: 1 });
    await s.admit("AJ_held");
    s.pass(1_000);
    await s.order("AD_low");
    await s.admit("AJ_low");
    s.pass(1_000);
    for (const priority of [1, 500, 1_000]) {
      const id = `high_${priority}`;
      await s.order(`AD_${id}`, [newJob(`AJ_${id}`)], { priority });
      await s.admit(`AJ_${id}`);
    }
    s.pass(500);
    expect(await measure(s)).toMatchObject({ queued: 4, oldestWaitMs: 1_500 });
    await s.worker("AW_1", 0, { cap: 3 });
    for (let turn = 0; turn < 3; turn++) expect((await s.serve()).status).toBe("offered");
    expect(await measure(s)).toMatchObject({ queued: 1, oldestWaitMs: 1_500 });
    await s.terminate("AJ_low");
    expect(await measure(s)).toMatchObject({ queued: 0, oldestWaitMs: 0 });
  });

  test("leaves out sessions of a dead gateway", async () => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(LEASE_MS);
    await s.worker("AW_2", 0, {}, "NO_h");
    expect(await measure(s)).toMatchObject({ available: 1, free: 7 });
  });

  test("is the same in pages, and changes nothing", async () => {
    const s = scene();
    for (let index = 0; index < 7; index++) await s.worker(`AW_${index}`, (index + 1) / 10, { cap: index });
    await s.order("AD_1");
    await s.admit("AJ_1");
    await s.order("AD_2");
    const whole = await measure(s);
    expect(whole).toMatchObject({ used: 1, queued: 1, available: 6, full: 1 });
    for (const limit of [1, 3, 7]) expect(await measure(s, POOL, limit)).toEqual(whole);
  });

  test("is asked of pools with workers, and of those that jobs wait in without", async () => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(1);
    await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
    for (const id of ["1", "2", "3"]) {
      s.pass(1);
      await s.order(`AD_${id}`, [newJob(`AJ_${id}`, `room/lonely-${id}/`)]);
    }
    const list = async (limit: number, ends: number) =>
      (await s.ledger.listPools({ ...s.at, limit, ends })).names;
    const lonely = ["room/lonely-3/", "room/lonely-2/", "room/lonely-1/"];
    expect(await list(10, 10)).toEqual([SECOND_POOL, POOL, ...lonely]);
    expect(await list(1, 1)).toEqual([SECOND_POOL, "room/lonely-3/", "room/lonely-1/"]);
  });
});
