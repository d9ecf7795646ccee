/**
 * Writes what the chart has from elsewhere: alerts and dashboards, which Helm reads only inside the chart; the settings, from
 * the schemas of the built services; values.schema.json and the table of README.md, from values.yaml. With --check it writes
 * nothing, and fails where something is not as it would be written.
 */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { apiSchema } from "../../services/api/dist/config.js";
import { dispatcherSchema } from "../../services/dispatcher/dist/config.js";
import { gatewaySchema } from "../../services/gateway/dist/config.js";
import { settingsOf, settingsTemplate } from "./lib/settings.mjs";
import { describedValues, valuesTable } from "./lib/values-doc.mjs";
import { valuesSchema } from "./lib/values-schema.mjs";

const deploy = fileURLToPath(new URL("..", import.meta.url));
const chart = `${deploy}helm/muster`;
const read = (path) => readFileSync(path, "utf8");

const schemas = { gateway: gatewaySchema, dispatcher: dispatcherSchema, api: apiSchema };
const settings = settingsOf(schemas);
const values = describedValues(read(`${chart}/values.yaml`));
const readme = read(`${chart}/README.md`);
const table = /(?<=<!-- values: .*-->\n)[\s\S]*(?=\n<!-- end of values -->)/;
if (!table.test(readme)) throw new Error("README.md: has no place for the table of values");

/** What stands in for a file of others that is not there yet is left as it is. */
function copied() {
  const pairs = [];
  const alerts = `${deploy}prometheus/muster-alerts.yaml`;
  if (existsSync(alerts)) pairs.push([`${chart}/files/alerts.yaml`, read(alerts)]);
  const folder = `${deploy}grafana`;
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  for (const name of names) pairs.push([`${chart}/files/dashboards/${name}`, read(`${folder}/${name}`)]);
  return { pairs, names };
}

const { pairs, names } = copied();
const files = [
  ...pairs,
  [`${chart}/templates/_settings.tpl`, settingsTemplate(schemas, settings)],
  [`${chart}/values.schema.json`, `${JSON.stringify(valuesSchema(values, settings), null, 2)}\n`],
  [`${chart}/README.md`, readme.replace(table, () => valuesTable(values))],
];
const spent =
  names.length === 0 ? [] : readdirSync(`${chart}/files/dashboards`).filter((name) => !names.includes(name));

const stale = files.filter(([path, text]) => !existsSync(path) || read(path) !== text).map(([path]) => path);
if (!process.argv.includes("--check")) {
  for (const [path, text] of files) writeFileSync(path, text);
  for (const name of spent) rmSync(`${chart}/files/dashboards/${name}`);
} else if (stale.length + spent.length > 0) {
  for (const path of [...stale, ...spent.map((name) => `${chart}/files/dashboards/${name}`)])
    process.stderr.write(`${path.slice(deploy.length)} is not as \`npm run docs\` writes it\n`);
  process.exit(1);
}
