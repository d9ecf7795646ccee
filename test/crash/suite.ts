/** Owns the frame of a suite: one house for all its operations, and in the end the look at what they left, and the table. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { House, type HouseOptions } from "./house.js";
import { type Operation, type Row, tryEverywhere } from "./operation.js";
import type { Point } from "./point.js";
import { table } from "./report.js";
import { expectRest } from "./verdict.js";

const OPERATION_LIMIT_MS = 240_000;
const REST_LIMIT_MS = 90_000;

/** To be called where suites run side by side: most of their time is spent in waiting. */
export function crashSuite(options: HouseOptions, operations: readonly Operation<unknown>[]): void {
  describe.sequential(`a ${options.victims} that dies behind any of its commands`, () =>
    frame(options, operations));
}

function frame(options: HouseOptions, operations: readonly Operation<unknown>[]): void {
  let house: House;
  const rows: Row[] = [];
  const points: Point[] = [];

  beforeAll(async () => {
    house = await House.start(options);
  });
  afterAll(async () => {
    await house?.end();
    process.stdout.write(`${table(rows)}\n`);
  });

  it.each(operations.map((operation) => [operation.name, operation] as const))(
    "%s",
    async (_name, operation) => {
      const tried = await tryEverywhere(house, operation, points);
      rows.push(...tried);
      const failures = tried.flatMap((row) => row.failures);
      if (failures.length > 0) throw new Error(failures.join("\n\n"));
      for (const row of tried) expect(row.tried, `points of "${row.fate}"`).toBeGreaterThan(0);
    },
    OPERATION_LIMIT_MS,
  );

  it(
    "leaves nothing behind",
    async () => {
      const failures = await expectRest(points);
      if (failures.length > 0) throw new Error(failures.join("\n\n"));
    },
    REST_LIMIT_MS,
  );
}
