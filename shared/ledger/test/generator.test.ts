import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const generator = fileURLToPath(new URL("../scripts/generate-scripts.mjs", import.meta.url));

const GOOD = `-- touch-thing: looks at a thing.
-- @key thing thing:<thing>
-- @include looking
-- @arg thing string Its id.
-- @arg limit int How many.
-- @arg is-new bool Whether it is.
-- @reply looked count:int names:strings
-- @reply nothing

if redis.call("EXISTS", thing_key) == 0 then return { "nothing" } end
return { "looked", look(limit, is_new), {} }
`;
const LOOKING = `-- looking: looks.
-- @family other other:

local function look(limit, is_new) return redis.call("LLEN", other_of(limit)) end
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-generator-"));
  mkdirSync(join(folder, "lua/includes"), { recursive: true });
  mkdirSync(join(folder, "src/generated"), { recursive: true });
  write("touch-thing.lua", GOOD);
  write("includes/looking.lua", LOOKING);
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (file: string, text: string) => writeFileSync(join(folder, "lua", file), text);
const generated = () => readFileSync(join(folder, "src/generated/scripts.ts"), "utf8");
function run(...flags: string[]): string {
  const { status, stderr } = spawnSync(process.execPath, [generator, folder, ...flags], { encoding: "utf8" });
  return status === 0 ? "" : stderr;
}
const change = (from: string | RegExp, to: string) => {
  expect(GOOD).toMatch(from);
  write("touch-thing.lua", GOOD.replace(from, to));
};

test("a good script becomes a typed wrapper with named keys and arguments", () => {
  expect(run()).toBe("");
  const text = generated();
  expect(text).toContain("export interface TouchThingArgs");
  expect(text).toContain('| { status: "looked"; count: number; names: string[] }');
  expect(text).toContain('| { status: "nothing" }');
  expect(text).toMatch(/const keys = \[`\$\{tag\}thing:\$\{args\.thing\}`\];/);
});

test("an argument that only names a key is not sent", () => {
  run();
  expect(generated()).toContain('const values = [args.limit, args.isNew ? 1 : 0, args.nowMs ?? ""];');
  expect(generated()).toContain("local limit = tonumber(ARGV[1])");
});

test("every script first makes sure that its slot is whole, and takes the time last", () => {
  run();
  expect(generated()).toContain("local now = tonumber(ARGV[3])");
  expect(generated()).toContain('redis.call(\\"EXISTS\\", tag .. \\"none\\", tag .. \\"none-either\\")');
});

test("what nobody calls of an include is left out, and what only that called", () => {
  const more =
    "-- Of no use.\nlocal function glance()\n  return 1\nend\nlocal function peek() return glance() end\n";
  write("includes/looking.lua", `${LOOKING}\n${more}`);
  expect(run()).toBe("");
  expect(generated()).toContain("local function look(");
  expect(generated()).not.toMatch(/glance|peek|Of no use/);
});

test.each([
  [
    "a key that is used and not declared",
    '"EXISTS", thing_key',
    '"EXISTS", stuff_key',
    "stuff_key is used and not declared",
  ],
  [
    "a family that is used and not declared",
    '"EXISTS", thing_key',
    '"EXISTS", stuff_of(1)',
    "stuff_of is used and not declared",
  ],
  [
    "a second key that nothing uses",
    "-- @include",
    "-- @key spare spare\n-- @include",
    "spare_key is declared and never used",
  ],
  [
    "an argument that nothing uses",
    "-- @reply nothing",
    "-- @arg spare int X.\n-- @reply nothing",
    "spare is declared and never used",
  ],
  ["KEYS by number", '"EXISTS", thing_key', '"EXISTS", KEYS[1]', "KEYS and ARGV are named by the header"],
  ["an unknown tag", "@reply nothing", "@answer nothing", "unknown tag @answer"],
  ["an unknown slot", "-- @key", "-- @slot moon\n-- @key", "unknown slot moon"],
  ["an unknown argument type", "limit int", "limit integer", "unknown argument type integer"],
  ["an unknown reply type", "count:int", "count:integer", "unknown reply field count:integer"],
  [
    "a reply that is given and not declared",
    "if redis",
    'if limit then return { "lost", 1 } end\nif redis',
    "reply lost is given and not declared",
  ],
  [
    "a reply that is declared and never given",
    "-- @reply nothing",
    "-- @reply nothing\n-- @reply lost",
    "reply lost is declared and never given",
  ],
  [
    "a key with two templates",
    "-- @include",
    "-- @key thing stuff:<thing>\n-- @include",
    "key thing has two templates",
  ],
  [
    "a family with two prefixes",
    "-- @include",
    "-- @family other another:\n-- @include",
    "family other has two prefixes",
  ],
  [
    "an include that is not there",
    "@include looking",
    "@include looking\n-- @include searching",
    "there is no includes/searching.lua",
  ],
  ["a script without keys", /-- @key.*\n/, "", "thing is declared and never used"],
  [
    "a title that is not the file's name",
    "touch-thing:",
    "touch-things:",
    'the first line must read "-- touch-thing',
  ],
  ["a key without a template", "thing thing:<thing>", "thing", "@key takes a name and a template"],
  ["a key template that names no argument", "thing:<thing>", "thing:<thing>:<other>", "names no argument"],
])("%s is refused", (_, from, to, message) => {
  change(from, to);
  expect(run()).toContain(message);
});

test("an include that nobody includes is refused", () => {
  write("includes/spare.lua", "-- spare: spares.\n\nlocal function spare() end\n");
  expect(run()).toContain("includes/spare.lua is never included");
});

test("--check passes on what was just generated, and tells what is stale without writing", () => {
  run();
  const before = generated();
  expect(run("--check")).toBe("");
  change("looks at a thing", "looks at a thing twice");
  expect(run("--check")).toContain("src/generated/scripts.ts is stale: run npm run generate");
  expect(generated()).toBe(before);
});

test("the committed wrappers are what the scripts say", () => {
  const { status, stderr } = spawnSync(process.execPath, [generator, "--check"], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});
