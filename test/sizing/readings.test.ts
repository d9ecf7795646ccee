/** What is read of processes and metrics, and how quantiles come from buckets. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { problemsOf } from "./figures.js";
import { bucketsIn, growthOf, quantileOf, sumIn } from "./metric-readings.js";
import { cpuMsOf, memoryOf, openFileLimit } from "./process-readings.js";
import { someFigures } from "./some-sizing.js";

const text = [
  "# HELP x_seconds …",
  'x_seconds_bucket{path="a",le="0.5"} 3',
  'x_seconds_bucket{path="a",le="+Inf"} 4',
  'x_seconds_bucket{le="0.5",path="b"} 5',
  'x_seconds_bucket{le="+Inf",path="b"} 6',
  'x_total{kind="one"} 2',
  'x_total{kind="two"} 3',
  "x_total_beside 7",
  "",
].join("\n");

test("a metric is summed over its labels, and nothing that only begins as it does", () => {
  expect(sumIn(text, "x_total")).toBe(5);
  expect(sumIn(text, "x_total", 'kind="two"')).toBe(3);
  expect(sumIn(text, "y_total")).toBe(0);
});

test("a histogram is summed over its labels, whatever their order", () => {
  const buckets = bucketsIn(text, "x_seconds");
  expect(buckets).toEqual([
    [0.5, 8],
    [Number.POSITIVE_INFINITY, 10],
  ]);
  expect(growthOf([[0.5, 2]], buckets)).toEqual([
    [0.5, 6],
    [Number.POSITIVE_INFINITY, 10],
  ]);
});

test("a quantile lies within its bucket; beyond the last bound it is that bound; of nothing there is none", () => {
  const buckets = [
    [1, 50],
    [2, 90],
    [4, 90],
    [Number.POSITIVE_INFINITY, 100],
  ] as const;
  expect(quantileOf(buckets, 0.25)).toBe(0.5);
  expect(quantileOf(buckets, 0.5)).toBe(1);
  expect(quantileOf(buckets, 0.7)).toBe(1.5);
  expect(quantileOf(buckets, 0.99)).toBe(4);
  expect(quantileOf([[Number.POSITIVE_INFINITY, 0]], 0.5)).toBeNaN();
});

test("what the kernel says of this process is what Node says of it", () => {
  const own = cpuMsOf(process.pid);
  const { user, system } = process.cpuUsage();
  expect(Math.abs(own - (user + system) / 1_000)).toBeLessThan(1_000);
  const { rssKiB, peakKiB } = memoryOf(process.pid);
  expect(rssKiB).toBeGreaterThan(process.memoryUsage.rss() / 1_024 / 2);
  expect(peakKiB).toBeGreaterThanOrEqual(rssKiB);
  expect(readFileSync("/proc/self/limits", "utf8")).toContain(`Max open files`);
  expect(openFileLimit()).toBeGreaterThan(100);
});

test("figures that are missing, no numbers, negative, or none are told", () => {
  expect(problemsOf(someFigures())).toEqual([]);
  expect(problemsOf(someFigures({ gatewayRss: 0 }))).toEqual([]);
  const { stormSeconds: _, ...missing } = someFigures({
    gatewayRss: -1,
    slowP50: Number.NaN,
    slowCommands: 0,
  });
  expect(problemsOf({ ...missing, another: 1 }).sort()).toEqual([
    "another is no figure",
    "gatewayRss is -1",
    "slowCommands is 0",
    "slowP50 is NaN",
    "stormSeconds is missing",
  ]);
});
