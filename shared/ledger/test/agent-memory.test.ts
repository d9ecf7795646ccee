/** Which namespaces know an agent, how long, and how many there may be; and which pools a namespace knows. */
import { describe, expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { newJob, POOL, type Scene, SECOND_POOL } from "./scene.js";

const LIVE_MS = 180_000;
const BRIEF_MS = 600_000;
const LONG_MS = 30 * 24 * 3_600_000;
const STAYED_MS = 60_000;
const MOST = 3;

onEachRedis("the memory of agents", (scene) => {
  const fieldOf = (s: Scene, name: string) => (name === "" ? s.namespace : `${s.namespace}:${name}`);

  function remember(
    s: Scene,
    name: string,
    { keepMs = BRIEF_MS, must = false, most = MOST, agent = "a" } = {},
  ) {
    const args = { project: s.namespace, agent, namespaceName: fieldOf(s, name), nowMs: s.nowMs };
    return s.ledger.rememberAgent({ ...args, keepMs, liveMs: LIVE_MS, most, must });
  }

  async function known(s: Scene, agent = "a") {
    const args = { project: s.namespace, agent, briefMs: BRIEF_MS, nowMs: s.nowMs };
    const { namespaces, brief } = await s.ledger.listAgent(args);
    return { names: namespaces.map((name) => name.slice(s.namespace.length + 1)).sort(), brief };
  }

  const left = (s: Scene, name: string) => ({
    ...{ project: s.namespace, namespaceName: fieldOf(s, name), liveMs: LIVE_MS, nowMs: s.nowMs },
  });
  const keep = (s: Scene, ...names: string[]) =>
    s.ledger.keepNamespaces({
      ...{ project: s.namespace, nowMs: s.nowMs, liveMs: LIVE_MS },
      names: names.map((name) => fieldOf(s, name)),
    });

  test("an agent is remembered where it registered", async () => {
    const s = scene();
    for (let time = 0; time < 2; time++)
      expect(await remember(s, "eu", { agent: "a {b}" })).toEqual({ status: "remembered", told: "" });
    expect(await known(s, "a {b}")).toEqual({ names: ["eu"], brief: 1 });
    expect(await known(s, "other")).toEqual({ names: [], brief: 0 });
  });

  test("where it stayed somewhere, a name that somebody tried for a moment counts while it has workers", async () => {
    const s = scene();
    await remember(s, "eu", { keepMs: LONG_MS });
    for (const name of ["tried", "trying"]) await remember(s, name);
    expect((await known(s)).names).toEqual(["eu", "tried", "trying"]);
    for (let time = 0; time < 2; time++)
      expect(await s.ledger.leaveNamespace(left(s, "tried"))).toEqual({ status: "left" });
    expect(await known(s)).toEqual({ names: ["eu", "trying"], brief: 0 });
    s.pass(LIVE_MS);
    expect(await known(s)).toEqual({ names: ["eu"], brief: 0 });
  });

  test("a namespace that was left counts for minutes more, and has its orders again when it is come to, or said", async () => {
    const s = scene();
    await remember(s, "eu", { keepMs: LONG_MS });
    const names = ["ns-1", "ns-2"];
    const leave = async () => {
      for (const name of names) await s.ledger.leaveNamespace(left(s, name));
      expect((await known(s)).names).toEqual(["eu"]);
    };
    for (const name of names) await remember(s, name);
    await leave();
    expect(await remember(s, "one more")).toMatchObject({ status: "refused" });
    await remember(s, "ns-1");
    await keep(s, "ns-2");
    expect((await known(s)).names).toEqual(["eu", ...names]);
    await leave();
    s.pass(LIVE_MS);
    expect(await remember(s, "one more")).toMatchObject({ status: "remembered" });
  });

  test("of those who knew an agent before a newcomer, one is to be told, once", async () => {
    const s = scene();
    expect(await remember(s, "eu")).toMatchObject({ told: "" });
    expect(await remember(s, "us")).toMatchObject({ told: fieldOf(s, "eu") });
    expect(await remember(s, "us")).toMatchObject({ told: "" });
    const reply = await remember(s, "as");
    expect([fieldOf(s, "eu"), fieldOf(s, "us")]).toContain(reply.status === "remembered" && reply.told);
  });

  test.each([
    [-1, true],
    [0, false],
    [1, false],
  ])("it is forgotten when its time is over, %i ms after it: known %s", async (afterMs, isKnown) => {
    const s = scene();
    await remember(s, "eu");
    await remember(s, "us", { keepMs: 1.5 * BRIEF_MS });
    await remember(s, "us");
    s.pass(BRIEF_MS + afterMs);
    expect(await known(s)).toEqual({ names: isKnown ? ["eu", "us"] : ["us"], brief: 1 });
    await remember(s, "as");
    expect((await known(s)).names).toEqual(isKnown ? ["as", "eu", "us"] : ["as", "us"]);
  });

  test("one that an order waits for is known for longer, where it was still known", async () => {
    const s = scene();
    await remember(s, "eu");
    const names = ["eu", "never"].map((name) => fieldOf(s, name));
    await s.ledger.keepAgent({ project: s.namespace, agent: "a", names, keepMs: 3_600_000, nowMs: s.nowMs });
    s.pass(3_600_000 - 1);
    expect((await known(s)).names).toEqual(["eu"]);
    s.pass(1);
    expect((await known(s)).names).toEqual([]);
  });

  test("what a version wrote that keeps no times is known for as long as it said", async () => {
    const s = scene();
    const agent = `muster:{directory:${s.namespace}}:agent:a`;
    await s.redis.sadd(agent, fieldOf(s, "old"));
    await s.redis.pexpire(agent, LONG_MS);
    await remember(s, "eu");
    expect(await known(s)).toEqual({ names: ["eu", "old"], brief: 0 });
    expect(await s.redis.pttl(agent)).toBeGreaterThan(LONG_MS - 60_000);
  });

  test("somebody can have it forgotten", async () => {
    const s = scene();
    await remember(s, "eu", { keepMs: LONG_MS });
    for (let time = 0; time < 2; time++)
      await s.ledger.forgetAgent({ project: s.namespace, agent: "a", namespaceName: fieldOf(s, "eu") });
    expect((await known(s)).names).toEqual([]);
  });

  test("a namespace that was left makes room at once when somebody says that it is no more", async () => {
    const s = scene();
    const drop = (name: string) =>
      s.ledger.dropNamespace({ project: s.namespace, namespaceName: fieldOf(s, name) });
    for (const name of ["n1", "n2", "n3"]) await remember(s, name);
    // Its worker is there, or came again: it counts.
    expect(await drop("n1")).toEqual({ status: "kept" });
    await s.ledger.leaveNamespace(left(s, "n1"));
    await remember(s, "n1");
    expect(await drop("n1")).toEqual({ status: "kept" });
    await s.ledger.leaveNamespace(left(s, "n1"));
    await keep(s, "n1");
    expect(await drop("n1")).toEqual({ status: "kept" });
    expect(await remember(s, "n4")).toMatchObject({ status: "refused" });

    await s.ledger.leaveNamespace(left(s, "n1"));
    expect(await drop("n1")).toEqual({ status: "dropped" });
    expect(await drop("n1")).toEqual({ status: "kept" });
    expect(await remember(s, "n4")).toMatchObject({ status: "remembered" });
    expect(await remember(s, "n1")).toEqual({ status: "refused", live: 3 });
  });

  test("of two that say so one drops it; what is not known is kept as it is", async () => {
    const s = scene();
    const drop = (name: string) =>
      s.ledger.dropNamespace({ project: s.namespace, namespaceName: fieldOf(s, name) });
    await remember(s, "n1");
    await s.ledger.leaveNamespace(left(s, "n1"));
    const replies = await Promise.all([drop("n1"), drop("n1")]);
    expect(replies.map(({ status }) => status).sort()).toEqual(["dropped", "kept"]);
    expect(await drop("never")).toEqual({ status: "kept" });
  });

  describe("has a bound", () => {
    test("on namespaces with workers: a newcomer beyond it is refused, and leaves nothing", async () => {
      const s = scene();
      for (const name of ["n1", "n2", "n3"]) await remember(s, name);
      expect(await remember(s, "n4")).toEqual({ status: "refused", live: 3 });
      expect(await remember(s, "n4", { agent: "b" })).toEqual({ status: "refused", live: 3 });
      expect((await known(s)).names).toEqual(["n1", "n2", "n3"]);
      // Those that are there go on, with other agents too; so does the default one, and whoever must.
      for (const name of ["n1", ""])
        expect(await remember(s, name, { agent: "b" })).toMatchObject({ status: "remembered" });
      expect(await remember(s, "n5", { agent: "b", must: true })).toMatchObject({ status: "remembered" });
      expect(await remember(s, "n6", { agent: "b", most: 0 })).toMatchObject({ status: "remembered" });
    });

    test("of which two that come at once do not get past", async () => {
      const s = scene();
      const replies = await Promise.all(
        Array.from({ length: 12 }, (_, index) => remember(s, `n${index}`, { agent: `a${index}` })),
      );
      expect(replies.filter(({ status }) => status === "remembered")).toHaveLength(MOST);
    });

    test.each([
      [-1, "refused"],
      [0, "remembered"],
    ])("that counts those said within 3 min: %i ms after it a newcomer is %s", async (afterMs, status) => {
      const s = scene();
      for (const name of ["n1", "n2", "n3"]) await remember(s, name);
      s.pass(LIVE_MS / 2);
      expect(await keep(s, "n1", "n2")).toMatchObject({ live: 3 });
      s.pass(LIVE_MS / 2 + afterMs);
      expect(await remember(s, "n4")).toMatchObject({ status });
    });

    test("on those that know an agent: of those without workers the one goes that would be forgotten first", async () => {
      const s = scene();
      await remember(s, "");
      for (const name of ["n1", "n2", "n3"]) {
        await remember(s, name, { keepMs: LONG_MS });
        s.pass(1);
      }
      s.pass(LIVE_MS);
      await keep(s, "n1");
      await remember(s, "n4", { keepMs: LONG_MS });
      expect((await known(s)).names).toEqual(["n1", "n4", ""].sort());
    });
  });

  describe("of a namespace's pools", () => {
    const pools = async (s: Scene) =>
      (await s.ledger.describePools({ ...s.at, agent: "", oneAgent: false, first: 0, limit: 100 })).pools.map(
        ({ pool }) => pool,
      );
    const isKnown = async (s: Scene, pool = POOL) =>
      (await s.ledger.knownPools({ ...s.at, names: [pool] })).names.length === 1;

    test.each([
      [-1, true],
      [0, false],
    ])(
      "forgets one whose workers were there for seconds, %i ms after 10 min: known %s",
      async (afterMs, stays) => {
        const s = scene();
        await s.worker("AW_1");
        s.pass(STAYED_MS - 1);
        await s.deregister("AW_1");
        s.pass(BRIEF_MS + afterMs);
        expect(await isKnown(s)).toBe(stays);
        expect(await pools(s)).toEqual(stays ? [POOL] : []);
        await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
        for (const key of ["pools", "left-pools", "brief-pools"])
          expect((await s.redis.zscore(`muster:{${s.namespace}}:${key}`, POOL)) === null).toBe(!stays);
      },
    );

    test("keeps one where a worker stayed, or took a job, or where a job waits", async () => {
      const s = scene();
      await s.worker("AW_1");
      s.pass(STAYED_MS);
      await s.deregister("AW_1");
      await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
      await s.order("AD_2", [newJob("AJ_2", SECOND_POOL)]);
      const offer = await s.admit("AJ_2");
      expect(offer).toMatchObject({ status: "offered" });
      await s.accept("AJ_2", "AW_2", 1);
      await s.deregister("AW_2");
      const waiting = "room/waiting/";
      await s.worker("AW_3", 0, {}, "NO_g", waiting);
      await s.deregister("AW_3");
      await s.order("AD_3", [newJob("AJ_3", waiting)]);
      await s.admit("AJ_3");
      s.pass(2 * BRIEF_MS);
      await s.worker("AW_4", 0, {}, "NO_g", "room/other/");
      expect((await pools(s)).sort()).toEqual([POOL, SECOND_POOL, waiting, "room/other/"].sort());
    });

    test("keeps one whose worker is there, and one in a crash loop for as long as that lasts", async () => {
      const s = scene();
      await s.worker("AW_there");
      for (let time = 0; time < 3; time++) {
        await s.worker(`AW_${time}`, 0, {}, "NO_g", SECOND_POOL);
        await s.deregister(`AW_${time}`);
        s.pass(BRIEF_MS - 1);
        expect(await isKnown(s, SECOND_POOL)).toBe(true);
      }
      s.pass(1);
      expect(await isKnown(s, SECOND_POOL)).toBe(false);
      expect(await isKnown(s)).toBe(true);
    });

    test("is bounded: of a thousand and more without workers the one left first goes", async () => {
      const s = scene();
      const left = `muster:{${s.namespace}}:left-pools`;
      const known = `muster:{${s.namespace}}:pools`;
      const many = Array.from({ length: 1000 }, (_, index) => [index + 1, `room/x${index}/`]).flat();
      await s.redis.zadd(left, ...many);
      await s.redis.zadd(known, ...many);
      await s.worker("AW_1");
      s.pass(STAYED_MS);
      await s.deregister("AW_1");
      expect(await s.redis.zcard(left)).toBe(1000);
      expect(await s.redis.zscore(known, "room/x0/")).toBeNull();
      expect(await s.redis.zscore(known, "room/x1/")).toBe("2");
    });

    test("lets somebody forget one without workers, and says whether its agent has others there", async () => {
      const s = scene();
      await s.worker("AW_1");
      await s.worker("AW_2", 0, {}, "NO_g", "publisher/agent/");
      await s.worker("AW_3", 0, {}, "NO_g", SECOND_POOL);
      const forget = () => s.ledger.forgetPool({ ...s.at, pool: POOL });
      expect(await forget()).toEqual({ status: "served", sessions: 1 });
      await s.deregister("AW_1");
      expect(await forget()).toEqual({ status: "forgotten", others: 1 });
      expect(await forget()).toEqual({ status: "unknown", others: 1 });
      expect(await s.ledger.forgetPool({ ...s.at, pool: "publisher/agent/" })).toMatchObject({
        status: "served",
      });
      await s.deregister("AW_2");
      expect(await s.ledger.forgetPool({ ...s.at, pool: "publisher/agent/" })).toEqual({
        status: "forgotten",
        others: 0,
      });
      expect(await pools(s)).toEqual([SECOND_POOL]);
      await s.worker("AW_4");
      expect(await isKnown(s)).toBe(true);
    });

    test("is described: workers, who waits, when they came and left, of one agent or all, by pages", async () => {
      const s = scene();
      await s.worker("AW_1");
      s.pass(1);
      await s.worker("AW_2", 0, {}, "NO_g", SECOND_POOL);
      const [cameAt] = [s.nowMs];
      s.pass(1);
      await s.deregister("AW_2");
      await s.order("AD_2", [newJob("AJ_2", SECOND_POOL)]);
      await s.admit("AJ_2");
      const describe = (agent: string, first = 0, limit = 100) =>
        s.ledger.describePools({ ...s.at, agent, oneAgent: agent !== "", first, limit });
      const second = {
        pool: SECOND_POOL,
        registered_at: cameAt,
        left_at: s.nowMs,
        sessions: 0,
        parked: 1,
        brief: 1,
      };
      expect(await describe("second")).toEqual({ status: "pools", pools: [second], total: 2 });
      expect((await describe("", 0, 1)).pools).toEqual([second]);
      expect((await describe("", 1, 1)).pools).toMatchObject([{ pool: POOL, sessions: 1, left_at: 0 }]);
    });
  });

  test("a namespace's use is counted", async () => {
    const s = scene();
    const nothing = { status: "used", jobs: 0, orders: 0, sessions: 0 };
    expect(await s.ledger.countUse(s.at)).toEqual(nothing);
    await s.order("AD_1");
    await s.worker("AW_1");
    expect(await s.ledger.countUse(s.at)).toEqual({ ...nothing, jobs: 1, orders: 1, sessions: 1 });
  });
});
