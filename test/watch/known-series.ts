/**
 * Owns what series a scraped Muster can have: names with their labels, and the values of closed labels, from the list of
 * metrics, from Node's own ones, from Prometheus, and from the recording rules. Says what an expression asks for in vain.
 */
import { METRIC_PREFIX, METRICS, type MetricSpec, OPEN } from "@muster/runtime/metric-names";
import { createMetrics } from "@muster/runtime/metrics";
import type { Rule } from "./files.js";
import { type Matcher, readQuery, type Selector } from "./promql.js";

/** Of every series: what Prometheus adds to what it scrapes. */
const TARGET_LABELS = ["job", "instance", "namespace"];

/** Of Node's own metrics, of some of them each. */
const NODE_LABELS = ["kind", "type", "space", "version", "le"];

type Labels = Record<string, readonly string[] | typeof OPEN>;

export type KnownSeries = ReadonlyMap<string, Labels>;

export async function knownSeries(rules: readonly Rule[]): Promise<KnownSeries> {
  const known = new Map<string, Labels>();
  const open = (labels: readonly string[]): Labels =>
    Object.fromEntries(labels.map((label) => [label, OPEN]));
  for (const [name, spec] of Object.entries<MetricSpec>(METRICS)) {
    const labels = { ...open(TARGET_LABELS), ...spec.labels };
    const full = `${METRIC_PREFIX}${name}`;
    if (spec.type !== "histogram") known.set(full, labels);
    else {
      for (const part of ["_sum", "_count"]) known.set(full + part, labels);
      known.set(`${full}_bucket`, { ...labels, le: [...(spec.buckets ?? []).map(String), "+Inf"] });
    }
  }
  const text = await createMetrics({ service: "test" }).render();
  for (const [, name = "", type] of text.matchAll(/^# TYPE ((?:process|nodejs)_\w+) (\w+)$/gm)) {
    const parts = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    for (const part of parts) known.set(name + part, open([...TARGET_LABELS, ...NODE_LABELS]));
  }
  known.set("up", open(TARGET_LABELS));
  const states = { alertstate: ["pending", "firing"], severity: ["critical", "warning"] };
  const alerts = rules.flatMap(({ alert }) => (alert === undefined ? [] : [alert]));
  const others = open([...TARGET_LABELS, "agent", "reason", "service"]);
  known.set("ALERTS", { ...others, ...states, alertname: alerts });
  for (const { record, expr } of rules) if (record !== undefined) known.set(record, open(labelsLeft(expr)));
  return known;
}

/** By rule of thumb: those that it groups by, or where it groups by none those that it began with. */
function labelsLeft(expression: string): string[] {
  const { groupedBy, selectors } = readQuery(expression);
  if (groupedBy.length > 0) return groupedBy;
  return [...TARGET_LABELS, ...selectors.flatMap(({ matchers }) => matchers.map(({ label }) => label))];
}

/** What is wrong with it, in words; nothing when all that it asks for can be there. */
export function askedInVain(expression: string, known: KnownSeries): string[] {
  const { selectors, groupedBy } = readQuery(expression);
  const labels = new Set(selectors.flatMap(({ metric }) => Object.keys(known.get(metric) ?? {})));
  const strays = groupedBy.filter((label) => !labels.has(label));
  return [
    ...selectors.flatMap((selector) => strangersOf(selector, known)),
    ...strays.map((label) => `groups by ${label}, which none of its series has`),
  ];
}

function strangersOf({ metric, matchers }: Selector, known: KnownSeries): string[] {
  const labels = known.get(metric);
  if (labels === undefined) return [`${metric} is no metric`];
  return matchers.flatMap((matcher) => {
    const values = labels[matcher.label];
    if (values === undefined) return [`${metric} has no label ${matcher.label}`];
    const wrong =
      values === OPEN ? [] : valuesOf(matcher).filter((value) => !isOneOf(value, matcher, values));
    return wrong.map((value) => `${metric} has no ${matcher.label} like ${value}`);
  });
}

/** Each alternative of a pattern is to be there. */
function valuesOf({ operator, value }: Matcher): string[] {
  return operator.includes("~") && !value.includes("(") ? value.split("|") : [value];
}

function isOneOf(value: string, { operator }: Matcher, values: readonly string[]): boolean {
  if (!operator.includes("~")) return values.includes(value);
  const pattern = new RegExp(`^(?:${value})$`);
  return values.some((one) => pattern.test(one));
}
