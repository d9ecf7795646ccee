/** `npm run doors` as it is called, and that CONTRIBUTING and README name no script that is not there. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ALL } from "../../scripts/doors/main.js";
import { readOptions, usualSettings } from "../../scripts/doors/options.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  scripts: Record<string, string>;
};
const doors = (args: readonly string[]) =>
  spawnSync("sh", ["-c", `exec ${scripts.doors} "$@"`, "sh", ...args], { cwd: root, encoding: "utf8" });

test("--help names each setting, each attack and each fuzzer", () => {
  const { stdout, status } = doors(["--help"]);
  const named = [...Object.keys(usualSettings()), "ONLY", "JSON", ...ALL.map(({ name }) => name)];
  expect(named.filter((name) => !stdout.includes(name))).toEqual([]);
  expect(status).toBe(0);
});

test.each([
  ["a number out of its bounds", "SECONDS=1", "SECONDS: must be a whole number from 2 to 600"],
  ["an attack that is none", "ONLY=tokens,nothing", 'ONLY: there is no "nothing"'],
  ["anything else", "FAST", "FAST is nothing that can be said here"],
])("%s is refused before anything is started, with 2", (_, argument, problem) => {
  const { stdout, stderr, status } = doors([argument]);
  expect(stderr).toContain(problem);
  expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
});

describe("what is given", () => {
  const names = ALL.map(({ name }) => name);

  test("is read, beside what is usual", () => {
    const { settings, only, json } = readOptions(["INPUTS=500", "ONLY=tokens,heads", "JSON=a.json"], names);
    expect({ settings, only, json }).toEqual({
      settings: { ...usualSettings(), INPUTS: 500 },
      only: ["tokens", "heads"],
      json: "a.json",
    });
  });

  test("in the long form is a million inputs", () => {
    expect(usualSettings().INPUTS).toBeGreaterThanOrEqual(1_000_000);
  });
});

test.each(["CONTRIBUTING.md", "README.md"])("each npm run of %s is a script", (page) => {
  const text = readFileSync(`${root}${page}`, "utf8");
  const called = [...text.matchAll(/\bnpm run (\S+?)(?=[\s`])( -w)?/g)];
  // Those with -w are of a workspace.
  const own = called.filter(([, , isOther]) => isOther === undefined).map(([, name = ""]) => name);
  expect(own.length).toBeGreaterThan(0);
  expect(own.filter((name) => scripts[name] === undefined)).toEqual([]);
});

test("CONTRIBUTING says what the command is for", () => {
  const contributing = readFileSync(`${root}CONTRIBUTING.md`, "utf8");
  expect(contributing.split("\n").filter((line) => line.startsWith("| `npm run doors"))).toHaveLength(1);
});
