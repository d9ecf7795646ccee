/**
 * Owns proving that the tests of alerts can fail: for each bound and each waiting time of an alert, a copy of it under
 * another name, with that one thing changed, and the tests of the original for it. Each copy must fail somewhere.
 */
import { parse, stringify } from "yaml";
import type { Rule, RuleFile } from "./files.js";
import { boundsOf } from "./promql.js";

interface AlertTest {
  rule_files: string[];
  group_eval_order: string[];
  tests: { promql_expr_test?: { expr: string }[]; alert_rule_test?: unknown[] }[];
}

export interface Mutant {
  name: string;
  of: string;
  /** For the reader of a failure. */
  change: string;
  /** The changed one, and those of the same alert. */
  rules: Rule[];
}

/** Far enough to be noticed by a test near the bound, and no further. */
const [STRICTER, LAXER] = [1.45, 0.68];
const NEVER = "1000000";

export function mutantsOf({ groups }: RuleFile): Mutant[] {
  const mutants: Mutant[] = [];
  const rules = groups.flatMap((group) => group.rules).filter(({ alert }) => alert !== undefined);
  for (const [index, rule] of rules.entries()) {
    const of = rule.alert ?? "";
    const add = (change: string, changed: Partial<Rule>) => {
      const name = `Mutant${index}x${mutants.length}`;
      const all = rules.filter(({ alert }) => alert === of);
      const copies = all.map((one) => ({ ...one, ...(one === rule && changed), alert: name }));
      mutants.push({ name, of, change, rules: copies });
    };
    const bounds = boundsOf(rule.expr);
    for (const { operator, value, from, to } of bounds) {
      for (const other of othersOf(operator, value)) {
        const expr = `${rule.expr.slice(0, from)}${other}${rule.expr.slice(to)}`;
        add(`${rule.expr.slice(from, to)} became ${other}`, { expr });
      }
    }
    if (bounds.length === 0) add("never fires", { expr: `(${rule.expr}) > ${NEVER}` });
    if (rule.for !== undefined) {
      add("fires at once", { for: "0s" });
      add("waits for a week", { for: "1w" });
    }
  }
  return mutants;
}

function othersOf(operator: string, value: number): string[] {
  // Of what is 0 or 1 there is nothing in between: it is always so, or never.
  if (operator === "==") return [">= 0", `== ${NEVER}`];
  if (value === 0) return [">= 0", `> ${NEVER}`];
  return [`${operator} ${value * LAXER}`, `${operator} ${value * STRICTER}`];
}

/** Tests of alerts, for those mutants whose originals they are about, and the rules that these need. */
export function testsOfMutants(text: string, { groups }: RuleFile, mutants: readonly Mutant[]) {
  const file = parse(text) as AlertTest;
  const about = mutants.filter(({ of }) => text.includes(`alertname="${of}"`));
  const recording = groups.map(({ name, rules }) => ({ name, rules: rules.filter(({ record }) => record) }));
  const group = { name: "mutants", rules: about.flatMap(({ rules }) => rules) };
  const tests = file.tests.map(({ alert_rule_test: _, promql_expr_test: expectations = [], ...test }) => ({
    ...test,
    promql_expr_test: expectations.flatMap(({ expr, ...expectation }) =>
      about
        .map(({ of, name }) => [`alertname="${of}"`, `alertname="${name}"`] as const)
        .filter(([original]) => expr.includes(original))
        .map(([original, mutant]) => ({ ...expectation, expr: expr.replace(original, mutant) })),
    ),
  }));
  const order = [...file.group_eval_order, group.name];
  return {
    rules: stringify({ groups: [...recording, group] }),
    tests: (ruleFile: string) =>
      stringify({ ...file, rule_files: [ruleFile], group_eval_order: order, tests }),
  };
}
