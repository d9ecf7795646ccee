/**
 * Reads the header of a Lua script: the leading comment lines, which are data.
 * Owns the grammar below and refuses what is not in it; knows nothing of TypeScript or of Redis.
 *
 *   -- <name>: <what it does>            first line; further plain lines are prose
 *   -- @slot   namespace | directory | definitions | room   which hash tag the keys carry (default namespace)
 *   -- @key    <name> <template>         one key: `job:<job>` with <arg> filled in by the caller
 *   -- @family <name> <prefix>           keys that the script names itself: prefix .. id, same tag
 *   -- @arg    <name> <type> <meaning>   string | int | float | bool | strings | json <TypeScript type>
 *   -- @reply  <status> <field>:<type>…  string | int | float | hash | strings | json
 *   -- @include <file>                   text of includes/<file>.lua, whose own @family lines are merged
 */

const TAGS = ["slot", "key", "family", "arg", "reply", "include"];
const SLOTS = ["namespace", "directory", "definitions", "room"];
const ARG_TYPES = ["string", "int", "float", "bool", "strings", "json"];
const REPLY_TYPES = ["string", "int", "float", "hash", "strings", "json"];

export class HeaderError extends Error {}

/** @returns {{ name: string, prose: string[], slot: string, keys: object[], families: object[], args: object[], replies: object[], includes: string[], body: string }} */
export function readScript(fileName, text) {
  const header = {
    name: "",
    prose: [],
    slot: "namespace",
    keys: [],
    families: [],
    args: [],
    replies: [],
    includes: [],
    body: "",
  };
  const lines = text.split("\n");
  let index = 0;
  for (; index < lines.length && lines[index].startsWith("--"); index++) {
    const line = lines[index].replace(/^--\s?/, "").trimEnd();
    const tag = /^@(\S+)\s+(.*)$/.exec(line);
    if (!tag) {
      header.prose.push(line);
      continue;
    }
    readTag(header, tag[1], tag[2].trim(), `${fileName}:${index + 1}`);
  }
  header.body = lines.slice(index).join("\n").trim();
  const title = /^([a-z-]+): \S/.exec(header.prose[0] ?? "");
  if (!title || `${title[1]}.lua` !== fileName) {
    throw new HeaderError(
      `${fileName}: the first line must read "-- ${fileName.replace(/\.lua$/, "")}: what it does"`,
    );
  }
  header.name = title[1];
  return header;
}

function readTag(header, tag, rest, where) {
  const words = rest.split(/\s+/);
  switch (tag) {
    case "slot":
      if (!SLOTS.includes(rest)) throw new HeaderError(`${where}: unknown slot ${rest}`);
      header.slot = rest;
      return;
    case "key":
      if (words.length !== 2) throw new HeaderError(`${where}: @key takes a name and a template`);
      header.keys.push({ name: words[0], template: words[1] });
      return;
    case "family":
      if (words.length > 2 || !rest) throw new HeaderError(`${where}: @family takes a name and a prefix`);
      header.families.push({ name: words[0], prefix: words[1] ?? "" });
      return;
    case "arg": {
      const match = /^(\S+)\s+(\S+)\s+(.+)$/.exec(rest);
      if (!match) throw new HeaderError(`${where}: @arg takes a name, a type and a meaning`);
      const [, name, type, meaning] = match;
      const [kind, ...shape] = type.split(":");
      if (!ARG_TYPES.includes(kind)) throw new HeaderError(`${where}: unknown argument type ${type}`);
      header.args.push({ name, type: kind, shape: shape.join(":") || "unknown", meaning });
      return;
    }
    case "reply":
      header.replies.push({ status: words[0], fields: words.slice(1).map((word) => readField(word, where)) });
      return;
    case "include":
      header.includes.push(rest);
      return;
    default:
      throw new HeaderError(`${where}: unknown tag @${tag}; known: ${TAGS.join(", ")}`);
  }
}

function readField(word, where) {
  const [name, type, ...shape] = word.split(":");
  if (!name || !REPLY_TYPES.includes(type)) throw new HeaderError(`${where}: unknown reply field ${word}`);
  return { name, type, shape: shape.join(":") || "unknown" };
}
