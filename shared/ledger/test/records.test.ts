import { expect, test } from "vitest";
import { jobRecord, orderRecord, sessionRecord } from "../src/records.js";
import { onEachRedis } from "./on-each-redis.js";
import { newJob } from "./scene.js";

onEachRedis("records", (scene) => {
  test("an order, its job and the holder read back with their types", async () => {
    const s = scene();
    await s.worker("AW_1", 0.25, { cap: 2 });
    await s.order("AD_1", [newJob("AJ_1")], { attributes: '{"a":"b"}', metadata: "m", priority: 3 });
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    const page = async (list: string, kind: string) =>
      (await s.ledger.listRecords({ ...s.at, list, kind, offset: 0, limit: 1 })).records[0] ?? {};
    expect(jobRecord(await page("jobs", "job"))).toMatchObject({
      ...{ id: "AJ_1", order: "AD_1", state: "starting", outcome: "", epoch: 1, attempts: 1, wire: "AJ_1" },
      ...{ type: "room", session: "AW_1", gateway: "NO_g", agentIdentity: "agent-AJ_1", priority: 3 },
      ...{ createdAtMs: s.nowMs, startedAtMs: s.nowMs, runningAtMs: 0, endedAtMs: 0 },
    });
    expect(await page("orders", "order")).not.toHaveProperty("metadata");
    const order = await s.ledger.readRecord({ ...s.at, kind: "order", id: "AD_1" });
    expect(orderRecord(order.status === "found" ? order.record : {})).toMatchObject({
      ...{ id: "AD_1", room: "room", agent: "agent", metadata: "m", attributes: { a: "b" }, state: "live" },
      ...{ restartPolicy: "on_failure", priority: 3, createdAtMs: s.nowMs, deletedAtMs: 0 },
    });
    expect(sessionRecord(await page("sessions", "session"))).toMatchObject({
      ...{ id: "AW_1", gateway: "NO_g", status: "available", draining: false, load: 0.25, jobCount: 0 },
      ...{ sampledAtMs: s.nowMs, connectedAtMs: s.nowMs, coolingUntilMs: 0, version: "1.9.0", type: "room" },
    });
  });
});

test("a hash without fields reads as nothing known, not as undefined", () => {
  expect(jobRecord({})).toMatchObject({ id: "", epoch: 0, type: "room", runningAtMs: 0 });
  expect(orderRecord({}).attributes).toEqual({});
  expect(sessionRecord({}).draining).toBe(false);
});
