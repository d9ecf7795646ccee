/**
 * Writes the TypeScript of one linked script: its text and sha, the types of its arguments and replies, and the typed
 * wrapper. The wrapper is the only place where arguments have positions.
 */

import { createHash } from "node:crypto";

const camel = (name) => name.replace(/[-_](\w)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`-${name}`);
const argShape = (shape) => (shape.endsWith("[]") ? `readonly ${shape}` : shape);
const ARG_TS = {
  string: "string",
  int: "number",
  float: "number",
  bool: "boolean",
  strings: "readonly string[]",
};
/** The argument that names the slot, and what makes the tag of it, by the kind of slot. */
const OWNERS = { namespace: "namespace", directory: "project", definitions: "project", room: "room" };
const TAGS = {
  namespace: "namespaceTag",
  directory: "projectTag",
  definitions: "definitionsTag",
  room: "roomTag",
};

const REPLY_TS = {
  string: "string",
  int: "number",
  float: "number",
  hash: "Record<string, string>",
  strings: "string[]",
};

export function emitScript(script, linked) {
  const sha = createHash("sha1").update(linked.source).digest("hex");
  const type = pascal(script.name);
  const owner = OWNERS[script.slot];
  const args = script.args.map(
    (arg) => `  /** ${arg.meaning} */\n  ${camel(arg.name)}: ${ARG_TS[arg.type] ?? argShape(arg.shape)};`,
  );
  const replies = script.replies.map(({ status, fields }) => {
    const members = fields
      .map((field) => `; ${camel(field.name)}: ${REPLY_TS[field.type] ?? field.shape}`)
      .join("");
    return `  | { status: "${status}"${members} }`;
  });
  const shape = script.replies.map(({ status, fields }) => {
    return `  ${status}: [${fields.map((field) => `["${camel(field.name)}", "${field.type}"]`).join(", ")}],`;
  });
  return `
/**
${script.prose.map((line) => ` * ${line}`.trimEnd()).join("\n")}
 */
export interface ${type}Args {
  ${owner}: string;
${args.join("\n")}
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ${type}Reply =
${replies.join("\n")};

const ${camel(script.name)}Script: Script = {
  name: "${script.name}",
  sha: "${sha}",
  keyCount: ${linked.keys.length},
  source: ${JSON.stringify(linked.source)},
};

const ${camel(script.name)}Shape = {
${shape.join("\n")}
} as const satisfies ReplyShape;

async function ${camel(script.name)}(redis: RedisClient, args: ${type}Args): Promise<${type}Reply> {
  const tag = ${TAGS[script.slot]}(args.${owner});
  const keys = [${linked.keys.map((key) => keyExpression(key.value)).join(", ")}];
  const values = [${[...linked.args.map(argExpression), 'args.nowMs ?? ""'].join(", ")}];
  return parseReply<${type}Reply>("${script.name}", await runScript(redis, ${camel(script.name)}Script, keys, values), ${camel(script.name)}Shape);
}
`;
}

/** All scripts bound to one client: what ledger.ts offers. */
export function emitBinding(scripts) {
  const members = scripts.map(
    ({ name }) => `  ${camel(name)}(args: ${pascal(name)}Args): Promise<${pascal(name)}Reply>;`,
  );
  const bound = scripts.map(({ name }) => `    ${camel(name)}: (args) => ${camel(name)}(redis, args),`);
  return `
export interface BoundScripts {
${members.join("\n")}
}

export function bindScripts(redis: RedisClient): BoundScripts {
  return {
${bound.join("\n")}
  };
}
`;
}

function keyExpression(template) {
  return `\`\${tag}${template.replace(/<([\w-]+)>/g, (_, arg) => `\${args.${camel(arg)}}`)}\``;
}

function argExpression(arg) {
  const value = `args.${camel(arg.name)}`;
  if (arg.type === "bool") return `${value} ? 1 : 0`;
  return arg.type === "json" || arg.type === "strings" ? `JSON.stringify(${value})` : value;
}
