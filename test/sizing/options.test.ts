/** What `npm run sizing` can be told, what it refuses, its help, and that the guide tells nothing else. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { GUIDE, helpText, readOptions } from "./options.js";

test("without a word everything is as usual", () => {
  expect(readOptions([])).toEqual({
    isHelp: false,
    isJson: false,
    settings: { SOCKETS: 5_000, SECONDS: 20, WORKERS: 100, JOBS: 1_000, NAMESPACES: 1_000 },
  });
});

test("numbers and files are taken from their names", () => {
  const { settings, ...rest } = readOptions(["SOCKETS=50", "--json", "JSON=a=b.json", "WRITE=1"]);
  expect(settings).toMatchObject({ SOCKETS: 50, SECONDS: 20 });
  expect(rest).toEqual({ isHelp: false, isJson: true, json: "a=b.json", guide: GUIDE });
  expect(readOptions(["WRITE=other.md"]).guide).toBe("other.md");
});

test.each([
  ["SOCKETS=5", 'SOCKETS: must be a whole number from 10 to 15000, not "5"'],
  ["SOCKETS=15001", "SOCKETS: must be a whole number from 10 to 15000"],
  ["SECONDS=1.5", "SECONDS: must be a whole number from 1 to 120"],
  ["SECONDS=", 'SECONDS: must be a whole number from 1 to 120, not ""'],
  ["JOBS=1e3", "JOBS: must be a whole number from 20 to 20000"],
  ["sockets=50", "sockets=50 is nothing that can be said here; --help tells what can"],
  ["toString=50", "toString=50 is nothing that can be said here"],
  ["JSON=", "JSON= is nothing that can be said here"],
  ["WRITE", "WRITE is nothing that can be said here"],
])("%s is refused", (argument, problem) => {
  expect(() => readOptions([argument])).toThrow(problem);
});

test("the help names everything that can be said", () => {
  for (const name of [...Object.keys(readOptions([]).settings), "JSON", "WRITE", "--json", "--help"])
    expect(helpText()).toContain(`\n  ${name} `);
});

test("each command of the guide is one", () => {
  const guide = readFileSync(new URL(`../../${GUIDE}`, import.meta.url), "utf8");
  const commands = [...guide.matchAll(/npm run sizing(?: -- ([^#`\n]+))?/g)].map(([, args = ""]) =>
    args.split(" ").filter((argument) => argument !== ""),
  );
  expect(commands.length).toBeGreaterThan(4);
  for (const args of commands) expect(() => readOptions(args)).not.toThrow();
});
