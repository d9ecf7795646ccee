/**
 * `npm run generate`: reads lua/*.lua and lua/includes/*.lua and writes src/generated/scripts.ts.
 * With --check it writes nothing and fails when the committed file is not what the scripts say.
 * A folder given as argument is taken for the package's own (tests).
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { emitBinding, emitScript } from "./emit-typescript.mjs";
import { linkScript } from "./link-script.mjs";
import { HeaderError, readScript } from "./script-header.mjs";

const folder = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
const root = folder === undefined ? fileURLToPath(new URL("..", import.meta.url)) : `${folder}/`;
const target = `${root}src/generated/scripts.ts`;

const HEAD = `// Generated from lua/*.lua by \`npm run generate\`. Never edit; the scripts are the source.

import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript, type Script } from "@muster/runtime/redis/script";
import { definitionsTag, namespaceTag, projectTag, roomTag } from "../keys.js";
import { parseReply, type ReplyShape } from "../reply.js";
import type * as shapes from "../shapes.js";
`;

function readFolder(folder) {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".lua"))
    .sort();
  return files.map((file) => readScript(file, readFileSync(`${folder}/${file}`, "utf8")));
}

function generate(luaFolder) {
  const includes = new Map(readFolder(`${luaFolder}/includes`).map((part) => [part.name, part]));
  const scripts = readFolder(luaFolder);
  const used = new Set([...scripts, ...includes.values()].flatMap((part) => part.includes));
  for (const name of includes.keys())
    if (!used.has(name)) throw new HeaderError(`includes/${name}.lua is never included`);
  return (
    HEAD +
    scripts.map((script) => emitScript(script, linkScript(script, includes))).join("") +
    emitBinding(scripts)
  );
}

try {
  const text = generate(`${root}lua`);
  if (!process.argv.includes("--check")) writeFileSync(target, text);
  else if (readFileSync(target, "utf8") !== text) {
    throw new HeaderError("src/generated/scripts.ts is stale: run npm run generate -w @muster/ledger");
  }
} catch (error) {
  if (!(error instanceof HeaderError)) throw error;
  process.stderr.write(`shared/ledger: ${error.message}\n`);
  process.exitCode = 1;
}
