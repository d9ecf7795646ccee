/** What `npm run simulate` can be told, what it refuses, and its help. */
import { expect, test } from "vitest";
import { traceOf } from "./compare.js";
import { helpText, readOptions } from "./options.js";

test("without arguments the mixed scenario runs with its usual settings", () => {
  expect(readOptions([])).toMatchObject({
    ...{ command: "compare", scenario: "mixed", only: "" },
    settings: { SEED: 1, WORKERS: 50, SPEED: 4 },
  });
});

test("what is given stands above the scenario, whichever is named first", () => {
  const { scenario, settings, chart, only } = readOptions([
    "WORKERS=7",
    "burst",
    "CHART=a=b.svg",
    "ONLY=Muster",
  ]);
  expect({ scenario, chart, only }).toEqual({ scenario: "burst", chart: "a=b.svg", only: "muster" });
  expect(settings).toMatchObject({ WORKERS: 7, BURST: 1_000, RATE: 0, LENGTH_S: 120 });
});

test.each([
  ["SPEED=0.5", 'SPEED: must be a number from 1 to 100, not "0.5"'],
  ["WORKERS=1.5", "WORKERS: must be a whole number from 1 to 10000"],
  ["RATE=", 'RATE: must be a number from 0 to 100, not ""'],
  ["COST=much", 'COST: must be a number from 0 to 1, not "much"'],
  ["workers=5", "workers=5 is nothing that can be said here; --help tells what can"],
  ["toString=5", "toString=5 is nothing that can be said here"],
  ["WORKERS", "WORKERS is nothing that can be said here"],
  ["TRACE=", "TRACE= is nothing that can be said here"],
])("%s is refused", (argument, problem) => {
  expect(() => readOptions([argument])).toThrow(problem);
});

test("the help names every word, setting and strategy", () => {
  const help = helpText(["one strategy", "another"]);
  for (const name of [
    "mixed",
    "burst",
    "claims",
    "TRACE",
    "CHART",
    "ONLY",
    ...Object.keys(readOptions([]).settings),
  ])
    expect(help).toContain(`\n  ${name} `);
  expect(help).toContain("one strategy, another");
});

test.each([
  [["RATE=0", "BURST=0"], "RATE, BURST: no job would come in MINUTES"],
  [["RATE=0", "MINUTES=1", "BURST_EVERY_S=120"], "RATE, BURST: no job would come in MINUTES"],
  [["RATE=100", "MINUTES=60"], "about 361200 jobs would come, of at most 200000"],
])("settings that make no trace are refused: %j", (args, problem) => {
  expect(() => traceOf(readOptions(args).settings)).toThrow(problem);
});

test("the least trace is one burst, in the middle of its time", () => {
  const { settings } = readOptions(["RATE=0", "MINUTES=1", "BURST=2", "BURST_EVERY_S=100"]);
  expect(traceOf(settings).map(({ atMs }) => atMs)).toEqual([50_000, 50_000]);
});
