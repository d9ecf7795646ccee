/** Reading one session, job or order. */
import { expect, test } from "vitest";
import { jobRecord, orderRecord, sessionRecord } from "../src/records.js";
import { onEachRedis } from "./on-each-redis.js";
import { jobOf } from "./scene.js";

onEachRedis("reading one record", (scene) => {
  const read = async (kind: string, id: string) => {
    const reply = await scene().ledger.readRecord({ ...scene().at, kind, id });
    if (reply.status !== "found") throw new Error(`there is no ${kind} ${id}`);
    return reply.record;
  };

  test("tells each kind as it stands", async () => {
    await scene().worker("AW_1", 0.25);
    await scene().order("AD_1", undefined, { metadata: "m", attributes: '{"a":"1"}' });
    expect(sessionRecord(await read("session", "AW_1"))).toMatchObject({
      id: "AW_1",
      load: 0.25,
      agent: "agent",
    });
    expect(orderRecord(await read("order", "AD_1"))).toMatchObject({
      id: "AD_1",
      metadata: "m",
      attributes: { a: "1" },
    });
    expect(jobRecord(await read("job", jobOf("AD_1")))).toMatchObject({ order: "AD_1", state: "queued" });
  });

  test("says when there is none", async () => {
    for (const kind of ["session", "job", "order"]) {
      expect(await scene().ledger.readRecord({ ...scene().at, kind, id: "XX_1" })).toEqual({
        status: "unknown",
      });
    }
  });
});
