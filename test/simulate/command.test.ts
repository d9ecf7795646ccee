/** `npm run simulate` as it is called: its own process, what it prints, what it writes, how it ends. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "muster-simulate-"));
afterAll(() => rmSync(folder, { recursive: true }));

const simulate = (...args: string[]) =>
  spawnSync("npm", ["run", "--silent", "simulate", "--", ...args], { cwd: root, encoding: "utf8" });

const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

test("--help tells what it can be told", () => {
  const { stdout, status } = simulate("--help");
  expect(stdout).toContain("npm run simulate [-- WORD … NAME=value …]");
  expect(stdout).toContain("Muster spread, Muster pack");
  expect(status).toBe(0);
});

test("a recorded trace is compared, in a table and in a picture", () => {
  const trace = Array.from({ length: 12 }, () => '{"at_ms": 1000, "duration_ms": 3000}').join("\n");
  const chart = join(folder, "chart.svg");
  const { stdout, status } = simulate(`TRACE=${file("trace.jsonl", trace)}`, "WORKERS=3", `CHART=${chart}`);
  expect(stdout).toMatch(/\| Muster spread +\| +12 \| +0 \| +0 \|/);
  expect(stdout).toMatch(/\| LiveKit, 3 nodes +\| /);
  expect(readFileSync(chart, "utf8")).toContain("12 jobs on 3 workers");
  expect(status).toBe(0);
}, 120_000);

test.each([
  ["an argument that is none", ["SPEED=0"], "SPEED: must be a number from 1 to 100"],
  ["a strategy that is none", ["ONLY=nobody"], "ONLY=nobody: no strategy has this in its name"],
  ["a file that is none", ["TRACE=/nowhere/trace"], "TRACE=/nowhere/trace: ENOENT"],
])("%s is refused, with 2", (_, args, problem) => {
  const { stderr, stdout, status } = simulate(...args);
  expect(stderr).toContain(problem);
  expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
});

test("a recorded trace that is wrong is refused by line and field, with 2", () => {
  const { stderr, status } = simulate(`TRACE=${file("wrong.jsonl", '{"at_ms": 1}\n')}`);
  expect(stderr).toContain("line 1: duration_ms: must be a whole number from 1 to 86400000");
  expect(status).toBe(2);
});
