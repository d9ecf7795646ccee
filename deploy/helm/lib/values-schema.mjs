/**
 * Makes values.schema.json of values.yaml: closed wherever names are known, so that a misspelt one is refused; the type of
 * each default; schema-rules.mjs beyond that; the settings of the services by their own schemas.
 */

import { rules } from "./schema-rules.mjs";

const POOL_NAME = "^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$";

/** `settings`: service → `[{ key, about, type }]`. */
export function valuesSchema(values, settings) {
  const root = { type: "object", additionalProperties: false, properties: {} };
  for (const value of values) {
    const group = value.path.slice(0, -1).reduce((above, name) => {
      above.properties[name] ??= { type: "object", additionalProperties: false, properties: {} };
      return above.properties[name];
    }, root);
    group.properties[value.path.at(-1)] = { description: value.about, ...formOf(value, settings) };
  }
  root.properties.agentPools = {
    description: root.properties.agentPools.description,
    type: "object",
    propertyNames: { pattern: POOL_NAME },
    additionalProperties: { $ref: "#/properties/agentPoolDefaults" },
  };
  // Helm puts it into the values of a chart that is part of another.
  root.properties.global = { type: "object" };
  return { $schema: "http://json-schema.org/draft-07/schema#", title: "Values of the chart muster", ...root };
}

function formOf({ path, value }, settings) {
  if (path.at(-1) === "muster") {
    const known = path.length === 1 ? Object.values(settings).flat() : settings[path[0]];
    return settingsForm(known);
  }
  const fitting = Object.entries(rules).filter(([pattern]) => fits(pattern.split("."), path));
  return fitting.at(-1)?.[1] ?? { type: typeOf(value) };
}

function fits(pattern, path) {
  return (
    pattern.length === path.length && pattern.every((part, index) => part === "*" || part === path[index])
  );
}

function typeOf(value) {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function settingsForm(known) {
  const properties = Object.fromEntries(
    known
      .toSorted((one, other) => one.key.localeCompare(other.key))
      .map(({ key, about, form }) => [key, { description: about, ...form }]),
  );
  return { type: "object", additionalProperties: false, properties };
}
