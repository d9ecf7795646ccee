/**
 * Which work orders a project's definitions ask for at the start of a room's life. Pure: the same for a room that starts
 * and for one that is only asked about. A configuration is applied once, however many rules name it and wherever.
 */

import { fieldIn, metadataFields } from "@muster/domain/room-rule";
import type { OrderTemplateBody } from "../rest/new-order.js";
import type { ProjectDefinitions } from "./definitions.js";
import { RuleIndex } from "./rule-index.js";

/** What asks for an order, and which of its orders it is. */
export interface OrderSource {
  kind: "rule" | "configuration";
  id: string;
  index: number;
}

export interface PlannedOrder {
  from: OrderSource;
  template: OrderTemplateBody;
}

export interface RuleVerdict {
  rule: string;
  version: number;
  /** Fields of the rule that are against it; empty: it applies. */
  failed: string[];
}

export interface NamedConfiguration {
  id: string;
  /** The rule that names it; undefined for the room's metadata. */
  rule: string | undefined;
  isKnown: boolean;
}

export interface Plan {
  /** Of all rules, where they were asked for; else of those that the room's name is no reason against. */
  verdicts: RuleVerdict[];
  named: NamedConfiguration[];
  orders: PlannedOrder[];
}

/** The field of a room's metadata that names a configuration. */
export const CONFIGURATION_FIELD = "muster_configuration";

export function planOrders(
  { rules, configurations }: ProjectDefinitions,
  room: { name: string; metadata: string },
  how: { withAllVerdicts?: boolean } = {},
): Plan {
  const fields = metadataFields(room.metadata);
  const plan: Plan = { verdicts: [], named: [], orders: [] };
  const index = RuleIndex.of(rules);
  for (const { id, version, body, check } of how.withAllVerdicts === true
    ? index.all
    : index.for(room.name)) {
    const unfulfilled = check.failed({ name: room.name, fields });
    const failed = [...(body.enabled ? [] : ["enabled"]), ...unfulfilled.map((name) => `when.${name}`)];
    plan.verdicts.push({ rule: id, version, failed });
    if (failed.length > 0) continue;
    plan.orders.push(...plannedOrders("rule", id, body.orders ?? []));
    if (body.configuration !== undefined) name(body.configuration, id);
  }
  const byMetadata = fieldIn(fields, CONFIGURATION_FIELD);
  if (typeof byMetadata === "string") name(byMetadata, undefined);
  const known = new Set(plan.named.filter(({ isKnown }) => isKnown).map(({ id }) => id));
  for (const id of known)
    plan.orders.push(...plannedOrders("configuration", id, configurations.get(id)?.body?.agents ?? []));
  return plan;

  function name(id: string, rule: string | undefined): void {
    plan.named.push({ id, rule, isKnown: configurations.get(id)?.body !== undefined });
  }
}

export function plannedOrders(
  kind: OrderSource["kind"],
  id: string,
  templates: readonly OrderTemplateBody[],
): PlannedOrder[] {
  return templates.map((template, index) => ({ from: { kind, id, index }, template }));
}
