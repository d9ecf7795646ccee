/** Owns which script a sha is of: ours by name, and `bullmq` for all others. For counts that people read. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const shared = fileURLToPath(new URL("../../shared/", import.meta.url));

export function scriptNames(): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const generated = readFileSync(`${shared}ledger/src/generated/scripts.ts`, "utf8");
  for (const [, name, sha] of generated.matchAll(/name: "([a-z-]+)",\s+sha: "([0-9a-f]{40})"/g)) {
    names.set(sha ?? "", `ledger ${name}`);
  }
  for (const file of readdirSync(`${shared}actor/lua`)) {
    const text = readFileSync(`${shared}actor/lua/${file}`, "utf8");
    names.set(createHash("sha1").update(text).digest("hex"), `node ${file.replace(/\.lua$/, "")}`);
  }
  return names;
}
