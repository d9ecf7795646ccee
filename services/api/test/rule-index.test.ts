/** A room's start looks at the rules that its name allows, and finds the same as a look at all. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { RuleBody } from "../src/rest/definition-schemas.js";
import type { ProjectDefinitions } from "../src/rules/definitions.js";
import { planOrders } from "../src/rules/plan-orders.js";
import { RuleIndex } from "../src/rules/rule-index.js";

function definitions(conditions: readonly object[]): ProjectDefinitions {
  const rules = conditions.map((when, at) => {
    const body = RuleBody.parse({ when, orders: [{ agent_name: `agent-${at}` }] });
    return [`rule-${at}`, { version: at + 1, body }] as const;
  });
  return { rules: new Map(rules), configurations: new Map() };
}

const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "日"), maxLength: 6 });
const pattern = fc
  .array(fc.oneof(text, fc.constantFrom("*", "?")), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(""))
  .filter((all) => all !== "");
const condition = fc.oneof(
  fc.record({ room_pattern: pattern }),
  fc.record({ metadata: fc.constant({ tier: "gold" }) }),
);

test("the same orders in the same order as a look at all of them", () => {
  fc.assert(
    fc.property(fc.array(condition, { maxLength: 20 }), text, fc.boolean(), (conditions, name, isGold) => {
      const all = definitions(conditions);
      const room = { name, metadata: isGold ? '{"tier":"gold"}' : "" };
      const quick = planOrders(all, room);
      const whole = planOrders(all, room, { withAllVerdicts: true });
      expect(quick.orders).toEqual(whole.orders);
      expect(whole.verdicts).toHaveLength(conditions.length);
      const applies = ({ failed }: { failed: string[] }) => failed.length === 0;
      expect(quick.verdicts.filter(applies)).toEqual(whole.verdicts.filter(applies));
    }),
    { numRuns: 300 },
  );
});

test("of five hundred, those of another prefix are not looked at", () => {
  const { rules } = definitions(Array.from({ length: 500 }, (_, at) => ({ room_pattern: `tenant-${at}-*` })));
  const index = RuleIndex.of(rules);
  expect(index.for("tenant-7-call").map(({ id }) => id)).toEqual(["rule-7"]);
  expect(index.for("nobody")).toEqual([]);
  expect(index.all).toHaveLength(500);
  expect(RuleIndex.of(rules)).toBe(index);
});
