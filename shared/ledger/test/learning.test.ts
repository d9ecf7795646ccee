/** What one more job costs a worker: learnt from its samples, by it and by its pool; and whose count of jobs is believed. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { learn, NOTHING_LEARNT } from "./placement-model.js";
import { POOL, type Scene } from "./scene.js";

const EVERY_MS = 2_500;

/** Samples as a worker sends them whose jobs cost so much on top of a base; one job more after each third sample. */
async function working(s: Scene, session: string, cost: number, jobs: number, base = 0.05) {
  for (let held = 0; held <= jobs; held++) {
    for (let sample = 0; sample < 3; sample++) {
      s.pass(EVERY_MS);
      await s.sample(session, base + held * cost);
    }
    if (held < jobs) await s.starting(`AJ_${session}-${held}`, session);
  }
}

onEachRedis("learning", (scene) => {
  const learnt = async (session: string) => Number(await scene().field("session", session, "learnt_cost"));

  test.each([0.02, 0.25])(
    "a worker whose jobs cost %d is found to be so, whatever it was taken for",
    async (cost) => {
      const s = scene();
      await s.worker("AW_1", 0.05);
      await working(s, "AW_1", cost, 2);
      expect(Math.abs((await learnt("AW_1")) - cost)).toBeLessThan(Math.abs(0.1 - cost) / 10);
    },
  );

  test("what was learnt is what an offer counts, and what the next worker of the pool begins with", async () => {
    const s = scene();
    await s.worker("AW_1", 0.05);
    await working(s, "AW_1", 0.02, 3);
    const cost = await learnt("AW_1");
    await s.starting("AJ_more", "AW_1");
    expect(await s.loadInPool("AW_1")).toBe(Number((0.05 + 3 * 0.02 + cost).toFixed(6)));
    await s.worker("AW_2", 0);
    expect(await learnt("AW_2")).toBe(Number(await s.redis.hget(`muster:{${s.namespace}}:costs`, POOL)));
    await s.worker("AW_3", 0, {}, "NO_g", "room/other/");
    expect(await s.field("session", "AW_3", "learnt_cost")).toBeUndefined();
  });

  test("it is the sums of the model, to the last digit", async () => {
    const s = scene();
    await s.worker("AW_1", 0);
    let known = learn(NOTHING_LEARNT, 0, 0, 0.1).known;
    let believed = 0.1;
    for (let index = 0; index < 40; index++) {
      if (index % 8 === 7) await s.starting(`AJ_${index}`, "AW_1");
      const jobs = Math.floor((index + 1) / 8);
      const load = 0.03 * jobs + (index % 3) / 100;
      s.pass(EVERY_MS);
      await s.sample("AW_1", load);
      const next = learn(known, jobs, load, believed);
      known = next.known;
      believed = next.cost ?? believed;
    }
    expect(believed).not.toBe(0.1);
    expect(await learnt("AW_1")).toBe(believed);
  });

  test("nothing is learnt of a load that was refused, of an overload, or while jobs come and go", async () => {
    const s = scene();
    await s.worker("AW_1", 0.05);
    for (let index = 0; index < 4; index++) {
      await s.starting(`AJ_${index}`, "AW_1");
      s.pass(EVERY_MS);
      await s.sample("AW_1", 0.1 * index);
    }
    for (const load of [-1, 1, -1, 1]) await s.sample("AW_1", load);
    expect(await s.field("session", "AW_1", "learnt_cost")).toBeUndefined();
  });

  /** As many jobs as it is offered, all at once; how many that are. */
  async function burst(s: Scene, name: string): Promise<number> {
    for (let index = 0; ; index++) {
      const job = `AJ_${name}${index}`;
      await s.order(job.replace("AJ", "AD"));
      const reply = await s.admit(job);
      if (reply.status !== "offered") {
        await s.deleteOrder(job.replace("AJ", "AD"));
        return index;
      }
      await s.accept(job, "AW_1", Number(reply.job.epoch));
    }
  }

  test("in a burst, a load that does not move with its jobs is believed with the first report of jobs that it can have seen", async () => {
    const s = scene();
    await s.worker("AW_1", 0);
    expect(await burst(s, "first")).toBe(7);
    s.pass(999);
    await s.sample("AW_1", 0);
    expect(await learnt("AW_1")).toBeNaN();
    s.pass(1);
    await s.sample("AW_1", 0);
    expect(await learnt("AW_1")).toBe(0.025);
    expect(await burst(s, "second")).toBe(28);
    for (let time = 0; time < 9; time++) {
      s.pass(EVERY_MS);
      await s.sample("AW_1", 0);
    }
    expect(await learnt("AW_1")).toBe(0.005);
  });

  test("a load that moves with its jobs, as an average that has seen two fifths of them, teaches nothing in haste", async () => {
    const s = scene();
    await s.worker("AW_1", 0);
    await burst(s, "first");
    s.pass(1_000);
    await s.sample("AW_1", 7 * 0.4 * 0.1);
    expect(await learnt("AW_1")).toBeNaN();
    s.pass(1_500);
    await s.sample("AW_1", 7 * 0.4 * 0.05);
    expect(await learnt("AW_1")).toBeNaN();
  });

  test("a worker that runs more than we know of has fewer places, once it said so several times", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 2 });
    const say = async (job_count: number) => (await s.sample("AW_1", 0, { job_count })).miscounted;
    for (let time = 1; time < 4; time++) expect(await say(1)).toEqual([]);
    expect(await say(1)).toEqual([{ session: "AW_1", surplus: 1 }]);
    expect(await say(1)).toEqual([]);
    await s.offered("AJ_1", "AW_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    expect(await say(0)).toEqual([{ session: "AW_1", surplus: 0 }]);
    expect(await s.loadInPool("AW_1")).toBe(0.1);
  });

  test("one that runs fewer is told of, and keeps its places; one that never counted is not asked", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 2 });
    await s.starting("AJ_1", "AW_1");
    const say = async (job_count: number) => (await s.sample("AW_1", 0, { job_count })).miscounted;
    for (let time = 0; time < 6; time++) expect(await say(0)).toEqual([]);
    await say(1);
    for (let time = 0; time < 3; time++) expect(await say(0)).toEqual([]);
    expect(await say(0)).toEqual([{ session: "AW_1", surplus: -1 }]);
    await s.offered("AJ_2", "AW_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
  });
});
