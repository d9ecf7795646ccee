/**
 * Owns how this package's Lua scripts come off the disk: once, at module start, from the `lua` folder that lies beside
 * both `src` and `dist`. Running them is script.ts.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { InvariantError } from "@muster/domain/assert";
import type { Script } from "./script.js";

/** Throws when the file is missing: a broken installation should not start. */
export function loadScript(name: string, keyCount: number): Script {
  const source = readFileSync(new URL(`../../lua/${name}.lua`, import.meta.url), "utf8");
  return { name, sha: createHash("sha1").update(source).digest("hex"), source, keyCount };
}

/** The status word of a script's reply, and what comes with it. */
export function statusReply(reply: unknown, script: Script): { status: string; rest: unknown[] } {
  const [status, ...rest] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (typeof status !== "string") throw new InvariantError(`script ${script.name} answered no status`);
  return { status, rest };
}
