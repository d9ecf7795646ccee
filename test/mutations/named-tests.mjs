/**
 * Owns running tests by file and name in the copy, and what their report says. A run that did not load, ran nothing, or
 * failed because the code no longer is a program is told apart from a test that failed: only that is a test's word.
 */

import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Far above what any of these tests takes; a bug may make one wait for ever. */
const LIMIT_MS = 120_000;

/** How a mutation shows that is no program: it would fail any test, which proves nothing. */
const NO_PROGRAM =
  /Error compiling script|user_script|attempted to access nonexistent global|SyntaxError|ReferenceError|Transform failed/;

/** Ends whatever runs, with all that it started; for when we are told to end. */
export function endRunning() {
  for (const child of running) endGroup(child);
}

const running = new Set();

/**
 * Runs the tests of `named` ({ file, test }, by a part of the full name) and no others.
 * Resolves with every test that ran: { file, name, passed, messages }, and the files that could not be loaded.
 */
export async function runTests(copy, named, { bail = false, retries = 0, limitMs = LIMIT_MS } = {}) {
  const report = join(copy, "node_modules", ".mutation-report.json");
  rmSync(report, { force: true });
  const pattern = [...new Set(named.map(({ test }) => literally(test)))].join("|");
  const files = [...new Set(named.map(({ file }) => file))];
  const output = await vitest(
    copy,
    [
      ...["run", ...files, "--testNamePattern", pattern, "--no-file-parallelism"],
      `--retry=${retries}`,
      ...["--reporter=json", `--outputFile=${report}`],
      ...(bail ? ["--bail=1"] : []),
    ],
    limitMs,
  );
  if (!existsSync(report)) return { tests: [], broken: [lastLine(output)] };
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === "passed" || status === "failed")
      .map(({ fullName, status, failureMessages }) => ({
        file: name.slice(copy.length + 1),
        name: fullName,
        passed: status === "passed",
        messages: failureMessages,
      })),
  );
  const unloaded = testResults.filter(({ status, assertionResults }) => {
    return status === "failed" && !assertionResults.some((result) => result.status === "failed");
  });
  const noProgram = tests.flatMap(({ messages }) => messages.filter((message) => NO_PROGRAM.test(message)));
  return { tests, broken: [...unloaded.map(({ message }) => message), ...noProgram].map(firstLine) };
}

export const isOf =
  ({ file, test }) =>
  (ran) =>
    ran.file === file && ran.name.includes(test);

function vitest(copy, args, limitMs) {
  // Second tries are for the caller to give, not for the environment.
  const { CI: _, ...env } = process.env;
  const child = spawn(process.execPath, [join(copy, "node_modules/vitest/vitest.mjs"), ...args], {
    cwd: copy,
    env: { ...env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const limit = setTimeout(() => endGroup(child), limitMs);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(limit);
      running.delete(child);
      resolve(output);
    });
  });
}

/** The group: vitest runs its files, and those their servers, in processes of their own. */
function endGroup(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
export const firstLine = (text) => String(text).trim().split("\n")[0] ?? "";
const lastLine = (text) => text.trim().split("\n").at(-1) || "vitest ended without a report";
