/** Traces: what is refused of a recorded one, and that a generated one is the same for the same seed. */
import { expect, test } from "vitest";
import { generateTrace } from "./generate-trace.js";
import { DAY_MS, MAX_JOBS, readTrace, traceEndMs } from "./trace.js";

const COST = 0.1;
const job = (fields: object) => JSON.stringify({ at_ms: 0, duration_ms: 1_000, ...fields });

test("a recorded trace is read in order of arrival, with what it leaves out filled in", () => {
  const text = [job({ at_ms: 2_000, cost: 0.25, priority: 7 }), "", job({ at_ms: 500 }), ""].join("\n");
  expect(readTrace(text, COST)).toEqual([
    { atMs: 500, durationMs: 1_000, cost: COST, priority: 0 },
    { atMs: 2_000, durationMs: 1_000, cost: 0.25, priority: 7 },
  ]);
});

test.each([
  ["not JSON", "{at_ms: 0}", "line 2: not JSON"],
  ["a list", "[1, 2]", 'line 2: must be an object such as {"at_ms": 0, "duration_ms": 60000}'],
  [
    "an unknown field",
    job({ lasts: 3 }),
    'line 2: "lasts" is no field of a job; known are at_ms, duration_ms, cost, priority',
  ],
  [
    "a field of every object",
    '{"at_ms":0,"duration_ms":1,"constructor":1}',
    'line 2: "constructor" is no field of a job',
  ],
  ["no arrival", '{"duration_ms": 5}', "line 2: at_ms: must be a whole number from 0 to 86400000"],
  ["an arrival before the trace", job({ at_ms: -1 }), "line 2: at_ms: must be a whole number"],
  ["half a millisecond", job({ at_ms: 0.5 }), "line 2: at_ms: must be a whole number"],
  ["an arrival after a day", job({ at_ms: DAY_MS + 1 }), "line 2: at_ms: must be a whole number"],
  ["no length", '{"at_ms": 5}', "line 2: duration_ms: must be a whole number from 1 to 86400000"],
  ["a length of nothing", job({ duration_ms: 0 }), "line 2: duration_ms: must be a whole number from 1"],
  ["a length in words", job({ duration_ms: "60000" }), "line 2: duration_ms: must be a whole number from 1"],
  ["a cost above 1", job({ cost: 1.01 }), "line 2: cost: must be a number from 0 to 1"],
  ["no cost where one is named", job({ cost: null }), "line 2: cost: must be a number from 0 to 1"],
  [
    "a priority above 1000",
    job({ priority: 1_001 }),
    "line 2: priority: must be a whole number from 0 to 1000",
  ],
  ["a line without end", job({ at_ms: 0 }) + " ".repeat(1_024), "line 2: longer than 1024 bytes"],
])("a recorded trace with %s is refused, with line and field", (_, line, problem) => {
  expect(() => readTrace(`${job({})}\n${line}\n`, COST)).toThrow(problem);
});

test("a recorded trace without a job, or with too many, is refused", () => {
  expect(() => readTrace("\n\n", COST)).toThrow("no job in the whole trace");
  const most = `${job({})}\n`.repeat(MAX_JOBS);
  expect(readTrace(most, COST)).toHaveLength(MAX_JOBS);
  expect(() => readTrace(`${most}${job({})}\n`, COST)).toThrow(
    `line ${MAX_JOBS + 1}: more than ${MAX_JOBS} jobs`,
  );
});

const PLAN = {
  ...{ seed: 7, lastsMs: 600_000, ratePerS: 10, burst: 50, burstEveryMs: 300_000 },
  ...{ meanMs: 60_000, lengthSpread: 0.6, cost: 0.1, costSpread: 0.3 },
};

test("a generated trace is the same for the same seed, and another for another", () => {
  expect(generateTrace(PLAN)).toEqual(generateTrace(PLAN));
  expect(generateTrace({ ...PLAN, seed: 8 })).not.toEqual(generateTrace(PLAN));
});

test("a generated trace has the rate, the bursts, and the means that were asked for", () => {
  const trace = generateTrace(PLAN);
  const mean = (of: (one: (typeof trace)[number]) => number) =>
    trace.reduce((sum, one) => sum + of(one), 0) / trace.length;
  expect(trace.filter(({ atMs }) => atMs === 150_000).length).toBeGreaterThanOrEqual(PLAN.burst);
  expect(trace.filter(({ atMs }) => atMs === 450_000).length).toBeGreaterThanOrEqual(PLAN.burst);
  // Six thousand of the stream: three deviations are 4 % of the rate, and of the means about 3 %.
  expect(trace.length).toBeGreaterThan(0.96 * 6_000 + 100);
  expect(trace.length).toBeLessThan(1.04 * 6_000 + 100);
  expect(mean(({ durationMs }) => durationMs) / PLAN.meanMs).toBeCloseTo(1, 1);
  expect(mean(({ cost }) => cost) / PLAN.cost).toBeCloseTo(1, 1);
  expect(traceEndMs(trace)).toBeGreaterThan(PLAN.lastsMs);
});
