/** A siege that fits into a test run. The seed is printed; `npm run siege` runs a long one, or this seed again. */
import { expect, it } from "vitest";
import { shortSiege } from "./siege/plan.js";
import { tableOf } from "./siege/report.js";
import { runSiege } from "./siege.js";

const SEED = 1;
const LIMIT_MS = 240_000;

it("under faults of every kind, no job is lost, none runs twice, and nothing is left behind", {
  timeout: LIMIT_MS,
}, async () => {
  const report = await runSiege(shortSiege(SEED));
  process.stdout.write(`\n${tableOf(report)}\n`);
  expect(report.violations).toEqual([]);
  expect(report.lost).toEqual([]);
  expect(report.leaked).toEqual([]);
  expect(report.orders.unanswered).toBe(0);
  // It was one: work was done, and faults were made.
  expect(report.orders.accepted).toBeGreaterThan(100);
  expect(report.faults.size).toBeGreaterThan(3);
});
