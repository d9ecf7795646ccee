/** Whom a target means: each criterion, their conjunction, the one text for one meaning, and the bounds. */

import { DispatchError } from "@muster/domain/errors";
import { PARTICIPANT_KINDS } from "@muster/domain/room";
import {
  checkTarget,
  encodeTarget,
  knownTarget,
  MAX_TARGET_ATTRIBUTES,
  MAX_TARGET_IDENTITIES,
  type Matchable,
  matches,
  parseTarget,
  type Target,
} from "@muster/domain/target";
import fc from "fast-check";
import { expect, test } from "vitest";

const person: Matchable = {
  identity: "alice",
  kind: "standard",
  attributes: { tier: "gold" },
  publishes: false,
};
const participants = (criteria: Omit<Target, "for"> = {}): Target => ({ for: "participants", ...criteria });

test("a room target is for nobody in particular", () => {
  expect(matches({ for: "room" }, { ...person, publishes: true })).toBe(false);
});

test("publishers are those who publish", () => {
  expect(matches({ for: "publishers" }, person)).toBe(false);
  expect(matches({ for: "publishers" }, { ...person, publishes: true })).toBe(true);
  expect(matches(participants(), person)).toBe(true);
});

test("agents and egress are left out unless they are asked for", () => {
  const taken = (target: Target) => PARTICIPANT_KINDS.filter((kind) => matches(target, { ...person, kind }));
  expect(taken(participants())).toEqual(["standard", "ingress", "sip", "connector", "bridge"]);
  expect(taken(participants({ kinds: ["agent", "sip"] }))).toEqual(["sip", "agent"]);
});

test.each<[Omit<Target, "for">, boolean]>([
  [{ identities: ["bob", "alice"] }, true],
  [{ identities: ["bob"] }, false],
  [{ identityPattern: "al*" }, true],
  [{ identityPattern: "al" }, false],
  [{ attributes: { tier: "gold" } }, true],
  [{ attributes: { tier: "Gold" } }, false],
  [{ attributes: { tier: "gold", eu: "1" } }, false],
  [{ attributes: { constructor: "" } }, false],
  [{ identities: ["alice"], identityPattern: "b*" }, false],
  [{ identities: ["alice"], identityPattern: "a*", attributes: { tier: "gold" }, kinds: ["standard"] }, true],
])("%j: %s", (criteria, expected) => {
  expect(matches(participants(criteria), person)).toBe(expected);
});

const names = fc.constantFrom("alice", "bob", "caller-1", "🙂", "__proto__", "10", "9", "constructor");
const attributes = fc
  .uniqueArray(fc.tuple(names, fc.constantFrom("", "gold", "é")), { selector: ([name]) => name })
  .map((pairs) => Object.fromEntries(pairs));
const someAttributes = attributes.filter((object) => Object.keys(object).length > 0);
const matchable: fc.Arbitrary<Matchable> = fc.record({
  identity: names,
  kind: fc.constantFrom(...PARTICIPANT_KINDS),
  attributes,
  publishes: fc.boolean(),
});
const narrowed: fc.Arbitrary<Target> = fc.record(
  {
    for: fc.constantFrom("publishers" as const, "participants" as const),
    identities: fc.array(names, { minLength: 1 }),
    identityPattern: fc.constantFrom("*", "a*", "?", "caller-?", "10"),
    attributes: someAttributes,
    kinds: fc.array(fc.constantFrom(...PARTICIPANT_KINDS), { minLength: 1 }),
  },
  { requiredKeys: ["for"] },
);

test("what is given besides `for` must all hold", () => {
  fc.assert(
    fc.property(narrowed, matchable, (target, who) => {
      const { for: group, ...criteria } = target;
      // Kinds go with each: when they are not given, they are a criterion all the same.
      const kinds = criteria.kinds === undefined ? {} : { kinds: criteria.kinds };
      const each = Object.entries(criteria).map(
        ([name, value]): Target => ({ for: group, ...kinds, [name]: value }),
      );
      const expected = [{ for: group, ...kinds }, ...each].every((one) => matches(one, who));
      expect(matches(target, who)).toBe(expected);
    }),
    { numRuns: 2_000 },
  );
});

test("its text keeps the meaning, and reads back to itself", () => {
  fc.assert(
    fc.property(narrowed, fc.array(matchable), (target, people) => {
      const text = encodeTarget(target);
      const again = parseTarget(text);
      expect(encodeTarget(again)).toBe(text);
      expect(people.map((who) => matches(again, who))).toEqual(people.map((who) => matches(target, who)));
    }),
    { numRuns: 1_000 },
  );
});

test("one meaning has one text, in whatever order it was written", () => {
  const reversed = <T>(list: readonly T[] | undefined) => list && [...list, ...list].reverse();
  fc.assert(
    fc.property(narrowed, (target) => {
      const other = Object.fromEntries(
        Object.entries({
          ...target,
          ...(target.identities && { identities: reversed(target.identities) }),
          ...(target.kinds && { kinds: reversed(target.kinds) }),
          ...(target.attributes && {
            attributes: Object.fromEntries(Object.entries(target.attributes).reverse()),
          }),
        }).reverse(),
      ) as unknown as Target;
      expect(encodeTarget(other)).toBe(encodeTarget(target));
    }),
  );
  expect(encodeTarget({ for: "room" })).toBe("room");
  expect(parseTarget("room")).toEqual({ for: "room" });
  expect(encodeTarget(participants())).not.toBe(encodeTarget({ for: "publishers" }));
});

const attributesOf = (count: number, value = "") =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, value]));

test.each<[string, Target, string]>([
  ["criteria for a room", { for: "room", identities: ["alice"] }, "target.identities"],
  ["a pattern for a room", { for: "room", identityPattern: "*" }, "target.identity_pattern"],
  ["no identities", participants({ identities: [] }), "target.identities"],
  ["an empty identity", participants({ identities: ["a", ""] }), "target.identities"],
  ["a long identity", participants({ identities: ["ä".repeat(257)] }), "target.identities"],
  [
    "too many identities",
    participants({ identities: Array.from({ length: MAX_TARGET_IDENTITIES + 1 }, String) }),
    "target.identities",
  ],
  ["an empty pattern", participants({ identityPattern: "" }), "target.identity_pattern"],
  ["a long pattern", participants({ identityPattern: "*".repeat(513) }), "target.identity_pattern"],
  ["no attributes", participants({ attributes: {} }), "target.attributes"],
  ["an attribute without a name", participants({ attributes: { "": "x" } }), "target.attributes"],
  [
    "too many attributes",
    participants({ attributes: attributesOf(MAX_TARGET_ATTRIBUTES + 1) }),
    "target.attributes",
  ],
  ["large attributes", participants({ attributes: { a: "x".repeat(65_536) } }), "target.attributes"],
  ["no kinds", participants({ kinds: [] }), "target.kinds"],
])("refuses %s, with the field", (_what, target, field) => {
  const refused = () => checkTarget(target);
  expect(refused).toThrow(DispatchError);
  expect(refused).toThrow(expect.objectContaining({ code: "invalid_argument", field }));
});

test("takes what is just within bounds", () => {
  checkTarget(
    participants({
      identities: Array.from({ length: MAX_TARGET_IDENTITIES }, (_, at) => String(at).padEnd(512, "x")),
      identityPattern: "*".repeat(512),
      attributes: attributesOf(MAX_TARGET_ATTRIBUTES, "x".repeat(2_000)),
      kinds: [...PARTICIPANT_KINDS],
    }),
  );
});

test.each([
  "",
  "rooms",
  "null",
  "[]",
  "{}",
  '{"for":"room"}',
  '{"for":"everybody"}',
  '{"for":"participants","identities":"alice"}',
  '{"for":"participants","identities":[1]}',
  '{"for":"participants","identityPattern":1}',
  '{"for":"participants","kinds":["robot"]}',
  '{"for":"participants","attributes":{"a":"b"}}',
  '{"for":"participants","attributes":[["a"]]}',
  '{"for":"participants","attributes":null}',
])("%j is no text of a target", (text) => {
  expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: "malformed", field: "target" }));
});

test("a target that narrows by what is not known here is for nobody here", () => {
  expect(knownTarget("room")).toEqual({ for: "room" });
  const own = participants({ identities: ["alice"], kinds: ["sip"], attributes: { tier: "gold" } });
  expect(knownTarget(encodeTarget(own))).toEqual(own);
  for (const text of [
    '{"for":"participants","regions":["eu"]}',
    '{"for":"participants","kinds":["hologram"]}',
    '{"for":"listeners"}',
    "{",
  ]) {
    expect(knownTarget(text)).toBeUndefined();
  }
});
