import { addSizes, EMPTY_POOL, NO_TERMS, neededOf, type PoolSize } from "@muster/domain/scaling";
import { describe, expect, test } from "vitest";

const pool = (size: Partial<PoolSize>): PoolSize => ({ ...EMPTY_POOL, ...size });
/** Four workers of five places each. */
const FOUR = { available: 4, used: 12, free: 8 };

describe("the workers that a pool needs", () => {
  test.each<[string, Partial<PoolSize>, object, { workers: number; slots: number }]>([
    ["nothing to do", {}, {}, { workers: 0, slots: 0 }],
    ["idle workers", { available: 4, free: 20 }, {}, { workers: 0, slots: 0 }],
    ["work for fewer than there are", FOUR, {}, { workers: 3, slots: 12 }],
    ["jobs that wait", { full: 4, used: 20, queued: 1 }, {}, { workers: 5, slots: 21 }],
    ["jobs that wait, and nobody there", { queued: 50 }, {}, { workers: 1, slots: 50 }],
    ["the same with a number", { queued: 50 }, { slotsPerWorker: 10 }, { workers: 5, slots: 50 }],
    ["a share of headroom", FOUR, { headroom: 0.5 }, { workers: 4, slots: 18 }],
    ["a share of what is no whole", { ...FOUR, used: 10 }, { headroom: 0.1 }, { workers: 3, slots: 11 }],
    ["places that are to be free", FOUR, { headroomSlots: 4 }, { workers: 4, slots: 16 }],
    ["both, where the greater counts", FOUR, { headroom: 1, headroomSlots: 4 }, { workers: 5, slots: 24 }],
    ["places that are to be free of nobody", {}, { headroomSlots: 3 }, { workers: 1, slots: 3 }],
    ["full workers that took none of our jobs", { full: 2, queued: 3 }, {}, { workers: 2, slots: 3 }],
    [
      "who is drained and has something to do",
      { ...FOUR, drained: 3, drainedBusy: 2, leaving: 7 },
      {},
      { workers: 5, slots: 12 },
    ],
    ["who drains by itself", { ...FOUR, draining: 3, leaving: 7 }, {}, { workers: 3, slots: 12 }],
    ["who cools down", { ...FOUR, cooling: 1 }, {}, { workers: 4, slots: 12 }],
    [
      "more who cool down than serve",
      { available: 1, free: 5, cooling: 30, queued: 5 },
      {},
      { workers: 2, slots: 5 },
    ],
    ["all cool down", { cooling: 30, queued: 5 }, {}, { workers: 1, slots: 5 }],
    ["who cools down with nothing to do", { cooling: 3 }, {}, { workers: 0, slots: 0 }],
  ])("%s", (_, size, terms, needed) => {
    expect(neededOf(pool(size), { ...NO_TERMS, ...terms })).toMatchObject(needed);
  });

  test("are reckoned with the mean of what those take that serve", () => {
    expect(neededOf(pool(FOUR), NO_TERMS).slotsPerWorker).toBe(5);
    expect(neededOf(pool({ queued: 3 }), NO_TERMS).slotsPerWorker).toBe(0);
  });
});

test("pools add up", () => {
  const sum = addSizes(pool({ used: 1, queued: 2 }), pool({ used: 3, drainedBusy: 1 }));
  expect(sum).toEqual(pool({ used: 4, queued: 2, drainedBusy: 1 }));
});
