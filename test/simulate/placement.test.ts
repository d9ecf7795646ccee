/** Muster's scripts under a simulated load: repeatable, even in a burst, within the cap, and below the target load. */
import { createLedger } from "@muster/ledger/ledger";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import type { Figures } from "./account.js";
import { drawComparison } from "./chart.js";
import { measureClaims, median, ratios } from "./claims.js";
import { compare, type Outcome, traceOf } from "./compare.js";
import { readOptions } from "./options.js";
import { STRATEGIES } from "./strategies.js";

/** They compute all the while, so a crowded machine is slower by as much as it is crowded. */
const LIMIT_MS = 240_000;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(() => redis.flush());
afterAll(() => redis.stop());

/** What `npm run simulate` would compare, of the strategies whose name has `only` in it. */
async function run(...args: string[]): Promise<Outcome[]> {
  const { settings, only } = readOptions(args);
  const strategies = STRATEGIES.filter(({ name }) => name.toLowerCase().includes(only));
  const ledger = createLedger(redis.client());
  return await compare({ settings, trace: traceOf(settings), strategies, ledger });
}

const of = (outcomes: Outcome[], name: string): Figures => {
  const found = outcomes.find((outcome) => outcome.name === name);
  if (found === undefined) throw new Error(`nobody is called ${name}`);
  return found.figures;
};

const SMALL = ["MINUTES=1", "WORKERS=8", "RATE=1", "BURST=40", "BURST_EVERY_S=40", "LENGTH_S=20"];

test("the same seed gives the same figures for every strategy, and the same picture", {
  timeout: LIMIT_MS,
}, async () => {
  const first = await run(...SMALL);
  await redis.flush();
  expect(await run(...SMALL)).toEqual(first);
  expect(drawComparison("one", structuredClone(first))).toBe(drawComparison("one", first));
  await redis.flush();
  expect(await run(...SMALL, "SEED=2")).not.toEqual(first);
  for (const { figures } of first)
    expect(figures.accepted + figures.dropped + figures.waiting).toBe(figures.jobs);
});

test("the picture names every strategy", { timeout: LIMIT_MS }, async () => {
  const outcomes = await run(...SMALL, "ONLY=spread");
  const svg = drawComparison("a title", outcomes);
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
  for (const text of ["a title", "Muster spread", "workers above the target load"])
    expect(svg).toContain(text);
});

test("1,000 jobs at once, onto 100 workers that take what they are offered, between two reports: max/mean at most 1.2", {
  timeout: LIMIT_MS,
}, async () => {
  const { settings } = readOptions(["burst"]);
  const figures = of(await run("burst", "REFUSES=0", "ONLY=spread"), "Muster spread");
  expect(figures).toMatchObject({ jobs: 1_000, accepted: 1_000, dropped: 0, waiting: 0, rejections: 0 });
  expect(figures.waitMs.max).toBeLessThan(settings.REPORT_MS);
  expect(figures.burstImbalance).toBeLessThanOrEqual(1.2);
});

test("the same onto workers that refuse when full: all are placed before the next report, none is ever over its cap", {
  timeout: LIMIT_MS,
}, async () => {
  const { settings } = readOptions(["burst"]);
  const figures = of(await run("burst", "CAP=12", "ONLY=spread"), "Muster spread");
  expect(figures).toMatchObject({ jobs: 1_000, accepted: 1_000, dropped: 0, waiting: 0 });
  expect(figures.rejections).toBeGreaterThan(1_000);
  expect(figures.waitMs.max).toBeLessThan(settings.REPORT_MS);
  expect(figures.mostJobs).toBeLessThanOrEqual(12);
});

test("workers of which some are four times as fast: at most a quarter of the time above the target load that LiveKit's algorithm gives", {
  timeout: LIMIT_MS,
}, async () => {
  const outcomes = await run("WORKERS=20", "RATE=1.2", "MINUTES=4", "BURST=30", "LENGTH_S=90");
  const ours = of(outcomes, "Muster spread");
  expect(ours.accepted).toBe(ours.jobs);
  for (const theirs of [of(outcomes, "LiveKit, 1 node"), of(outcomes, "LiveKit, 3 nodes")]) {
    expect(theirs.overloadS).toBeGreaterThan(60);
    expect(ours.overloadS).toBeLessThanOrEqual(theirs.overloadS / 4);
  }
});

test("jobs that find no worker wait in Muster and are served when there is room, where LiveKit's algorithm drops them", {
  timeout: LIMIT_MS,
}, async () => {
  const crowd =
    "WORKERS=2 FAST=0 CAP=5 COST=0.05 RATE=0 MINUTES=1 BURST=20 BURST_EVERY_S=20 LENGTH_S=10 LENGTH_SPREAD=0";
  const ours = of(await run(...crowd.split(" "), "REFUSES=0", "ONLY=spread"), "Muster spread");
  expect(ours).toMatchObject({ jobs: 60, accepted: 50, dropped: 0, waiting: 10, mostJobs: 5 });
  // As soon as those before them are over.
  expect(ours.waitMs.max).toBeGreaterThan(10_000);
  expect(ours.waitMs.max).toBeLessThan(11_000);
  const theirs = of(await run(...crowd.split(" "), "ONLY=livekit"), "LiveKit, 1 node");
  expect(theirs.dropped).toBeGreaterThan(20);
});

test("a claim costs Redis at most 1.3 times as much with 10,000 workers in the pool as with 100", {
  timeout: LIMIT_MS,
}, async () => {
  const costs = await measureClaims({ redis: redis.client(), rounds: 9, claims: 300 });
  expect(costs.rounds).toHaveLength(9);
  expect(median(ratios(costs, 1, "cpuUs"))).toBeLessThanOrEqual(1.3);
});
