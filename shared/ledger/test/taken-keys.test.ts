/** Idempotency keys that nothing was made under yet: the first content has one, for a while. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";

onEachRedis("a key that is taken", (scene) => {
  const take = (asked: string, keepMs = 60_000, order = "AD_1") =>
    scene().ledger.takeKey({ project: scene().namespace, order, asked, keepMs });

  test("is the first one's, also for its repeat", async () => {
    expect(await take("one")).toEqual({ status: "taken", namespaces: [], asked: "one" });
    expect(await take("two")).toEqual({ status: "taken", namespaces: [], asked: "one" });
    expect(await take("one")).toEqual({ status: "taken", namespaces: [], asked: "one" });
    expect(await take("two", 60_000, "AD_2")).toMatchObject({ asked: "two" });
  });

  test("is kept so long as was said, from the first time on", async () => {
    const key = `muster:{directory:${scene().namespace}}:taken:AD_1`;
    await take("one");
    await take("two", 600_000);
    const leftMs = await scene().redis.pttl(key);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(60_000);
    await scene().redis.pexpire(key, 0);
    expect(await take("two")).toMatchObject({ asked: "two" });
  });

  test("ten racers agree on whose it is", async () => {
    const replies = await Promise.all(Array.from({ length: 10 }, (_, at) => take(`content ${at}`)));
    expect(new Set(replies.map(({ asked }) => asked)).size).toBe(1);
  });

  test("is answered with where its order went", async () => {
    const { ledger, namespace: project } = scene();
    const namespaces = [`${project}:eu`, `${project}:us`];
    await ledger.enterOrder({ project, order: "AD_1", room: "room", namespaces, keepMs: 60_000 });
    expect([...(await take("one")).namespaces].sort()).toEqual(namespaces);
  });
});
