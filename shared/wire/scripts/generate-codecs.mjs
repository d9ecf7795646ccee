/**
 * Makes src/generated/ from proto/livekit/*.proto: `livekit.ts` (protobufjs static codecs under plain TypeScript
 * interfaces) and `livekit-schema.ts` (the field tables that the JSON codec walks).
 *
 * One .ts file instead of .js + .d.ts, so that tsc alone carries it to dist. Types and tables are written from the same
 * reflection as the codecs, so they cannot disagree. Output depends on the .proto files alone: no time, no paths.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { emitCodecs } from "./emit-codecs.mjs";
import { emitSchema } from "./emit-schema.mjs";
import { emitTypes } from "./emit-types.mjs";

const require = createRequire(import.meta.url);
const protobuf = require("protobufjs");

const here = dirname(fileURLToPath(import.meta.url));
const PROTO_FOLDER = join(here, "../../../proto/livekit");
const OUT_FOLDER = join(here, "../src/generated");

const BANNER =
  "// Generated from proto/livekit by scripts/generate-codecs.mjs. Do not edit: change the .proto files.\n";

/** All of proto/livekit, resolved. */
export function loadProto() {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(PROTO_FOLDER, target);
  const files = readdirSync(PROTO_FOLDER).filter((name) => name.endsWith(".proto"));
  root.loadSync(files.sort()).resolveAll();
  return root;
}

function messagesOf(namespace) {
  return namespace.nestedArray.filter((item) => item instanceof protobuf.Type);
}

/** Enums with the name they have in TypeScript: `ParticipantInfo.State` becomes `ParticipantInfo_State`. */
function enumsOf(namespace, prefix = "") {
  return namespace.nestedArray.flatMap((item) => {
    if (item instanceof protobuf.Enum) return [{ name: prefix + item.name, values: item.values }];
    return item instanceof protobuf.Type ? enumsOf(item, `${prefix}${item.name}_`) : [];
  });
}

async function main() {
  const root = loadProto();
  const livekit = root.lookup("livekit");
  const messages = messagesOf(livekit);
  const enums = enumsOf(livekit);

  const outputs = {
    "livekit.ts": [
      "// @ts-nocheck: the first part is protobufjs' output; the exports at the end carry their types.",
      BANNER,
      await emitCodecs(root, messages),
      emitTypes(messages, enums),
    ].join("\n"),
    "livekit-schema.ts": [BANNER, emitSchema(messages, enums)].join("\n"),
  };

  mkdirSync(OUT_FOLDER, { recursive: true });
  for (const [name, text] of Object.entries(outputs)) {
    const path = join(OUT_FOLDER, name);
    // An unchanged file keeps its time, so that tsc and watchers have nothing to do.
    if (readIfPresent(path) !== text) writeFileSync(path, text);
  }
}

function readIfPresent(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
