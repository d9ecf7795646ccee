/** Conditions of rules: which rooms they hold for, what is against it, and what is refused. */

import {
  checkCondition,
  failedConditions,
  fieldIn,
  MAX_CONDITION_FIELDS,
  metadataFields,
  type RoomCondition,
} from "@muster/domain/room-rule";
import { describe, expect, test } from "vitest";

const against = (condition: RoomCondition, name: string, metadata = "") =>
  failedConditions(condition, { name, fields: metadataFields(metadata) });

test.each<[RoomCondition, string, string, string[]]>([
  [{ roomPattern: "support-*" }, "support-1", "", []],
  [{ roomPattern: "support-*" }, "sales-1", "", ["room_pattern"]],
  [{ metadata: { tier: "gold" } }, "any", '{"tier":"gold","other":[1]}', []],
  [{ metadata: { tier: "gold" } }, "any", '{"tier":"tin"}', ["metadata.tier"]],
  [{ metadata: { tier: "gold", lang: "de" } }, "any", '{"tier":"gold"}', ["metadata.lang"]],
  [{ roomPattern: "a*", metadata: { tier: "gold" } }, "b", "{}", ["room_pattern", "metadata.tier"]],
  // A value of another type is another value, and only top-level fields count.
  [{ metadata: { n: "1" } }, "any", '{"n":1}', ["metadata.n"]],
  [{ metadata: { tier: "gold" } }, "any", '{"deep":{"tier":"gold"}}', ["metadata.tier"]],
  [{ metadata: { constructor: "x" } }, "any", "{}", ["metadata.constructor"]],
  [{ metadata: { "0": "gold" } }, "any", '["gold"]', ["metadata.0"]],
])("%j for %j with %j", (condition, name, metadata, expected) => {
  expect(against(condition, name, metadata)).toEqual(expected);
});

test.each(["", "free text", "{", "[]", "null", '"x"', "7", ` {"a": `, `{"a":"${"x".repeat(512 * 1024)}"}`])(
  "metadata that is no JSON object of a sensible size has no fields (%#)",
  (metadata) => {
    expect(metadataFields(metadata)).toEqual({});
  },
);

test("a field is one of the object's own", () => {
  expect(fieldIn(metadataFields(' {"a":"b"}'), "a")).toBe("b");
  expect(fieldIn({}, "toString")).toBeUndefined();
});

describe("refused are", () => {
  const many = Object.fromEntries(
    Array.from({ length: MAX_CONDITION_FIELDS + 1 }, (_, at) => [`f${at}`, ""]),
  );
  test.each<[string, RoomCondition, string]>([
    ["an empty pattern", { roomPattern: "" }, "room_pattern"],
    ["a long pattern", { roomPattern: "x".repeat(513) }, "room_pattern"],
    ["no fields", { metadata: {} }, "metadata"],
    ["too many fields", { metadata: many }, "metadata"],
    ["fields of too many bytes", { metadata: { a: "ä".repeat(32 * 1024) } }, "metadata"],
  ])("%s", (_, condition, field) => {
    expect(() => checkCondition(condition)).toThrow(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });

  test("not those that are just within bounds", () => {
    const { f0: _f0, ...most } = many;
    checkCondition({ roomPattern: "x".repeat(512), metadata: most });
    checkCondition({ metadata: { a: "x".repeat(64 * 1024 - 1) } });
  });
});
