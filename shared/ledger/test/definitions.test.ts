/** Rules and room configurations: stored by version, told by what changed, and followed once in each life of a room. */
import { expect, test } from "vitest";
import { definitionsTag } from "../src/keys.js";
import { onEachRedis } from "./on-each-redis.js";

const BOUNDS = { maxCount: 3, maxBytes: 100 };
const PLENTY = 1_000_000;

onEachRedis("definitions", (scene) => {
  const at = () => ({ project: scene().namespace, nowMs: scene().nowMs });
  const put = (id: string, text: string, more: { kind?: string; ifVersion?: number } = {}) =>
    scene().ledger.putDefinition({ ...at(), kind: "rules", id, text, ifVersion: 0, ...BOUNDS, ...more });
  const drop = (id: string, ifVersion = 0, kind = "rules") =>
    scene().ledger.deleteDefinition({ ...at(), kind, id, ifVersion });
  const read = (id: string, kind = "rules") => scene().ledger.readDefinition({ ...at(), kind, id });
  const list = (offset = 0, limit = 100, maxBytes = PLENTY) =>
    scene().ledger.listDefinitions({ ...at(), kind: "rules", offset, limit, maxBytes });
  const since = (revision: number, maxBytes = PLENTY) =>
    scene().ledger.changedDefinitions({ ...at(), since: revision, maxBytes });
  const kept = () => read("one");
  const revision = async () =>
    Number(await scene().redis.get(`${definitionsTag(scene().namespace)}revision`));

  test("are stored and replaced under later versions; the same again changes nothing", async () => {
    const t = scene().nowMs;
    expect(await put("one", "a")).toEqual({ status: "stored", version: t, created: 1 });
    expect(await put("one", "a")).toEqual({ status: "stored", version: t, created: 0 });
    expect(await put("one", "b")).toEqual({ status: "stored", version: t + 1, created: 0 });
    scene().pass(10);
    expect(await put("one", "c")).toEqual({ status: "stored", version: t + 10, created: 0 });
    // A clock that was set back makes no version twice.
    scene().pass(-5_000);
    expect(await put("one", "d")).toEqual({ status: "stored", version: t + 11, created: 0 });
    expect(await read("one")).toEqual({ status: "found", version: t + 11, text: "d" });
    expect(await read("one", "configurations")).toEqual({ status: "unknown" });
  });

  test("are replaced only where they are the version that was asked for", async () => {
    const t = scene().nowMs;
    expect(await put("one", "a", { ifVersion: 7 })).toEqual({ status: "changed", version: 0 });
    await put("one", "a");
    expect(await put("one", "b", { ifVersion: t - 1 })).toEqual({ status: "changed", version: t });
    expect(await kept()).toMatchObject({ text: "a" });
    expect(await put("one", "b", { ifVersion: t })).toMatchObject({ status: "stored", version: t + 1 });
    // Its reply was lost: the caller comes again with the version that it knew.
    expect(await put("one", "b", { ifVersion: t })).toMatchObject({ status: "stored", version: t + 1 });
  });

  test("of several writers who saw the same version, one wins", async () => {
    const { version } = (await put("one", "a")) as { version: number };
    const racers = ["b", "c", "d", "e"];
    const replies = await Promise.all(racers.map((text) => put("one", text, { ifVersion: version })));
    expect(replies.filter(({ status }) => status === "stored")).toHaveLength(1);
    expect(await read("one")).toMatchObject({
      text: racers[replies.findIndex(({ status }) => status === "stored")],
    });
  });

  test("are deleted, in that version if it was asked for, and come back under a later one", async () => {
    const t = scene().nowMs;
    await put("one", "a");
    expect(await drop("one", t + 5)).toEqual({ status: "changed", version: t });
    expect(await drop("one", t)).toEqual({ status: "deleted", version: t });
    expect(await drop("one", t)).toEqual({ status: "unknown" });
    expect(await read("one")).toEqual({ status: "unknown" });
    expect(await put("one", "a")).toEqual({ status: "stored", version: t + 2, created: 1 });
  });

  test("have bounds on their number and their bytes, within which each can be replaced", async () => {
    for (const id of ["one", "two", "three"]) await put(id, id);
    expect(await put("four", "4")).toEqual({ status: "full", count: 3 });
    expect(await put("four", "4", { kind: "configurations" })).toMatchObject({ status: "stored" });
    const rest = BOUNDS.maxBytes - "twothree".length;
    expect(await put("one", "x".repeat(rest + 1))).toEqual({
      status: "too_large",
      bytes: BOUNDS.maxBytes + 1,
    });
    expect(await kept()).toMatchObject({ text: "one" });
    expect(await put("one", "x".repeat(rest))).toMatchObject({ status: "stored" });
    expect(await put("one", "y".repeat(rest))).toMatchObject({ status: "stored" });
    await drop("two");
    expect(await put("four", "4")).toMatchObject({ status: "stored" });
  });

  test("are listed in pages, as many as one answer may hold", async () => {
    for (const id of ["one", "two", "three"]) await put(id, `text of ${id}`);
    await put("one", "later");
    const { ids, versions, texts, total } = await list();
    expect(ids).toEqual(["two", "three", "one"]);
    expect(texts).toEqual(["text of two", "text of three", "later"]);
    expect(versions.map(Number)).toEqual([1, 2, 3].map((more) => scene().nowMs + more));
    expect(total).toBe(3);
    expect(await list(1, 1)).toMatchObject({ ids: ["three"], total: 3 });
    expect(await list(0, 100, 1)).toMatchObject({ ids: ["two"], total: 3 });
    expect(await list(3)).toMatchObject({ ids: [], texts: [], total: 3 });
  });

  test("tell a reader what changed since it read, and what there is", async () => {
    expect(await since(0)).toEqual({ status: "unchanged" });
    await put("one", "a");
    await put("two", "b");
    await put("one", "c", { kind: "configurations" });
    const t = scene().nowMs;
    const all = await since(0);
    expect(all).toEqual({
      ...{ status: "changed", revision: t + 2, readUpTo: t + 2 },
      ...{ rules: ["one", `${t}`, "two", `${t + 1}`], configurations: ["one", `${t + 2}`] },
      texts: ["rules", "one", "a", "rules", "two", "b", "configurations", "one", "c"],
    });
    expect(await since(t + 2)).toEqual({ status: "unchanged" });
    await drop("one");
    expect(await since(t + 2)).toMatchObject({
      ...{ status: "changed", revision: t + 3, readUpTo: t + 3, texts: [] },
      ...{ rules: ["two", `${t + 1}`], configurations: ["one", `${t + 2}`] },
    });
    await put("two", "d");
    expect(await since(t + 3)).toMatchObject({ readUpTo: t + 4, texts: ["rules", "two", "d"] });
    expect(await revision()).toBe(t + 4);
  });

  test("tell it in parts when it is much, and that Redis forgot when it did", async () => {
    const t = scene().nowMs;
    for (const id of ["one", "two", "three"]) await put(id, id);
    const first = await since(0, 4);
    expect(first).toMatchObject({
      revision: t + 2,
      readUpTo: t + 1,
      texts: ["rules", "one", "one", "rules", "two", "two"],
    });
    expect(await since(t + 1, 4)).toMatchObject({
      revision: t + 2,
      readUpTo: t + 2,
      texts: ["rules", "three", "three"],
    });
    expect(await since(t + 9)).toMatchObject({ status: "changed", revision: t + 2, texts: [] });
  });

  test("are one project's", async () => {
    await put("one", "a");
    const other = { ...at(), project: `${scene().namespace}-other` };
    const { ledger } = scene();
    expect(await ledger.readDefinition({ ...other, kind: "rules", id: "one" })).toEqual({
      status: "unknown",
    });
    expect(await ledger.changedDefinitions({ ...other, since: 0, maxBytes: PLENTY })).toEqual({
      status: "unchanged",
    });
  });

  test("are followed once in each life of a room, for each project", async () => {
    const follow = (sid: string, isDone = false, project = "p") =>
      scene().ledger.followRules({ room: scene().namespace, sid, project, isDone, keepMs: 60_000 });
    expect(await follow("RM_1")).toEqual({ status: "followed", done: 0 });
    expect(await follow("RM_1")).toEqual({ status: "followed", done: 0 });
    expect(await follow("RM_1", true)).toEqual({ status: "followed", done: 1 });
    expect(await follow("RM_1")).toEqual({ status: "followed", done: 1 });
    expect(await follow("RM_1", false, "q")).toEqual({ status: "followed", done: 0 });
    expect(await follow("RM_2")).toEqual({ status: "followed", done: 0 });
    expect(await scene().redis.pttl(`muster:{room/${scene().namespace}}:ruled:RM_1`)).toBeGreaterThan(30_000);
  });
});
