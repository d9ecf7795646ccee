/**
 * The codec part of livekit.ts: protobufjs' static output, bound to our reader and writer (src/protobuf-runtime.ts) and
 * with int64 as bigint. protobufjs compares an int64 with zero in a way that only knows Long and number, so those three
 * places are rewritten; the number of rewritten places is checked against the schema, so that another version of
 * protobufjs cannot slip through.
 */

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const pbjs = require("protobufjs-cli/pbjs");

const OPTIONS = {
  target: "static",
  es6: true,
  root: "livekit",
  comments: false,
  verify: false,
  convert: false,
  delimited: false,
  typeurl: false,
  service: false,
};

const INT64_REWRITES = [
  {
    what: "default",
    pattern: /\$util\.Long \? \$util\.Long\.fromBits\(0,0,(?:false|true)\) : 0;/g,
    to: "0n;",
  },
  {
    what: "encode",
    pattern: /\(typeof (message\.\w+) === "object" \? \1\.low \|\| \1\.high : \1 !== 0\)/g,
    to: "$1 !== 0n",
  },
  {
    what: "decode",
    pattern:
      /typeof \(value = reader\.(u?int64)\(\)\) === "object" \? value\.low \|\| value\.high : value !== 0/g,
    to: "(value = reader.$1()) !== 0n",
  },
];

export async function emitCodecs(root, messages) {
  const body = await new Promise((resolve, reject) => {
    pbjs.generate(root, OPTIONS, (error, output) => (error ? reject(error) : resolve(output)));
  });
  const int64Fields = messages
    .flatMap((message) => message.fieldsArray)
    .filter((field) => ["int64", "uint64"].includes(field.type));

  let rewritten = body;
  for (const { what, pattern, to } of INT64_REWRITES) {
    const found = body.match(pattern)?.length ?? 0;
    if (found !== int64Fields.length) {
      throw new Error(
        `int64 ${what}: ${found} places in protobufjs' output, ${int64Fields.length} fields in the schema`,
      );
    }
    rewritten = rewritten.replace(pattern, to);
  }
  rewritten = rewritten.replace("export const livekit =", "const livekit =");
  if (rewritten.includes("Long"))
    throw new Error("protobufjs' output still mentions Long; see INT64_REWRITES");
  return `import * as $protobuf from "../protobuf-runtime.js";\n\n${rewritten}\n`;
}
