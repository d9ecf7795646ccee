/**
 * Owns one suite from end to end: a house, all operations of the kind of process that dies in it, the look at what they
 * left, and the table. Goes on after what failed, so that one bug does not hide the others.
 */
import { House, type HouseOptions } from "./house.js";
import { type Operation, type Row, tryEverywhere } from "./operation.js";
import type { Point } from "./point.js";
import { table } from "./report.js";
import { expectRest } from "./verdict.js";

/** Throws all that was found. */
export async function runSuite(
  options: HouseOptions,
  operations: readonly Operation<unknown>[],
): Promise<void> {
  const house = await House.start(options);
  const rows: Row[] = [];
  const points: Point[] = [];
  try {
    for (const operation of operations) rows.push(...(await tryEverywhere(house, operation, points)));
    const failures = rows.flatMap((row) => row.failures);
    for (const { operation, fate, tried } of rows)
      if (tried === 0) failures.push(`${operation}, ${fate}: not one point was there to strike at`);
    failures.push(...(await expectRest(points)));
    if (failures.length > 0) throw new Error(failures.join("\n\n"));
  } finally {
    process.stdout.write(`${table(rows)}\n`);
    await house.end();
  }
}
