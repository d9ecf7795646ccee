/** Redis has forgotten everything; the gateways' sockets have not. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { ORDER } from "./scene.js";
import { forgetNamespace } from "./snapshot.js";

onEachRedis("a new generation", (scene) => {
  test("a job is written anew as its session runs it, with its order", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.running("AJ_1", "AW_1");
    await forgetNamespace(s.redis, s.namespace);
    expect(await s.restore("AJ_1", "AW_1")).toEqual({ status: "unknown_session" });
    await s.register("AW_1", { cap: 1 });
    const facts = { ...ORDER, metadata: "m" };
    const rest = { epoch: 4, wire: "AJ_1.2", facts };
    expect(await s.restore("AJ_1", "AW_1", rest)).toEqual({ status: "restored" });
    expect(await s.restore("AJ_1", "AW_1", rest)).toEqual({ status: "restored" });
    expect(await s.field("order", "AD_1", "metadata")).toBe("m");
    expect(await s.field("job", "AJ_1", "agent_identity")).toBe("agent-AJ_1");
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    const held = [{ job: "AJ_1", session: "AW_1", epoch: 4, wire: "AJ_1.2" }];
    expect(await s.assert(held)).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    expect(await s.report("AJ_1", "AW_1", "failed", "AJ_1.2")).toMatchObject({ status: "retrying" });
    s.pass(1_000);
    await s.sample("AW_1", 0);
    expect(await s.admit("AJ_1")).toMatchObject({
      status: "offered",
      job: { wire: "AJ_1.3", epoch: "5", room_sid: "RM_1" },
      order: { metadata: "m" },
    });
  });

  test("a second job of an order joins the first; a simulated one has none", async () => {
    const s = scene();
    await s.register("AW_1");
    await s.restore("AJ_1", "AW_1");
    expect(await s.restore("AJ_2", "AW_1", { order: "AD_1" })).toEqual({ status: "restored" });
    expect(await s.restore("AJ_3", "AW_1", { order: "" })).toEqual({ status: "restored" });
    expect(await s.field("job", "AJ_3", "only")).toBe("AW_1");
    await s.endJob("AJ_1");
    expect(await s.field("order", "AD_1", "state")).toBe("live");
    await s.endJob("AJ_2");
    expect(await s.field("order", "AD_1", "state")).toBe("ended");
  });

  test("what the ledger has is left as it is", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    expect(await s.restore("AJ_1", "AW_1", { epoch: 2 })).toEqual({ status: "exists", state: "offered" });
    await s.accept("AJ_1", "AW_1", 1);
    await s.seen("AJ_1", "AW_1", 1);
    expect(await s.restore("AJ_1", "AW_1", { epoch: 2 })).toEqual({ status: "exists", state: "running" });
    expect(await s.restore("AJ_1", "AW_1")).toEqual({ status: "restored" });
    await s.order("AD_2");
    await s.deleteOrder("AD_2");
    expect(await s.restore("AJ_x", "AW_1", { order: "AD_2" })).toEqual({ status: "exists", state: "ended" });
    expect(await s.field("job", "AJ_x", "id")).toBeUndefined();
  });

  test("two gateways that bring one job make one", async () => {
    const s = scene();
    await s.register("AW_1");
    await s.register("AW_2", {}, "NO_h");
    const replies = await Promise.all([s.restore("AJ_1", "AW_1"), s.restore("AJ_1", "AW_2", { epoch: 2 })]);
    expect(replies.map(({ status }) => status).sort()).toEqual(["exists", "restored"]);
  });
});
