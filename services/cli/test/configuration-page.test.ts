/** docs/CONFIGURATION.md and the list of known variables say what the schemas say: `npm run docs` writes both. */
import { readFileSync } from "node:fs";
import { apiSchema } from "@muster/api/config";
import { dispatcherSchema } from "@muster/dispatcher/config";
import { gatewaySchema } from "@muster/gateway/config";
import { documentedTable, variableName } from "@muster/runtime/config-doc";
import { KNOWN_VARIABLES } from "@muster/runtime/known-variables";
import { standaloneSchema } from "@muster/standalone/config";
import { expect, test } from "vitest";
import { cliSchema } from "../src/config.js";

const schemas = {
  standalone: standaloneSchema,
  gateway: gatewaySchema,
  dispatcher: dispatcherSchema,
  api: apiSchema,
  cli: cliSchema,
};
const page = readFileSync(new URL("../../../docs/CONFIGURATION.md", import.meta.url), "utf8");

/** The formatter aligns the columns. */
const withoutPadding = (row: string) => row.replace(/ {2,}/g, " ").replace(/-{4,}/g, "---");

test.each(Object.entries(schemas))("the page has the table of %s", (name, schema) => {
  const section = page.split("\n## ").find((text) => text.startsWith(`${name}\n`)) ?? "";
  const table = section.split("\n").filter((line) => line.startsWith("|"));
  expect(table.map(withoutPadding), "stale; npm run docs writes it").toEqual(
    documentedTable(schema).split("\n"),
  );
});

test.each(Object.entries(schemas))("every setting of %s says what it means", (_name, schema) => {
  const rows = documentedTable(schema).split("\n").slice(2);
  for (const row of rows) expect(row).toMatch(/\| [^|]+\.( \|)$/);
});

test("each service knows the others' variables", () => {
  const keys = Object.values(schemas).flatMap(({ shape }) => Object.keys(shape));
  const variables = new Set(keys.map((key) => variableName(key, "MUSTER_")));
  const others = ["MUSTER_REDIS_SERVER"];
  expect([...KNOWN_VARIABLES].sort(), "stale; npm run docs writes it").toEqual(
    [...variables, ...others].sort(),
  );
});
