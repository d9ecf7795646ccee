import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { REJOIN_MS, REPORT_MS, STOP_MS } from "./scene.js";

onEachRedis("an agent that LiveKit saw", (scene) => {
  const job = async (id = "AJ_1") => {
    const s = scene();
    return [
      await s.field("job", id, "state"),
      await s.field("job", id, "outcome"),
      await s.field("job", id, "cause"),
    ];
  };

  test("join makes its job run, whatever its worker says", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    expect(await s.agentJoined("AJ_1", "PA_1")).toEqual({ status: "running" });
    expect(await job()).toEqual(["running", undefined, undefined]);
    expect(await s.timer("job|AJ_1")).toBeUndefined();
    expect(await s.agentJoined("AJ_1", "PA_1")).toEqual({ status: "running" });
  });

  test("join under another name, or before a worker accepted, says nothing of the job", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    expect(await s.agentJoined("AJ_1", "PA_1")).toEqual({ status: "ignored", reason: "offered" });
    await s.accept("AJ_1", "AW_1", 1);
    expect(await s.agentJoined("AJ_1", "PA_1", 1_000, "somebody")).toEqual({
      ...{ status: "ignored", reason: "another_identity" },
    });
    expect(await s.agentJoined("AJ_0", "PA_1")).toEqual({ status: "ignored", reason: "unknown_job" });
    expect(await job()).toEqual(["starting", undefined, undefined]);
  });

  test("leave ends the job of a worker that never reports, once it did not come back", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    expect(await s.agentLeft("AJ_1", "PA_1", "clean")).toEqual({ status: "left", due: s.nowMs + REJOIN_MS });
    s.pass(REJOIN_MS - 1);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    s.pass(1);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "ended", outcome: "success", serve: "" });
    expect(await job()).toEqual(["ended", "success", "agent_left"]);
  });

  test("leave of a worker that reports waits for its report, and not for ever", async () => {
    const s = scene();
    await s.reporter("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    await s.agentLeft("AJ_1", "PA_1", "clean");
    s.pass(REJOIN_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    expect(await job()).toEqual(["running", undefined, undefined]);
    s.pass(REPORT_MS - REJOIN_MS);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "ended", outcome: "success" });
  });

  test("leave against its will fails the job, which is tried again past a stop", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    await s.agentLeft("AJ_1", "PA_1", "failed");
    s.pass(REJOIN_MS);
    expect(await s.expireJob("AJ_1")).toMatchObject({
      status: "retrying",
      stop: { session: "AW_1", wire: "AJ_1" },
    });
    expect((await job())[0]).toBe("queued");
    expect(await s.timer("stop|AW_1|AJ_1")).toBe(s.nowMs + STOP_MS);
    // The next holder is another participant: what was known of this one says nothing of it.
    expect(await s.field("job", "AJ_1", "participant_sid")).toBeUndefined();
    expect(await s.agentLeft("AJ_1", "PA_1", "failed")).toEqual({ status: "ignored", reason: "queued" });
  });

  test("leave counts for the sid that joined, and not when another joined since", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1", 1_000);
    expect(await s.agentLeft("AJ_1", "PA_0", "failed")).toEqual({ status: "ignored", reason: "another_sid" });
    await s.agentLeft("AJ_1", "PA_1", "failed");
    expect(await s.agentJoined("AJ_1", "PA_2", 2_000)).toEqual({ status: "running" });
    expect(await s.timer("job|AJ_1")).toBeUndefined();
    expect(await s.agentLeft("AJ_1", "PA_1", "failed")).toEqual({ status: "ignored", reason: "another_sid" });
    // Told late: the one before it is not the present one again.
    expect(await s.agentJoined("AJ_1", "PA_1", 1_000)).toEqual({
      status: "ignored",
      reason: "another_joined_later",
    });
  });

  test("leave of its own will, then lost with its worker, had done its work", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    await s.agentLeft("AJ_1", "PA_1", "clean");
    await s.deregister("AW_1");
    expect(await s.settle("AJ_1", 1, "absent")).toMatchObject({ status: "ended", outcome: "success" });
    expect(await job()).toEqual(["ended", "success", "agent_left"]);
  });

  test("leave for unknown reasons after its worker was lost is resumed elsewhere", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    await s.deregister("AW_1");
    expect(await s.agentLeft("AJ_1", "PA_1", "unknown")).toMatchObject({ status: "left" });
    expect(await s.settle("AJ_1", 1, "absent")).toMatchObject({ status: "resumed" });
  });

  test("leave, and a worker that came back on another socket, keeps the bound on its report", async () => {
    const s = scene();
    await s.reporter("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    await s.agentLeft("AJ_1", "PA_1", "clean");
    await s.deregister("AW_1");
    await s.worker("AW_2");
    await s.migrate("AW_2", "AJ_1");
    expect(await job()).toEqual(["running", undefined, undefined]);
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs);
    await s.report("AJ_1", "AW_2", "running");
    s.pass(REPORT_MS);
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "ended", outcome: "success" });
  });
});
