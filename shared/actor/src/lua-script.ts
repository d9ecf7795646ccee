/**
 * Owns how this package's Lua scripts come off the disk: once, at module start, from the `lua` folder that lies beside
 * both `src` and `dist`. Never runs one; that is `@muster/runtime/redis/script`.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Script } from "@muster/runtime/redis/script";

/** Throws when the file is missing: a broken installation should not start. */
export function loadScript(name: string, keyCount: number): Script {
  const source = readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), "utf8");
  return { name, sha: createHash("sha1").update(source).digest("hex"), source, keyCount };
}

/** A script's reply as the flat list of strings that all of ours are; throws when it is something else. */
export function textReply(reply: unknown, script: Script): string[] {
  if (!Array.isArray(reply) || !reply.every((part) => typeof part === "string")) {
    throw new Error(`script ${script.name} replied with something that is not a list of strings`);
  }
  return reply;
}
