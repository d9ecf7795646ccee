/**
 * Turns a script's header and body into the text that Redis runs: names KEYS and ARGV, builds the key families,
 * inserts the includes. Refuses names that are declared and not used, used and not declared, or declared twice.
 * The last argument of every script is the time in ms; empty means Redis TIME (tests pass a time).
 */

import { HeaderError } from "./script-header.mjs";

/**
 * On Cluster a slot can be on its way to another node; there a key that is missing, or that the script itself just
 * emptied, makes the next access fail: half a transition. Two keys that never exist fail first, on the old node (they
 * are missing) and on the new one (they are several), so a script runs on a whole slot or has written nothing.
 */
const WHOLE_SLOT = 'redis.call("EXISTS", tag .. "none", tag .. "none-either")';

export const lua = (name) => name.replaceAll("-", "_");

/** The text for Redis; keys and families with those of the includes; and the arguments that are sent, as some only name keys. */
export function linkScript(script, includes) {
  const parts = orderedIncludes(script, includes);
  const families = new Map();
  for (const { name, prefix } of [script, ...parts].flatMap((part) => part.families)) {
    if (families.has(name) && families.get(name) !== prefix)
      throw new HeaderError(`${script.name}: family ${name} has two prefixes`);
    families.set(name, prefix);
  }
  const keys = new Map();
  for (const { name, template } of [script, ...parts].flatMap((part) => part.keys)) {
    if (keys.has(name) && keys.get(name) !== template)
      throw new HeaderError(`${script.name}: key ${name} has two templates`);
    keys.set(name, template);
  }
  const code = [...parts.map((part) => part.body), script.body].join("\n\n");
  const list = (map) => [...map].map(([name, value]) => ({ name, value }));
  const linked = {
    keys: list(keys),
    families: list(families),
    args: script.args.filter((arg) => isUsed(lua(arg.name), code)),
  };
  checkNames(script, linked, code);
  const bodies = [...withoutUncalled(parts, script.body), script.body];
  bodies.splice(
    0,
    parts.length,
    ...bodies.slice(0, -1).map((body, index) => closed(body, without(bodies, index))),
  );
  return { ...linked, source: `${prelude(linked)}\n${bodies.join("\n\n")}\n` };
}

/** Includes in the order of use, each once; an include may include others before itself. */
function orderedIncludes(script, includes, seen = new Map()) {
  for (const name of script.includes) {
    if (seen.has(name)) continue;
    const part = includes.get(name);
    if (!part) throw new HeaderError(`${script.name}: there is no includes/${name}.lua`);
    orderedIncludes(part, includes, seen);
    seen.set(name, part);
  }
  return [...seen.values()];
}

/** A function of an include, with the comment above it. Its end stands at the beginning of a line, or on its only one. */
const FUNCTION = /(?:^--.*\n)*^local function (\w+)(?:\(.*\bend$|\(.*(?:\n(?!end$).*)*\nend$)\n*/gm;

/**
 * The includes without the functions that nobody calls in this script: Redis reads less, and Lua takes 200 local names in a
 * script at most. What only those called goes with them.
 */
function withoutUncalled(parts, body) {
  let bodies = parts.map((part) => part.body);
  for (let before = ""; before !== bodies.join("\n"); ) {
    before = bodies.join("\n");
    const words = countWords(`${before}\n${body}`);
    bodies = bodies.map((text) =>
      text.replace(FUNCTION, (all, name) => (words.get(name) > countWords(all).get(name) ? all : "")),
    );
  }
  return bodies;
}

/** What an include declares for all of itself: functions, and names at the beginning of a line. */
const DECLARATION = /^local (?:function (\w+)|([\w, ]+?)(?= =|$))/gm;

const without = (bodies, index) => bodies.filter((_, other) => other !== index).join("\n");

/** An include in a block of its own, so that of its names only those that others use count against Lua's 200. */
function closed(body, others) {
  const words = countWords(others);
  const declared = [...body.matchAll(DECLARATION)].map(([, name, list]) => name ?? list);
  const isShared = (names) => names.split(", ").some((name) => words.has(name));
  const shared = declared.filter(isShared);
  if (shared.length === declared.length) return body;
  if (shared.length === 0) return "";
  const opened = body.replace(DECLARATION, (all, name, list) => {
    if (!isShared(name ?? list)) return all;
    return name === undefined ? list : `function ${name}`;
  });
  return `local ${shared.join(", ")}\ndo\n${opened.trimEnd()}\nend`;
}

function countWords(code) {
  const counts = new Map();
  for (const [word] of withoutComments(code).matchAll(/\b\w+\b/g))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

const withoutComments = (code) => code.replace(/--.*$/gm, "");
const isUsed = (name, code) => new RegExp(`\\b${name}\\b`).test(withoutComments(code));

function prelude(linked) {
  const lines = [];
  for (const [index, key] of linked.keys.entries())
    lines.push(`local ${lua(key.name)}_key = KEYS[${index + 1}]`);
  lines.push('local tag = string.match(KEYS[1], "^.-}:")');
  for (const family of linked.families) {
    lines.push(`local function ${lua(family.name)}_of(id) return tag .. "${family.value}" .. id end`);
  }
  linked.args.forEach((arg, index) => {
    const raw = `ARGV[${index + 1}]`;
    const value = {
      int: `tonumber(${raw})`,
      float: `tonumber(${raw})`,
      bool: `${raw} == "1"`,
      strings: `cjson.decode(${raw})`,
      json: `cjson.decode(${raw})`,
      string: raw,
    }[arg.type];
    lines.push(`local ${lua(arg.name)} = ${value}`);
  });
  lines.push(`local now = tonumber(ARGV[${linked.args.length + 1}])`);
  lines.push('if not now then local t = redis.call("TIME") now = t[1] * 1000 + math.floor(t[2] / 1000) end');
  lines.push(WHOLE_SLOT);
  return `${lines.join("\n")}\n`;
}

function checkNames(script, linked, code) {
  const bare = withoutComments(code);
  const declared = new Set([
    ...linked.keys.map((key) => `${lua(key.name)}_key`),
    ...linked.families.map((family) => `${lua(family.name)}_of`),
  ]);
  for (const name of declared) {
    // The first key names the slot to run on, used or not.
    const namesSlot = name === `${lua(linked.keys[0]?.name ?? "")}_key`;
    if (!isUsed(name, code) && !namesSlot)
      throw new HeaderError(`${script.name}: ${name} is declared and never used`);
  }
  for (const { name } of script.args) {
    const inTemplate = linked.keys.some((key) => key.value.includes(`<${name}>`));
    if (!isUsed(lua(name), code) && !inTemplate)
      throw new HeaderError(`${script.name}: ${name} is declared and never used`);
  }
  // A field may be called so: in quotes, or behind a dot.
  for (const [name] of bare.matchAll(/(?<![".\w])\w+_(?:key|of)\b/g)) {
    if (!declared.has(name)) throw new HeaderError(`${script.name}: ${name} is used and not declared`);
  }
  if (/\b(KEYS|ARGV)\b/.test(bare))
    throw new HeaderError(`${script.name}: KEYS and ARGV are named by the header, not indexed`);
  const named = new Set(script.args.map((arg) => arg.name));
  for (const [, name] of linked.keys.flatMap((key) => [...key.value.matchAll(/<([\w-]+)>/g)])) {
    if (!named.has(name)) throw new HeaderError(`${script.name}: <${name}> in a key names no argument`);
  }
  if (linked.keys.length === 0) throw new HeaderError(`${script.name}: needs at least one @key`);
  const statuses = new Set(script.replies.map((reply) => reply.status));
  const bodies = withoutComments(script.body);
  for (const status of statuses) {
    if (!bare.includes(`"${status}"`))
      throw new HeaderError(`${script.name}: reply ${status} is declared and never given`);
  }
  for (const [, status] of bodies.matchAll(/\breturn \{\s*"([a-z_]+)"/g)) {
    if (!statuses.has(status))
      throw new HeaderError(`${script.name}: reply ${status} is given and not declared`);
  }
}
