/** Placement policies: who is taken by which strategy, which bounds hold, and what is kept for jobs of high priority. */
import type { PlacementPolicy } from "@muster/ledger/shapes";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { jobOf, newJob, POOL, type Scene } from "./scene.js";

/** Who was offered this job; undefined when it waits. */
async function placed(s: Scene, order: string, priority = 0): Promise<string | undefined> {
  await s.order(order, undefined, { priority });
  const reply = await s.admit(jobOf(order));
  return reply.status === "offered" ? reply.job.session : undefined;
}

onEachRedis("placement policies", (scene) => {
  async function workers(policy: PlacementPolicy | undefined, loads: readonly number[]) {
    const s = scene();
    if (policy !== undefined) await s.setPlacement(policy);
    for (const [index, load] of loads.entries()) await s.worker(`AW_${index}`, load);
    return s;
  }

  test.each([
    ["spread", "AW_1"],
    ["pack", "AW_2"],
  ] as const)("%s takes the right one", async (strategy, expected) => {
    const s = await workers({ strategy }, [0.3, 0.1, 0.65, 0.7]);
    expect(await placed(s, "AD_1")).toBe(expected);
  });

  test("pack fills one worker before it begins with the next", async () => {
    const s = await workers({ strategy: "pack", max_jobs: 3, job_load: 0.01 }, [0, 0, 0]);
    const taken: (string | undefined)[] = [];
    for (let index = 0; index < 7; index++) taken.push(await placed(s, `AD_${index}`));
    expect(taken).toEqual([...Array(3).fill("AW_2"), ...Array(3).fill("AW_1"), "AW_0"]);
  });

  test("weighted takes everybody by headroom, and the same one when the claim is repeated", async () => {
    const s = await workers({ strategy: "weighted", job_load: 0 }, [0, 0.5]);
    const counts = new Map<string | undefined, number>();
    for (let index = 0; index < 300; index++) {
      const taken = await placed(s, `AD_${index}`);
      counts.set(taken, (counts.get(taken) ?? 0) + 1);
    }
    // Two thirds and one third, within four standard deviations.
    expect(counts.get("AW_0")).toBeGreaterThan(167);
    expect(counts.get("AW_0")).toBeLessThan(233);
    expect(counts.get("AW_1")).toBe(300 - (counts.get("AW_0") ?? 0));
  });

  test("the agent's own policy goes before the namespace's, in whole", async () => {
    const s = await workers({ max_jobs: 1 }, [0, 0]);
    expect([await placed(s, "AD_1"), await placed(s, "AD_2"), await placed(s, "AD_3")]).toContain(undefined);
    await s.setPlacement({ strategy: "pack" }, `agent:${POOL.split("/")[1]}`);
    expect(await s.serve()).toMatchObject({ status: "offered" });
    await s.setPlacement(undefined, `agent:${POOL.split("/")[1]}`);
    expect(await placed(s, "AD_4")).toBeUndefined();
  });

  test("a bound holds from the moment it is set, though nobody was put in place yet", async () => {
    const s = await workers(undefined, [0, 0]);
    expect(await placed(s, "AD_1")).toBe("AW_0");
    expect(await placed(s, "AD_2")).toBe("AW_1");
    const policy = JSON.stringify({ max_jobs: 1 });
    await s.ledger.setPlacement({ ...s.at, field: "namespace", policy, maxCount: 3 });
    expect(await s.loadInPool("AW_0")).toBe(0.1);
    await s.order("AD_3");
    const considered = ["AW_0", "AW_1"].map((session) => ({ session, load: 0.1, verdict: "cap" }));
    expect(await s.admit("AJ_3")).toEqual({ status: "parked", pool: POOL, behind: 0 });
    expect(await s.explain("AJ_3")).toMatchObject({ attempts: [{ considered }] });
    expect(await s.loadInPool("AW_0")).toBeUndefined();
    expect(await s.setPlacement(undefined)).toBe("set");
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_3" } });
  });

  test("places and load that are reserved go to jobs of the priority they are reserved for", async () => {
    const s = await workers({ max_jobs: 2, reserved_jobs: 1, reserved_from: 10, job_load: 0.01 }, [0, 0]);
    expect([await placed(s, "AD_1"), await placed(s, "AD_2", 9)]).toEqual(["AW_0", "AW_1"]);
    expect(await placed(s, "AD_3", 9)).toBeUndefined();
    expect(await placed(s, "AD_4", 10)).toBe("AW_0");
    expect(await placed(s, "AD_5", 1000)).toBe("AW_1");
    expect(await placed(s, "AD_6", 1000)).toBeUndefined();
    await s.terminate("AJ_6");
    // Who waits without the priority holds nobody up who has it.
    expect(await s.reject("AJ_5", "AW_1", 1, "rejected", true)).toEqual({ status: "ended", serve: POOL });
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await placed(s, "AD_7", 10)).toBe("AW_1");
  });

  test("reserved load is kept free as well", async () => {
    const s = await workers({ reserved_load: 0.2, reserved_from: 1 }, [0.49, 0.6]);
    expect([await placed(s, "AD_1"), await placed(s, "AD_2")]).toEqual(["AW_0", undefined]);
    expect(await placed(s, "AD_3", 1)).toBe("AW_0");
  });

  test("no more policies are kept than allowed, and one that is there may always be changed", async () => {
    const s = scene();
    for (const agent of ["a", "b", "c"]) expect(await s.setPlacement({}, `agent:${agent}`)).toBe("set");
    expect(await s.setPlacement({}, "agent:d")).toBe("full");
    expect(await s.setPlacement({ max_jobs: 1 }, "agent:c")).toBe("set");
    const { policies } = await s.ledger.readPlacement({ ...s.at });
    expect(policies).toEqual({ "agent:a": "{}", "agent:b": "{}", "agent:c": '{"max_jobs":1}' });
  });

  test("among many at their bound the one with room is found", async () => {
    const s = await workers(undefined, Array(40).fill(0));
    for (let index = 0; index < 39; index++) await placed(s, `AD_${index}`);
    const policy = JSON.stringify({ max_jobs: 1, strategy: "pack" });
    await s.ledger.setPlacement({ ...s.at, field: "namespace", policy, maxCount: 3 });
    await s.order("AD_last", [newJob("AJ_last")]);
    expect(await s.admit("AJ_last")).toMatchObject({ status: "offered", job: { session: "AW_9" } });
  });
});
