/** Owns the answer to "which Muster is this": the version of this package, which all packages share. */
import { readFileSync } from "node:fs";
import { z } from "zod";

let known: string | undefined;

export function productVersion(): string {
  // Beside `src` and `dist` alike.
  known ??= z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))).version;
  return known;
}
