/** `npm run sizing` as it is called, at the least scale: each figure is there, and the marked parts of a guide are written. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { problemsOf } from "./figures.js";
import { partsIn } from "./guide.js";
import { GUIDE } from "./options.js";
import { partsOf, type Sizing } from "./tables.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "muster-sizing-"));
afterAll(() => rmSync(folder, { recursive: true }));

// As many jobs as it takes for their memory to stand out from what comes and goes.
const TINY = ["SOCKETS=50", "SECONDS=1", "WORKERS=20", "JOBS=500", "NAMESPACES=20"];

/** As npm runs it, but for npm itself. */
const sizing = (args: readonly string[], prefix = "") =>
  spawnSync("sh", ["-c", `${prefix} exec node test/sizing/run.mjs "$@"`, "sh", ...args], {
    cwd: root,
    encoding: "utf8",
  });

test("measures every figure, prints it, and writes it where it was told to", () => {
  const [guide, json] = [join(folder, "guide.md"), join(folder, "figures.json")];
  copyFileSync(join(root, GUIDE), guide);
  const { stdout, stderr, status } = sizing([...TINY, "--json", `JSON=${json}`, `WRITE=${guide}`]);
  expect({ status, stderr: stderr.includes("not to be trusted") }, stderr).toEqual({
    status: 0,
    stderr: false,
  });

  const measured = JSON.parse(stdout) as Sizing;
  expect(problemsOf(measured.figures)).toEqual([]);
  expect(measured.settings).toMatchObject({ SOCKETS: 50, NAMESPACES: 20 });
  expect(measured.machine.redis).toMatch(/^\d+\.\d+/);
  expect(JSON.parse(readFileSync(json, "utf8"))).toEqual(measured);

  const written = Object.fromEntries(partsIn(readFileSync(guide, "utf8")));
  const expected = Object.entries(partsOf(measured)).map(([name, text]) => [name, text.trim()]);
  expect(written).toEqual(Object.fromEntries(expected));
}, 180_000);

test("--help tells what it can be told", () => {
  const { stdout, status } = sizing(["--help"]);
  expect(stdout).toContain("npm run sizing [-- NAME=value …]");
  expect(status).toBe(0);
});

test.each([
  ["an argument that is none", ["SOCKETS=1"], "", "SOCKETS: must be a whole number from 10 to 15000"],
  ["a guide that is none", ["WRITE=/nowhere/guide.md"], "", "WRITE=/nowhere/guide.md: ENOENT"],
  ["more sockets than files", ["SOCKETS=5000"], "ulimit -n 2000;", "SOCKETS=5000: needs 5500 open files"],
])("%s is refused before anything is measured, with 2", (_, args, prefix, problem) => {
  const { stderr, stdout, status } = sizing(args, prefix);
  expect(stderr).toContain(problem);
  expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
});

test("a guide with wrong marks is refused before anything is measured, with 2", () => {
  const wrong = join(folder, "wrong.md");
  writeFileSync(wrong, "<!-- sizing: figures -->\n");
  const { stderr, status } = sizing([`WRITE=${wrong}`]);
  expect(stderr).toContain("the part figures has no end");
  expect(status).toBe(2);
});
