/** The count of bytes that something keeps, and its bound. */

import { expect, it } from "vitest";
import { ByteBudget } from "../src/byte-budget.js";

it("takes up to its bound, and refuses without taking what goes above it", () => {
  const budget = new ByteBudget(10);
  expect(budget.take(6)).toBe(true);
  expect(budget.take(4)).toBe(true);
  expect(budget.take(1)).toBe(false);
  expect(budget.used).toBe(10);
});

it("has room again for what was given back", () => {
  const budget = new ByteBudget(10);
  budget.take(10);
  budget.give(4);
  expect(budget.used).toBe(6);
  expect(budget.take(5)).toBe(false);
  expect(budget.take(4)).toBe(true);
});

it("says so when more is given back than was taken", () => {
  const budget = new ByteBudget(10);
  budget.take(3);
  expect(() => budget.give(4)).toThrow("more bytes given back than were taken");
  expect(budget.used).toBe(3);
});
