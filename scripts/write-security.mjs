/**
 * Writes what docs/SECURITY.md has from the code, between its marks: which token opens which door, and the settings that bound
 * what a caller may have. A test asks the doors themselves.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { apiSchema } from "../services/api/dist/config.js";
import { createRestApp } from "../services/api/dist/rest/rest-app.js";
import { ROUTE_GRANTS } from "../services/api/dist/rest/route-grants.js";
import { gatewaySchema } from "../services/gateway/dist/config.js";
import { documentedTable } from "../shared/runtime/dist/config-doc.js";
import { grantTable, OTHER_DOORS, restDoors } from "./lib/door-grants.mjs";
import { root } from "./lib/run.mjs";

/** `node scripts/write-security.mjs [page]` */
const page = process.argv[2] ?? `${root}docs/SECURITY.md`;

/** What bounds a client, and not how jobs are placed; the api's own first. */
const BOUNDS = {
  api: [
    ...[
      "bodiesBytes",
      "bodyMs",
      "livekitCalls",
      "eventStreams",
      "eventStreamsPerToken",
      "eventStreamsPerKey",
    ],
    ...["rules", "roomConfigurations", "maxNamespacesPerOrder", "httpRequestMs"],
  ],
  gateway: [
    ...["workBytesPerWorker", "workBytes", "jobMemoryBytes", "unsentBytes", "maxNamespaces"],
    ...["registerTimeoutMs", "silenceMs", "tokenGraceMs", "allowedOrigins", "metricsPort", "metricsToken"],
  ],
};
const SCHEMAS = { api: apiSchema, gateway: gatewaySchema };

/** A row each, as the page of all settings has it. */
function boundsTable() {
  const rows = Object.entries(BOUNDS).flatMap(([service, keys]) => {
    const lines = documentedTable(SCHEMAS[service]).split("\n");
    return keys.map((key) => {
      const [, variable, , usual, meaning] =
        lines.map((line) => line.split(/(?<!\\)\|/)).find((cells) => cells[2]?.trim() === `\`${key}\``) ?? [];
      if (variable === undefined) throw new Error(`${service} has no setting ${key}`);
      const link = `[${variable.trim()}](CONFIGURATION.md#${service})`;
      return `| ${link} | ${usual.trim()} | ${meaning.trim()} |`;
    });
  });
  return ["| setting | default | what it bounds |", "|---|---|---|", ...rows].join("\n");
}

/** An app that is asked for its document alone: nothing that it is made of is called. */
const nothing = new Proxy(() => nothing, {
  get: (_, name) => (typeof name === "symbol" ? undefined : nothing),
});
const { paths } = await (await createRestApp(nothing).request("/v1/openapi.json")).json();

const parts = {
  grants: grantTable([...Object.entries(OTHER_DOORS), ...restDoors(paths, ROUTE_GRANTS)]),
  bounds: boundsTable(),
};
let text = readFileSync(page, "utf8");
for (const [name, part] of Object.entries(parts)) {
  const [begin, end] = [`<!-- ${name}: written by \`npm run docs\` -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has not the lines ${begin} and ${end}, in this order`);
  text = `${text.slice(0, from)}${begin}\n\n${part}\n\n${text.slice(to)}`;
}
writeFileSync(page, text);
