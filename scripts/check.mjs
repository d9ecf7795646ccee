/**
 * `npm run check`: everything that tools can say about the code without running it. Fast first.
 */

import { ensureInstalled, step } from "./lib/run.mjs";

await ensureInstalled();
const steps = [
  ["format and lint", "npx", ["biome", "ci", "--colors=off", "--error-on-warnings", "."]],
  ["planted bugs have their place", process.execPath, ["test/mutations/check-places.mjs"]],
  [
    "ledger scripts are generated afresh",
    "npm",
    ["run", "--silent", "generate:check", "-w", "@muster/ledger"],
  ],
  [
    "imports run one way",
    "npx",
    ["depcruise", "--config", ".dependency-cruiser.cjs", "shared", "services", "proto", "test"],
  ],
  ["build", "npx", ["turbo", "run", "build", "--output-logs=errors-only", "--log-order=grouped"]],
  ["types of the tests", "npx", ["tsc", "-p", "test"]],
  ["no unused files, exports or packages", "npx", ["knip"]],
];
let failed = 0;
for (const [name, command, args] of steps) if (!step(name, command, args)) failed++;
process.exit(failed === 0 ? 0 : 1);
