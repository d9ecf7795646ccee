/**
 * `node scripts/pack-services.mjs <folder>`: lays out each built service as an image ships it, in a folder of its own
 * below <folder>: its `dist`, the workspace packages that it imports, and its production packages from node_modules, at
 * the paths that they have here. Installs nothing, downloads nothing, and needs nothing but Node and npm.
 */

import { mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { packService } from "./lib/pack-service.mjs";
import { root } from "./lib/run.mjs";

const [given] = process.argv.slice(2);
if (given === undefined) {
  process.stderr.write("pack-services: needs the folder to lay them out in\n");
  process.exit(2);
}
const folder = resolve(given);
mkdirSync(folder, { recursive: true });
if (readdirSync(folder).length > 0) {
  process.stderr.write(
    `pack-services: ${folder} is not empty; name one that is, or one that is not there yet\n`,
  );
  process.exit(2);
}
for (const service of readdirSync(join(root, "services")).sort()) {
  const { bytes, packages } = packService(service, join(folder, service));
  process.stdout.write(`${service}: ${(bytes / 1024 ** 2).toFixed(1)} MiB, ${packages} packages\n`);
}
