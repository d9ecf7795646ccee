/** Workers that say far less load than their jobs cost their peers: where they stand then, and who is not taken for one. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { newJob, type Scene } from "./scene.js";

const EVERY_MS = 2_500;
/** Long enough for its cost to be looked at anew. */
const LOOK_MS = 10_000;

onEachRedis("a load below its count", (scene) => {
  /** Gives a worker so many jobs, and lets it sample `says(jobs)` in between, as its load settles. */
  async function working(s: Scene, session: string, jobs: number, says: (jobs: number) => number) {
    for (let held = 0; held <= jobs; held++) {
      for (let sample = 0; sample < 2; sample++) {
        s.pass(EVERY_MS);
        await s.sample(session, says(held));
      }
      if (held === jobs) break;
      await give(s, `AJ_${session}-${s.nowMs}`, session);
    }
  }
  /** A job for this very worker, which takes it. */
  async function give(s: Scene, job: string, session: string): Promise<void> {
    await s.simulate(job, session);
    expect(await s.admit(job)).toMatchObject({ status: "offered" });
    await s.accept(job, session, 1);
  }
  const say = async (s: Scene, session: string, load: number) => {
    s.pass(EVERY_MS);
    return (await s.sample(session, load)).misfits;
  };

  /** One that is honest, and one that always says 0, with three jobs each. */
  async function two(s: Scene, cost = 0.1, says = 0): Promise<void> {
    await s.worker("AW_honest");
    await s.worker("AW_zero");
    await working(s, "AW_honest", 3, (jobs) => jobs * cost);
    await working(s, "AW_zero", 3, () => says);
    s.pass(LOOK_MS);
  }

  test("stands where its peers would stand with its jobs, also with what it is given until its next sample", async () => {
    const s = scene();
    await two(s);
    const learnt = Number(await s.field("session", "AW_honest", "learnt_cost"));
    await say(s, "AW_honest", 0.3);
    await say(s, "AW_zero", 0);
    expect(await s.loadInPool("AW_zero")).toBeCloseTo(3 * learnt, 5);
    await give(s, "AJ_more", "AW_zero");
    expect(await s.loadInPool("AW_zero")).toBeCloseTo(4 * learnt, 5);
  });

  test("takes its share of jobs, and no more, while others have room", async () => {
    const s = scene();
    await two(s);
    const counts = { AW_honest: 3, AW_zero: 3 };
    for (let job = 0; job < 6; job++) {
      await say(s, "AW_honest", counts.AW_honest * 0.1);
      await say(s, "AW_zero", 0);
      await s.order(`AD_${job}`, [newJob(`AJ_${job}`)]);
      const reply = await s.admit(`AJ_${job}`);
      if (reply.status !== "offered") throw new Error(reply.status);
      const session = reply.job.session as keyof typeof counts;
      await s.accept(`AJ_${job}`, session, 1);
      counts[session] += 1;
    }
    expect(counts.AW_zero).toBeLessThanOrEqual(counts.AW_honest + 1);
  });

  test("is never kept from work by it: it has room as it says, when nobody else has", async () => {
    const s = scene();
    await two(s);
    await say(s, "AW_honest", 0.75);
    for (let job = 0; job < 8; job++) {
      await say(s, "AW_zero", 0);
      await s.order(`AD_${job}`, [newJob(`AJ_${job}`)]);
      expect(await s.admit(`AJ_${job}`)).toMatchObject({ status: "offered", job: { session: "AW_zero" } });
      await s.accept(`AJ_${job}`, "AW_zero", 1);
    }
  });

  test("is named once it was so four times in a row, and when it is over", async () => {
    const s = scene();
    await two(s);
    const seen: unknown[] = [];
    for (let sample = 0; sample < 5; sample++) seen.push(...(await say(s, "AW_zero", 0)));
    expect(seen).toMatchObject([{ session: "AW_zero", load: 0 }]);
    expect(await say(s, "AW_zero", 0.3)).toMatchObject([{ session: "AW_zero", floor: 0 }]);
    expect(await s.field("session", "AW_zero", "load_floor")).toBeUndefined();
  });

  test("teaches its pool nothing meanwhile", async () => {
    const s = scene();
    await two(s);
    await say(s, "AW_zero", 0);
    const common = () => s.redis.hget(`muster:{${s.namespace}}:costs`, "room/agent/");
    const before = await common();
    await working(s, "AW_zero", 2, () => 0);
    expect(await common()).toBe(before);
  });

  test("is not said of a fifth, of jobs that are light for all, of young jobs, or of fewer than three", async () => {
    const fifth = scene();
    await two(fifth, 0.1, 0.07);
    for (let sample = 0; sample < 5; sample++) expect(await say(fifth, "AW_zero", 0.07)).toEqual([]);
    expect(await fifth.field("session", "AW_zero", "load_floor")).toBeUndefined();

    const light = scene();
    await two(light, 0.001, 0);
    for (let sample = 0; sample < 5; sample++) expect(await say(light, "AW_zero", 0)).toEqual([]);
    expect(await light.loadInPool("AW_zero")).toBeLessThan(0.05);

    const young = scene();
    await two(young);
    await young.worker("AW_new");
    for (const job of ["a", "b", "c"]) await give(young, `AJ_young-${job}`, "AW_new");
    young.pass(EVERY_MS - 1);
    await young.sample("AW_new", 0);
    expect(await young.field("session", "AW_new", "load_floor")).toBeUndefined();
    young.pass(1);
    await young.sample("AW_new", 0);
    expect(await young.field("session", "AW_new", "load_floor")).not.toBeUndefined();
  });

  test("is nobody's where workers are filled one after the other, or where it has no peer that learnt", async () => {
    const packed = scene();
    await two(packed);
    await packed.setPlacement({ strategy: "pack" });
    await say(packed, "AW_zero", 0);
    expect(await packed.loadInPool("AW_zero")).toBe(0);

    const alone = scene();
    await alone.worker("AW_zero");
    await working(alone, "AW_zero", 4, () => 0);
    expect(await alone.loadInPool("AW_zero")).toBeLessThan(0.03);
  });
});
