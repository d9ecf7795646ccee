/** The two numbers of this build keep to the rule that lets a release be upgraded, and rolled back, beside its neighbours. */
import { SCHEMA, UNCLAIMED } from "@muster/domain/schema";
import { expect, it } from "vitest";

it("this build lives with the schema before its own, or none could be upgraded service by service", () => {
  expect(SCHEMA.livesWith).toBeGreaterThanOrEqual(UNCLAIMED.writes);
  expect(SCHEMA.livesWith).toBeLessThan(SCHEMA.writes);
});
