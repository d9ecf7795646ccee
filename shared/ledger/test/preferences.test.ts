/** Preferences of an order: who gets none of its jobs, who is asked first or alone, which labels are needed and for how long. */
import { encodeLabels, encodePreferences, type Preferences } from "@muster/domain/preferences";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { HEADS, newJob, POOL, SECOND_POOL } from "./scene.js";

const NONE: Preferences = { exclude: [], sticky: undefined, labels: [], otherwise: "anyone" };
const prefer = (wishes: Partial<Preferences>) => encodePreferences({ ...NONE, ...wishes });
const sticky = (key: string, holdMs = 0) => prefer({ sticky: { key, holdMs } });
const EU = { region: "eu" };
const US = { region: "us" };

onEachRedis("preferences", (scene) => {
  const placed = async (order: string, facts: ReturnType<typeof prefer>) => {
    const s = scene();
    const job = order.replace("AD", "AJ");
    await s.order(order, [newJob(job)], facts);
    const reply = await s.admit(job);
    return reply.status === "offered" ? reply.job.session : undefined;
  };
  const inRegion = (session: string, labels: Record<string, string>, load = 0) =>
    scene().worker(session, load, { labels: encodeLabels(labels) });

  test("a worker that an order leaves out gets none of its jobs, and others'", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cost: 0 });
    expect(await placed("AD_1", prefer({ exclude: ["AW_1"] }))).toBeUndefined();
    expect(await placed("AD_2", {})).toBe("AW_1");
    await s.worker("AW_2", 0.5);
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_1", session: "AW_2" } });
  });

  test("who took the last job of a key is asked first; without room, or gone, it is anybody", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 2 });
    await s.worker("AW_2", 0.3);
    expect(await placed("AD_1", sticky("caller"))).toBe("AW_1");
    await s.accept("AJ_1", "AW_1", 1);
    s.pass(1);
    await s.sample("AW_1", 0.6);
    expect(await placed("AD_2", {})).toBe("AW_2");
    expect(await placed("AD_3", sticky("caller"))).toBe("AW_1");
    expect(await placed("AD_4", sticky("caller"))).toBe("AW_2");
    await s.deregister("AW_1");
    expect(await placed("AD_5", sticky("caller", 60_000))).toBe("AW_2");
  });

  test("a key that insists waits for its worker, and no longer than it said", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.worker("AW_2", 0.5);
    await placed("AD_1", sticky("caller"));
    await s.accept("AJ_1", "AW_1", 1);
    expect(await placed("AD_2", sticky("caller", 5_000))).toBeUndefined();
    expect(await s.serve()).toEqual({ status: "no_room" });
    expect(await s.timer("job|AJ_2")).toBe(s.nowMs + 5_000);
    s.pass(5_000);
    expect(await s.expireJob("AJ_2")).toMatchObject({ status: "requeued" });
    expect(await s.admit("AJ_2")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test.each([
    ["says that it drains", "AW_1"],
    ["is drained by an operator", "AW_1"],
    ["is drained with its gateway", "AW_1"],
    ["is ejected for longer than the job may wait", "AW_1"],
  ])(
    "nobody waits for a worker that %s: neither a new job nor one that waits already",
    async (how, favourite) => {
      const s = scene();
      await s.worker(favourite, 0, { cap: 1 }, how.endsWith("gateway") ? "NO_h" : "NO_g");
      await s.worker("AW_2", 0.3);
      await placed("AD_1", sticky("caller"));
      await s.accept("AJ_1", favourite, 1);
      expect(await placed("AD_2", sticky("caller", 20_000))).toBeUndefined();
      expect(await s.serve()).toEqual({ status: "no_room" });
      s.pass(1);
      const wakes: Record<string, () => Promise<{ serve?: string[] } | undefined>> = {
        drains: () => s.sample(favourite, 0.1, { draining: true, status: "full" }),
        operator: async () => {
          await s.putDrain("DR_1", "worker", favourite);
          return { serve: await s.applyDrains(10) };
        },
        gateway: async () => {
          await s.putDrain("DR_1", "gateway", "NO_h");
          return { serve: await s.applyDrains(10) };
        },
        wait: async () => {
          // It may be back within the 20 s of the second job, not within 3 s of the third.
          await s.simulate("AJ_x", favourite);
          await s.redis.hset(
            `muster:{${s.namespace}}:session:${favourite}`,
            "cooling_until",
            s.nowMs + 4_000,
          );
          await s.redis.zadd(`muster:{${s.namespace}}:deadlines`, s.nowMs + 4_000, `session|${favourite}`);
          return undefined;
        },
      };
      const way = how.split(" ").at(-1) ?? "";
      const told = await wakes[way]?.();
      if (told !== undefined) {
        expect(told.serve).toEqual([POOL]);
        expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_2", session: "AW_2" } });
        await s.accept("AJ_2", "AW_2", 1);
        await s.sample("AW_2", 0.3);
      }
      expect(await placed("AD_3", sticky("caller", 3_000))).toBe("AW_2");
    },
  );

  test("a key means nothing in another pool", async () => {
    const s = scene();
    await s.worker("AW_1", 0, {}, "NO_g", SECOND_POOL);
    await s.order("AD_1", [newJob("AJ_1", SECOND_POOL)], sticky("caller"));
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    await s.worker("AW_2");
    expect(await placed("AD_2", sticky("caller", 60_000))).toBe("AW_2");
  });

  test("labels that are needed are found behind any number of others, and loosen step by step", async () => {
    const s = scene();
    for (let index = 0; index < 50; index++) await inRegion(`AW_us${index}`, US, 0.1);
    await inRegion("AW_eu", { ...EU, gpu: "a10" }, 0.6);
    const steps = [
      { labels: { ...EU, gpu: "h100" }, forMs: 1_000 },
      { labels: EU, forMs: 1_000 },
    ];
    await s.order("AD_1", [newJob("AJ_1")], prefer({ labels: steps }));
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
    s.pass(1_000);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "requeued" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_eu" } });
    await s.order("AD_2", [newJob("AJ_2")], prefer({ labels: steps }));
    await s.admit("AJ_2");
    for (const _ of steps) {
      s.pass(1_000);
      await s.expireJob("AJ_2");
      await s.admit("AJ_2");
    }
    expect(await s.field("job", "AJ_2", "session")).toMatch(/^AW_us/);
  });

  test("where nobody else will do, the last step stays", async () => {
    const s = scene();
    await inRegion("AW_us", US);
    const wishes = prefer({ labels: [{ labels: EU, forMs: 1_000 }], otherwise: "nobody" });
    expect(wishes.loosens).toBeUndefined();
    expect(await placed("AD_1", wishes)).toBeUndefined();
    s.pass(60_000);
    expect(await s.serve()).toEqual({ status: "no_room" });
    await inRegion("AW_eu", EU);
    expect(await s.serve()).toMatchObject({ status: "offered", job: { session: "AW_eu" } });
  });

  test("any number of jobs that want another kind of worker hold nobody up", async () => {
    const s = scene();
    const eu = prefer({ labels: [{ labels: EU, forMs: 600_000 }] });
    for (let index = 0; index < 3 * HEADS; index++) expect(await placed(`AD_${index}`, eu)).toBeUndefined();
    s.pass(1);
    expect(await placed("AD_any", {})).toBeUndefined();
    await inRegion("AW_us", US);
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_any" } });
    s.pass(1);
    expect(await placed("AD_next", {})).toBe("AW_us");
  });

  test("labels are given to a worker while it runs, and taken away", async () => {
    const s = scene();
    await s.worker("AW_1");
    const set = (labels: Record<string, string>, session = "AW_1") =>
      s.ledger.setLabels({ ...s.at, session, labels: encodeLabels(labels) });
    const eu = prefer({ labels: [{ labels: EU, forMs: 600_000 }] });
    expect(await placed("AD_1", eu)).toBeUndefined();
    expect(await set(US)).toEqual({ status: "labelled", serve: POOL });
    expect(await s.serve()).toEqual({ status: "no_room" });
    for (const serve of [POOL, ""]) expect(await set(EU)).toEqual({ status: "labelled", serve });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_1" } });
    await set({});
    expect(await placed("AD_2", eu)).toBeUndefined();
    expect(await set(EU, "AW_none")).toEqual({ status: "unknown" });
  });

  test("why a job waits says what it wants", async () => {
    const s = scene();
    await inRegion("AW_us", US);
    s.pass(1);
    await inRegion("AW_eu", EU);
    const wishes = { labels: [{ labels: EU, forMs: 600_000 }], exclude: ["AW_eu"] };
    expect(await placed("AD_1", prefer(wishes))).toBeUndefined();
    const reply = await s.ledger.explainWait({ ...s.at, job: "AJ_1", first: 0, limit: 8 });
    expect(reply).toMatchObject({
      why: "room",
      sessions: [
        { session: "AW_us", verdict: "labels" },
        { session: "AW_eu", verdict: "left_out" },
      ],
    });
  });

  test("labels may hold any character", async () => {
    const odd = { "a=b;c|d": "e;f=g|h é" };
    await inRegion("AW_1", odd);
    expect(await placed("AD_1", prefer({ labels: [{ labels: odd, forMs: 1_000 }] }))).toBe("AW_1");
  });
});
