import fc from "fast-check";
import { expect, test } from "vitest";
import type { RoomChange, RoomPerson } from "../src/shapes.js";
import { onEachRedis } from "./on-each-redis.js";

const KEEP_MS = 60_000;
const ROOM_A = "RM_a";
const ROOM_B = "RM_b";

/** What one webhook would say. */
interface Word {
  sid: string;
  createdAt?: number;
  isOver?: boolean;
  info?: string;
  saidAt: number;
  changes?: RoomChange[];
}

onEachRedis("the room book", (scene) => {
  const room = () => `room-of-${scene().namespace}`;
  const merge = (
    { sid, createdAt = 0, isOver = false, info = "", saidAt, changes = [] }: Word,
    name = room(),
  ) =>
    scene().ledger.mergeRoom({
      ...{ room: name, nowMs: scene().nowMs },
      ...{ sid, createdAt, isOver, info, saidAt, changes, keepMs: KEEP_MS },
    });
  const read = async (name = room()) => {
    const reply = await scene().ledger.readRoom({
      room: name,
      nowMs: scene().nowMs,
      cursor: "0",
      limit: 1_000,
    });
    if (reply.status === "unknown") return undefined;
    const { sid, live, info } = reply;
    const people = Object.values(reply.people) as (RoomPerson & { said_at?: number })[];
    return { sid, live, info, people: people.sort((a, b) => (a.sid < b.sid ? -1 : 1)) };
  };

  const joined = (sid: string, identity: string, at: number): RoomChange => ({
    ...{ sid, identity, kind: "standard", attributes: { at: String(at) }, info: `info-${at}`, joined_at: at },
  });

  test("a room that nobody spoke of is unknown", async () => {
    expect(await read()).toBeUndefined();
  });

  test("a brace in a room's name does not lead into another room", async () => {
    const outer = `${room()}}`;
    const inner = `${outer}:x`;
    await merge(
      { sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, changes: [joined("PA_1", "ann", 1_000)] },
      outer,
    );
    await merge(
      { sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, changes: [joined("PA_2", "bob", 1_000)] },
      inner,
    );
    expect((await read(outer))?.people.map(({ identity }) => identity)).toEqual(["ann"]);
    expect((await read(inner))?.people.map(({ identity }) => identity)).toEqual(["bob"]);
  });

  test("who joined, published and left is merged into one record", async () => {
    await merge({ sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, info: "room" });
    await merge({ sid: ROOM_A, saidAt: 2_000, changes: [joined("PA_1", "ann", 2_000)] });
    const reply = await merge({
      ...{ sid: ROOM_A, saidAt: 3_000 },
      changes: [{ sid: "PA_1", identity: "ann", publishes: 1 }],
    });
    const ann = {
      ...{ sid: "PA_1", identity: "ann", kind: "standard", attributes: { at: "2000" }, info: "info-2000" },
      ...{ joined_at: 2_000, publishes: 1, said_at: 2_000, heard_at: scene().nowMs, counted: 1 },
    };
    const known = { sid: ROOM_A, live: 1, info: "room", infoAt: 1_000 };
    expect(reply).toEqual({ status: "merged", ...known, people: [ann] });
    await merge({
      ...{ sid: ROOM_A, saidAt: 4_000 },
      changes: [{ sid: "PA_1", identity: "ann", left_at: 4_000, left_reason: "CLIENT_INITIATED" }],
    });
    expect((await read())?.people).toMatchObject([
      { left_at: 4_000, left_reason: "CLIENT_INITIATED", publishes: 1 },
    ]);
  });

  test("somebody is there, or was, or nobody but agents and recorders ever came", async () => {
    const company = async () => {
      const page = { room: room(), nowMs: scene().nowMs, cursor: "0", limit: 100, rejoinMs: 5_000 };
      const reply = await scene().ledger.findCompany(page);
      return reply.status === "unknown" ? "unknown" : `${reply.here} here, ${reply.gone} gone`;
    };
    const leave = (sid: string) =>
      merge({ sid: ROOM_A, saidAt: 4_000, changes: [{ sid, identity: "x", left_at: 4_000 }] });
    expect(await company()).toBe("unknown");
    const agent = { ...joined("PA_agent", "agent", 1_000), kind: "agent" };
    const recorder = { ...joined("PA_recorder", "recorder", 1_000), kind: "egress" };
    await merge({ sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, changes: [agent, recorder] });
    await leave("PA_agent");
    scene().pass(60_000);
    expect(await company()).toBe("0 here, 0 gone");
    await merge({ sid: ROOM_A, saidAt: 2_000, changes: [joined("PA_ann", "ann", 2_000)] });
    // Of whom only a track was told: nobody says that it is no caller.
    await merge({ sid: ROOM_A, saidAt: 2_000, changes: [{ sid: "PA_ben", identity: "ben", publishes: 1 }] });
    expect(await company()).toBe("2 here, 0 gone");
    await leave("PA_ben");
    await leave("PA_ann");
    scene().pass(4_999);
    expect(await company()).toBe("2 here, 0 gone");
    scene().pass(1);
    expect(await company()).toBe("0 here, 2 gone");
    await merge({ sid: ROOM_A, isOver: true, saidAt: 9_000 });
    expect(await company()).toBe("0 here, 0 gone");
  });

  test("a join that comes after the leave changes nothing about it", async () => {
    await merge({ sid: ROOM_A, saidAt: 4_000, changes: [{ sid: "PA_1", identity: "ann", left_at: 4_000 }] });
    const reply = await merge({ sid: ROOM_A, saidAt: 2_000, changes: [joined("PA_1", "ann", 2_000)] });
    expect(reply.people).toMatchObject([{ left_at: 4_000, left_reason: "", kind: "standard" }]);
  });

  test("a life that is over keeps nobody, and late words on it change nothing", async () => {
    await merge({ sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, changes: [joined("PA_1", "ann", 1_000)] });
    expect(await merge({ sid: ROOM_A, isOver: true, saidAt: 5_000 })).toMatchObject({ sid: ROOM_A, live: 0 });
    expect(await merge({ sid: ROOM_A, saidAt: 1_000, changes: [joined("PA_1", "ann", 1_000)] })).toEqual({
      ...{ status: "merged", sid: ROOM_A, live: 0, info: "", infoAt: 0, people: [] },
    });
    expect(await read()).toMatchObject({ sid: ROOM_A, live: 0, people: [] });
  });

  test("the next life is the present one, also when the end of the one before was never told", async () => {
    await merge({ sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, changes: [joined("PA_1", "ann", 1_000)] });
    await merge({ sid: ROOM_B, createdAt: 9_000, saidAt: 9_000 });
    expect(await read()).toMatchObject({ sid: ROOM_B, live: 1, people: [] });
    expect(
      await merge({ sid: ROOM_A, saidAt: 2_000, changes: [joined("PA_2", "ben", 2_000)] }),
    ).toMatchObject({
      ...{ sid: ROOM_B, people: [] },
    });
    // Over is the present one, not the one before it.
    await merge({ sid: ROOM_B, isOver: true, saidAt: 10_000 });
    expect(await read()).toMatchObject({ sid: ROOM_B, live: 0 });
  });

  test("books do not grow without bound: lives, and who left long ago", async () => {
    for (let life = 0; life < 20; life++) {
      await merge({ sid: `RM_${life}`, createdAt: 1_000 + life, saidAt: 1_000 + life });
    }
    expect(await scene().redis.hlen(`muster:{room/${room()}}:lives`)).toBe(8);
    const many = (first: number): RoomChange[] =>
      Array.from({ length: 999 }, (_, at) => ({ sid: `PA_${first + at}`, identity: "x", left_at: 1 }));
    await merge({ sid: "RM_19", saidAt: 2_000, changes: many(0) });
    scene().pass(700_000);
    await merge({ sid: "RM_19", saidAt: 2_000, changes: many(1_000) });
    await merge({ sid: "RM_19", saidAt: 2_000, changes: [{ sid: "PA_new", identity: "x" }] });
    expect(await scene().redis.hlen(`muster:{room/${room()}}:people:RM_19`)).toBe(1_000);
  });

  test("a book in which nothing is written any more goes away", async () => {
    await merge({ sid: ROOM_A, createdAt: 1, saidAt: 1, info: "room", changes: [joined("PA_1", "ann", 1)] });
    const keys = ["lives", "infos", `people:${ROOM_A}`].map((name) => `muster:{room/${room()}}:${name}`);
    for (const key of keys) {
      const leftMs = await scene().redis.pttl(key);
      expect(leftMs).toBeGreaterThan(KEEP_MS / 2);
      expect(leftMs).toBeLessThanOrEqual(KEEP_MS);
    }
  });

  test("a name may hold what marks a slot", async () => {
    const names = [`a}:b-${room()}`, `{${room()}}`, `a}:c-${room()}`];
    for (const [at, name] of names.entries()) {
      await merge({ sid: `RM_${at}`, createdAt: 1, saidAt: 1, changes: [joined(`PA_${at}`, name, 1)] }, name);
    }
    for (const [at, name] of names.entries()) {
      expect(await read(name)).toMatchObject({ sid: `RM_${at}`, people: [{ identity: name }] });
    }
  });

  test("any order of the same words, with some said twice, gives the same book", async () => {
    const story: Word[] = [
      { sid: ROOM_A, createdAt: 1_000, saidAt: 1_000, info: "a1" },
      { sid: ROOM_A, createdAt: 1_000, saidAt: 2_000, changes: [joined("PA_1", "ann", 2_000)] },
      { sid: ROOM_A, saidAt: 3_000, changes: [{ sid: "PA_1", identity: "ann", publishes: 1 }] },
      { sid: ROOM_A, createdAt: 1_000, saidAt: 4_000, info: "a4", changes: [joined("PA_2", "ben", 4_000)] },
      {
        ...{ sid: ROOM_A, createdAt: 1_000, saidAt: 5_000 },
        changes: [{ ...joined("PA_1", "ann", 2_000), left_at: 5_000, left_reason: "CLIENT_INITIATED" }],
      },
      { sid: ROOM_A, createdAt: 1_000, saidAt: 6_000, changes: [joined("PA_3", "ann", 6_000)] },
    ];
    const nextLife: Word[] = [
      { sid: ROOM_A, createdAt: 1_000, saidAt: 7_000, isOver: true },
      { sid: ROOM_B, createdAt: 8_000, saidAt: 8_000, info: "b8" },
      { sid: ROOM_B, createdAt: 8_000, saidAt: 9_000, changes: [joined("PA_4", "ann", 9_000)] },
    ];
    let run = 0;
    const told = async (words: readonly Word[]) => {
      const name = `${room()}-${run++}`;
      for (const word of words) await merge(word, name);
      return read(name);
    };
    for (const words of [story, [...story, ...nextLife]]) {
      const expected = await told(words);
      const shuffled = fc
        .array(fc.nat(words.length - 1), { maxLength: 4 })
        .map((again) => [...words, ...again.map((at) => words[at] as Word)])
        .chain((all) => fc.shuffledSubarray(all, { minLength: all.length }));
      await fc.assert(
        fc.asyncProperty(shuffled, async (all) => {
          expect(await told(all)).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    }
  });
});
