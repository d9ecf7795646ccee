/** Checks that the code still has the place of each planted bug: a bug without one is planted nowhere. Exit code 1 if not. */

import { readFileSync } from "node:fs";
import { MUTATIONS } from "./list.mjs";
import { mutated } from "./mutate.mjs";

const root = new URL("../../", import.meta.url);
const stale = MUTATIONS.flatMap((mutation) => {
  try {
    mutated(readFileSync(new URL(mutation.file, root), "utf8"), mutation);
    return [];
  } catch (error) {
    return [`${mutation.name}: ${error.message}`];
  }
});
for (const line of stale) process.stdout.write(`${line}\n`);
process.exit(stale.length === 0 ? 0 : 1);
