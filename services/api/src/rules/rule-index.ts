/**
 * A project's rules by what the names of their rooms begin with, so that a room's start looks at the rules that can be meant,
 * and not at all there are. Made once for each state of the definitions; holds nothing of a room.
 */

import { type ConditionCheck, conditionCheck } from "@muster/domain/room-rule";
import { conditionOf, type RuleDefinition } from "../rest/definition-schemas.js";
import type { Defined } from "./definitions.js";

export interface IndexedRule {
  id: string;
  version: number;
  body: RuleDefinition;
  check: ConditionCheck;
  /** Its place among all. */
  at: number;
}

type Rules = ReadonlyMap<string, Defined<RuleDefinition>>;

const known = new WeakMap<Rules, RuleIndex>();

export class RuleIndex {
  /** Those that can be read, in their order. */
  readonly all: readonly IndexedRule[];
  readonly #byPrefix = new Map<string, IndexedRule[]>();
  readonly #lengths: readonly number[];

  constructor(rules: Rules) {
    const all: IndexedRule[] = [];
    for (const [id, { version, body }] of rules) {
      if (body === undefined) continue;
      const rule = { id, version, body, check: conditionCheck(conditionOf(body.when)), at: all.length };
      all.push(rule);
      const same = this.#byPrefix.get(rule.check.prefix);
      if (same === undefined) this.#byPrefix.set(rule.check.prefix, [rule]);
      else same.push(rule);
    }
    this.all = all;
    this.#lengths = [...new Set([...this.#byPrefix.keys()].map((prefix) => prefix.length))];
  }

  static of(rules: Rules): RuleIndex {
    const index = known.get(rules) ?? new RuleIndex(rules);
    known.set(rules, index);
    return index;
  }

  /** Those that may apply to a room of this name, in their order; all others do not. */
  for(name: string): IndexedRule[] {
    const found = this.#lengths.flatMap((length) =>
      length > name.length ? [] : (this.#byPrefix.get(name.slice(0, length)) ?? []),
    );
    return found.sort((a, b) => a.at - b.at);
  }
}
