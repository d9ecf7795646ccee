/** Whether an agent has workers, or had some lately: for what nobody ordered, and is taken only where somebody runs it. */

import { JOB_TYPES } from "@muster/domain/pool";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { LEASE_MS, type Scene } from "./scene.js";

const LATELY_MS = 600_000;

function seek(s: Scene, deployment = "", agent = "agent") {
  const asked = { types: [...JOB_TYPES], agent, deployment, latelyMs: LATELY_MS };
  return s.ledger.seekWorkers({ ...s.at, ...asked });
}

onEachRedis("the workers of an agent", (scene) => {
  test("are none where none was ever seen, or of another agent or deployment", async () => {
    const s = scene();
    expect(await seek(s)).toEqual({ status: "none" });
    await s.worker("AW_other", 0, {}, "NO_g", "room/other/");
    await s.worker("AW_blue", 0, {}, "NO_g", "room/agent/blue");
    expect(await seek(s)).toEqual({ status: "none" });
    expect(await seek(s, "blue")).toEqual({ status: "there" });
  });

  test.each(JOB_TYPES)("are there while one for %s jobs is connected, however long", async (type) => {
    const s = scene();
    await s.worker("AW_1", 0, {}, "NO_g", `${type}/agent/`);
    s.pass(100 * LATELY_MS);
    expect(await seek(s)).toEqual({ status: "there" });
  });

  test("were there lately: counted from when the last one left, not from when it came", async () => {
    const s = scene();
    for (const id of ["AW_1", "AW_2"]) await s.worker(id);
    s.pass(10 * LATELY_MS);
    await s.deregister("AW_1");
    s.pass(LATELY_MS);
    await s.deregister("AW_2", true);
    s.pass(LATELY_MS - 1);
    expect(await seek(s)).toEqual({ status: "lately" });
    s.pass(1);
    expect(await seek(s)).toEqual({ status: "none" });
    await s.worker("AW_3");
    expect(await seek(s)).toEqual({ status: "there" });
  });

  test("were there lately where a version that does not write when they left saw them come", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.deregister("AW_1");
    await s.redis.del(`muster:{${s.namespace}}:left-pools`);
    s.pass(LATELY_MS - 1);
    expect(await seek(s)).toEqual({ status: "lately" });
    s.pass(1);
    expect(await seek(s)).toEqual({ status: "none" });
  });

  test("went with their gateway when its lease ended", async () => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(LEASE_MS);
    expect(await s.expireGateway()).toMatchObject({ status: "lost", sessions: 1 });
    expect(await seek(s)).toEqual({ status: "lately" });
  });

  test("are those of the split's two deployments where there is one", async () => {
    const s = scene();
    await s.worker("AW_green", 0, {}, "NO_g", "room/agent/green");
    expect(await seek(s)).toEqual({ status: "none" });
    await s.setSplit({ stable: "blue", candidate: "green" });
    expect(await seek(s)).toEqual({ status: "there" });
    expect(await seek(s, "blue")).toEqual({ status: "none" });
  });
});
