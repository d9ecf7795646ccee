import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { newJob, RETAIN_MS, WAIT_MS } from "./scene.js";

onEachRedis("open orders", (scene) => {
  const state = (job: string) => scene().field("job", job, "state");

  test("each participant gets one job, however often it is spoken of", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    expect(await s.extend("AD_1", [newJob("AJ_ann")])).toEqual({
      status: "extended",
      queued: ["AJ_ann"],
      made: 1,
    });
    expect(await s.extend("AD_1", [newJob("AJ_ann"), newJob("AJ_ben")])).toEqual({
      ...{ status: "extended", queued: ["AJ_ann", "AJ_ben"], made: 1 },
    });
    expect(await s.field("job", "AJ_ben", "room_sid")).toBe("RM_1");
    expect(await s.field("job", "AJ_ben", "order")).toBe("AD_1");
    expect(await state("AJ_ben")).toBe("queued");
  });

  test("one whose job is over gets no other, also when the job is long forgotten", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.extend("AD_1", [newJob("AJ_ann")]);
    await s.endJob("AJ_ann");
    expect(await s.field("order", "AD_1", "state")).toBe("live");
    expect(await s.extend("AD_1", [newJob("AJ_ann")])).toEqual({ status: "extended", queued: [], made: 0 });
    s.pass(RETAIN_MS);
    await s.sweep();
    expect(await state("AJ_ann")).toBeUndefined();
    expect(await s.extend("AD_1", [newJob("AJ_ann")])).toEqual({ status: "extended", queued: [], made: 0 });
  });

  test("an order that is over, or bound to another life of its room, makes none", async () => {
    const s = scene();
    expect(await s.extend("AD_0", [newJob("AJ_0")])).toEqual({ status: "unknown" });
    await s.openOrder("AD_1");
    await s.extend("AD_1");
    expect(await s.extend("AD_1", [newJob("AJ_1")], "RM_2")).toEqual({
      status: "other_life",
      roomSid: "RM_1",
    });
    await s.deleteOrder("AD_1");
    expect(await s.extend("AD_1", [newJob("AJ_1")])).toEqual({ status: "closed", state: "deleted" });
    expect(await state("AJ_1")).toBeUndefined();
  });

  test("jobs for a namespace at rest send the caller to the index first", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    expect(await s.rest()).toMatchObject({ status: "resting" });
    expect(await s.extend("AD_1", [newJob("AJ_1")])).toEqual({ status: "unindexed", rests: 1 });
    expect(await state("AJ_1")).toBeUndefined();
    const args = {
      ...s.at,
      order: "AD_1",
      roomSid: "RM_1",
      roomInfo: "",
      roomInfoAt: 0,
      opens: false,
      waitMs: 60_000,
      guardMs: 5_000,
      listenMs: 0,
    };
    expect(await s.ledger.extendOrder({ ...args, newJobs: [newJob("AJ_1")], rests: 1 })).toMatchObject({
      made: 1,
    });
  });

  const described = (id: string, info: string, at: number) => ({
    ...newJob(id),
    ...{ participant_info: info, participant_info_at: at },
  });
  const infosOf = async (id: string) => [
    await scene().field("job", id, "room_info"),
    await scene().field("job", id, "participant_info"),
  ];

  test("whoever waits is described as the book has it by now, in whatever order that is told", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.extend("AD_1", [described("AJ_1", "ann-2", 2_000)], "RM_1", "room-2", false, 2_000);
    await s.admit("AJ_1");
    expect(await state("AJ_1")).toBe("parked");
    await s.extend("AD_1", [described("AJ_1", "ann-1", 1_000)], "RM_1", "room-1", false, 1_000);
    expect(await infosOf("AJ_1")).toEqual(["room-2", "ann-2"]);
    // Nothing new was said of the participant, or of the room.
    await s.extend("AD_1", [], "RM_1", "room-3", false, 3_000);
    await s.extend("AD_1", [described("AJ_1", "ann-3", 3_000)], "RM_1", "", false, 4_000);
    expect(await infosOf("AJ_1")).toEqual(["room-3", "ann-3"]);
    await s.extend("AD_1", [described("AJ_1", "ann-3b", 3_000)], "RM_1", "room-3b", false, 3_000);
    expect(await infosOf("AJ_1")).toEqual(["room-3b", "ann-3b"]);
    await s.worker("AW_1");
    expect(await s.serve()).toMatchObject({
      ...{ status: "offered", job: { room_info: "room-3b", participant_info: "ann-3b" } },
    });
  });

  test("what runs keeps the description that its worker was given, until it may be given to another", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    const tell = (at: number) =>
      s.extend("AD_1", [described("AJ_1", `ann-${at}`, at)], "RM_1", `room-${at}`, true, at);
    await tell(1_000);
    // The room was not known when it started; its participant was, as nobody.
    expect(await infosOf("AJ_1")).toEqual(["room-1000", undefined]);
    await tell(2_000);
    expect(await infosOf("AJ_1")).toEqual(["room-1000", undefined]);
    await s.agentJoined("AJ_1", "PA_1");
    await s.agentLeft("AJ_1", "PA_1", "unknown");
    await tell(3_000);
    expect(await infosOf("AJ_1")).toEqual(["room-3000", "ann-3000"]);
    await s.deregister("AW_1");
    await tell(4_000);
    await s.settle("AJ_1", 1, "absent");
    await tell(5_000);
    expect(await infosOf("AJ_1")).toEqual(["room-5000", "ann-5000"]);
  });

  test("in the room's next life, what was said in the one before is old, whatever clock it was said by", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.extend("AD_1", [], "RM_1", "room-9", false, 9_000);
    await s.endRoom("AD_1", "RM_1");
    await s.extend("AD_1", [], "RM_2", "room-2", false, 2_000);
    expect(await infosOf("AJ_1")).toEqual(["room-2", undefined]);
  });

  test("of an order with very many, those are described who are spoken of", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    const ids = Array.from({ length: 70 }, (_, at) => `AJ_${at + 100}`);
    const tell = (some: string[], at: number) =>
      s.extend(
        "AD_1",
        some.map((id) => described(id, `p-${at}`, at)),
        "RM_1",
        `room-${at}`,
        false,
        at,
      );
    await tell(ids, 1_000);
    const last = ids.at(-1) ?? "";
    await tell([last], 2_000);
    expect(await infosOf(last)).toEqual(["room-2000", "p-2000"]);
    await s.endJob(last);
    await tell([last], 3_000);
    expect(await infosOf(last)).toEqual(["room-2000", "p-2000"]);
  });

  test("an order for the room becomes an open one, and outlives its job", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.extend("AD_1", [], "RM_1", "", true);
    await s.endJob("AJ_1");
    expect(await s.field("order", "AD_1", "state")).toBe("live");
    expect(await s.extend("AD_1", [newJob("AJ_ann")], "RM_1", "", true)).toMatchObject({ made: 1 });
  });

  test("a pool is known from its first worker on", async () => {
    const s = scene();
    await s.worker("AW_1", 0, {}, "NO_g", "publisher/agent/");
    await s.deregister("AW_1");
    const names = ["publisher/agent/", "participant/agent/"];
    expect(await s.ledger.knownPools({ ...s.at, names })).toEqual({
      status: "known",
      names: names.slice(0, 1),
    });
  });

  test("a room job that waits learns its room", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.extend("AD_1");
    expect(await s.field("job", "AJ_1", "room_sid")).toBe("RM_1");
    expect(await infosOf("AJ_1")).toEqual([undefined, undefined]);
    await s.extend("AD_1", [], "RM_1", "room-info");
    expect(await infosOf("AJ_1")).toEqual(["room-info", undefined]);
  });
});

onEachRedis("the end of a room", (scene) => {
  const job = async (id: string) => {
    const s = scene();
    return [
      await s.field("job", id, "state"),
      await s.field("job", id, "outcome"),
      await s.field("job", id, "cause"),
    ];
  };

  test("ends what waits as canceled and what runs as success, and stops its worker", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.openOrder("AD_1");
    await s.extend("AD_1", [newJob("AJ_runs"), newJob("AJ_waits")]);
    const offered = await s.admit("AJ_runs");
    if (offered.status !== "offered") throw new Error(offered.status);
    await s.accept("AJ_runs", "AW_1", 1);
    const reply = await s.endRoom("AD_1");
    expect(reply).toMatchObject({ status: "ended", more: 0 });
    if (reply.status !== "ended") return;
    expect(reply.outcomes.sort()).toEqual(["canceled", "success"]);
    expect(reply.stops).toMatchObject([{ job: "AJ_runs", session: "AW_1" }]);
    expect(await job("AJ_runs")).toEqual(["ended", "success", "room_finished"]);
    expect(await job("AJ_waits")).toEqual(["ended", "canceled", "room_closed"]);
    expect(await s.field("order", "AD_1", "state")).toBe("ended");
    expect(await s.endRoom("AD_1")).toEqual({ status: "closed", state: "ended" });
  });

  test("with many jobs is told in parts", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.extend(
      "AD_1",
      ["AJ_1", "AJ_2", "AJ_3"].map((id) => newJob(id)),
    );
    // It has waited for as long as it may: nobody ever served it.
    s.pass(WAIT_MS);
    expect(await s.endRoom("AD_1", "RM_1", 2)).toMatchObject({ status: "ended", more: 1 });
    expect(await s.extend("AD_1", [newJob("AJ_4")])).toEqual({ status: "closed", state: "ended" });
    expect(await s.endRoom("AD_1", "RM_1", 2)).toMatchObject({ status: "ended", more: 0 });
    expect(await job("AJ_3")).toEqual(["ended", "canceled", "room_closed"]);
  });

  test("that nobody served leaves the order to the room's next life", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.extend("AD_1", [], "RM_1", "info");
    expect(await s.endRoom("AD_1")).toEqual({ status: "kept", serve: [] });
    expect(await job("AJ_1")).toEqual(["queued", undefined, undefined]);
    expect(await s.field("job", "AJ_1", "room_sid")).toBeUndefined();
    await s.extend("AD_1", [], "RM_2");
    expect(await s.field("job", "AJ_1", "room_sid")).toBe("RM_2");
  });

  test("ends an order of that life alone, though nobody served it", async () => {
    const s = scene();
    await s.order("AD_1", undefined, { room_sid: "RM_1", one_life: 1 });
    expect(await s.extend("AD_1", [], "RM_2")).toEqual({ status: "other_life", roomSid: "RM_1" });
    expect(await s.endRoom("AD_1")).toMatchObject({ status: "ended", outcomes: ["canceled"] });
    expect(await job("AJ_1")).toEqual(["ended", "canceled", "room_closed"]);
  });

  test("that nobody served takes back the jobs of an open order, and leaves it to the next life", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.extend("AD_1", [newJob("AJ_ann", "participant/agent/", "participant")]);
    s.pass(WAIT_MS - 1);
    expect(await s.endRoom("AD_1")).toEqual({ status: "kept", serve: [] });
    expect(await job("AJ_ann")).toEqual(["ended", "canceled", "participant_left"]);
    expect(
      await s.extend("AD_1", [newJob("AJ_ben", "participant/agent/", "participant")], "RM_2"),
    ).toMatchObject({ made: 1 });
    s.pass(1);
    expect(await s.endRoom("AD_1", "RM_2")).toMatchObject({ status: "ended", outcomes: ["canceled"] });
  });

  test("of another life, or of an order that knows of none, changes nothing", async () => {
    const s = scene();
    await s.order("AD_1");
    expect(await s.endRoom("AD_1")).toEqual({ status: "other_life", roomSid: "" });
    await s.extend("AD_1", [], "RM_2");
    expect(await s.endRoom("AD_1", "RM_1")).toEqual({ status: "other_life", roomSid: "RM_2" });
    expect(await s.endRoom("AD_0")).toEqual({ status: "unknown" });
    expect(await job("AJ_1")).toEqual(["queued", undefined, undefined]);
  });
});
