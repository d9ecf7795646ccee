/** Writes the dashboards' JSON beside this file, as Grafana imports it. A test holds them against each other. */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fleet } from "./fleet.mjs";
import { internals } from "./internals.mjs";
import { overview } from "./overview.mjs";

/** `node write-dashboards.mjs [folder]` */
const folder = process.argv[2] ?? fileURLToPath(new URL(".", import.meta.url));
for (const [name, built] of Object.entries({ overview, fleet, internals }))
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(built, null, 2)}\n`);
