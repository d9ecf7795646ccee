/**
 * Writes docs/CONFIGURATION.md, and shared/runtime/src/known-variables.ts, from the schemas of the built services. Their
 * words are in the schemas; a test holds both files against them.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { apiSchema } from "../services/api/dist/config.js";
import { cliSchema } from "../services/cli/dist/config.js";
import { dispatcherSchema } from "../services/dispatcher/dist/config.js";
import { gatewaySchema } from "../services/gateway/dist/config.js";
import { standaloneSchema } from "../services/standalone/dist/config.js";
import { documentedTable, variableName } from "../shared/runtime/dist/config-doc.js";
import { root, run } from "./lib/run.mjs";

const PREFIX = "MUSTER_";

const services = [
  ["standalone", standaloneSchema, "All of Muster in one process: what `npm start` runs."],
  ["gateway", gatewaySchema, "Holds the workers' sockets. Any number of them."],
  ["dispatcher", dispatcherSchema, "Places the jobs. Any number of them."],
  ["api", apiSchema, "Takes dispatches: Twirp and REST. Any number of them."],
];

const page = [
  "# Configuration",
  "",
  "<!-- Written by `npm run docs` from the services' schemas: change those. -->",
  "",
  "A setting is given as a variable, or as a key of a YAML file that is named with `--config muster.yaml`; the variable",
  "wins. `--help` prints the table of a service. What is wrong is listed all at once, and the process exits with 2.",
  "",
  "- An empty variable counts as unset.",
  "- Durations are `500ms`, `3s`, `2m`, `1h` or `7d`; a bare number is milliseconds.",
  "- `keys` are lines, or a comma-separated list, of `key: secret`; in the file also a map.",
  "- A `redisUrl` is `redis://host:port`, `redis+sentinel://h1:p1,h2:p2/<master>` or `redis+cluster://h1:p1,h2:p2`;",
  "  `rediss` in place of `redis` speaks TLS. User and password stand before the hosts, percent-encoded, and are Redis's own:",
  "  `redis+sentinel://user:password@h1,h2/<master>?sentinelPassword=…&db=0`, where the sentinels ask for one too.",
  "- Services may share one environment: a variable of another service is passed over. One that no service knows is",
  "  warned of, or refused when it looks like a misspelt one. Keys of the file must all be known.",
  ...services.flatMap(([name, schema, about]) => [
    "",
    `## ${name}`,
    "",
    `${about} \`node services/${name}/dist/main.js\``,
    "",
    documentedTable(schema, PREFIX),
  ]),
  "",
  "## cli",
  "",
  "`muster` reads the settings of all services, from the same variables and files, and these beside them: as variables, or as",
  "arguments of [`muster doctor`](DOCTOR.md), since a service refuses a file with keys that it does not know.",
  "`node services/cli/dist/main.js`",
  "",
  documentedTable(cliSchema, PREFIX),
  "",
].join("\n");

const names = new Set(
  [...services.map(([, schema]) => schema), cliSchema].flatMap(({ shape }) => Object.keys(shape)),
);
const variables = [...names].map((key) => variableName(key, PREFIX)).sort();
const known = `/**
 * The variables of every service, so that one may be given those of another. Written by \`npm run docs\` from the
 * services' schemas, which this package cannot import; a test holds it against them.
 */
export const KNOWN_VARIABLES: ReadonlySet<string> = new Set([
${variables.map((name) => `  "${name}",\n`).join("")}  // Names the redis-server of the tests.
  "MUSTER_REDIS_SERVER",
]);
`;

const files = { "docs/CONFIGURATION.md": page, "shared/runtime/src/known-variables.ts": known };
mkdirSync(`${root}docs`, { recursive: true });
for (const [file, text] of Object.entries(files)) writeFileSync(`${root}${file}`, text);
process.exit(await run("npx", ["biome", "format", "--write", ...Object.keys(files)]));
