/**
 * `npm run mutations`: plants each bug of list.mjs in a copy of this checkout, runs the tests that are named for it, and
 * expects one of them to fail. Ends with a table, and with 1 when a bug survived or could not be planted.
 * The same code without a bug comes first: a test that fails there would catch anything.
 */

import { existsSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyCheckout, newFolder } from "./copy-checkout.mjs";
import { listProblems, MUTATIONS } from "./list.mjs";
import { StaleMutation, withMutation } from "./mutate.mjs";
import { endRunning, firstLine, isOf, runTests } from "./named-tests.mjs";

const HELP = `npm run mutations [-- OPTION …]

Plants known bugs, one at a time, in a copy of this checkout, and shows for each which test catches it.

  ONLY=<part>  only those whose name has this in it, in any case
  LIST         says what the bugs are, which invariant of the design each breaks, and where; runs nothing
  --help       this

Needs the packages installed (npm install) and redis-server; no build. Changes nothing here: the copy is made below
the system's folder for temporary files, and removed. Ends with 0 when each bug was caught; with 1 when one survived,
no longer fits the code, or fails a test without being a program; with 2 when it was not understood.
`;

const say = (line = "") => process.stdout.write(`${line}\n`);
const seconds = (sinceMs) => (performance.now() - sinceMs) / 1000;
const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

function readArguments(args) {
  const asked = { only: "", list: false };
  for (const argument of args) {
    if (argument === "--help") return exit(0, HELP);
    if (argument === "LIST") asked.list = true;
    else if (argument.startsWith("ONLY=")) asked.only = argument.slice("ONLY=".length).toLowerCase();
    else return exit(2, `${argument} is not one of ONLY=<part>, LIST, --help\n`);
  }
  return asked;
}

function exit(code, text) {
  (code === 0 ? process.stdout : process.stderr).write(text);
  process.exit(code);
}

const { only, list } = readArguments(process.argv.slice(2));
const chosen = MUTATIONS.filter(({ name }) => name.toLowerCase().includes(only));
const problems = listProblems(MUTATIONS);
if (problems.length > 0) exit(1, `${problems.join("\n")}\n`);
if (chosen.length === 0) exit(2, `ONLY=${only}: no mutation has this in its name; LIST tells their names\n`);
if (list) {
  for (const { name, breaks, file } of chosen) say(`${String(breaks).padStart(2)}  ${name}  (${file})`);
  process.exit(0);
}
if (!existsSync(join(root, "node_modules"))) exit(2, "no packages here: run npm install first\n");

/** All tests in one run; one that is late on a crowded machine gets a second try. */
const BASELINE = { retries: 1, limitMs: 900_000 };
/** Each copy has one bug at a time; more than a few would only be in each other's way. */
const MOST_COPIES = 4;
const copies = Array.from(
  { length: Math.min(MOST_COPIES, availableParallelism(), chosen.length) },
  newFolder,
);
process.once("exit", () => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
]) {
  process.once(signal, () => {
    endRunning();
    exit(code, `ended by ${signal}\n`);
  });
}

const startedAt = performance.now();
try {
  for (const copy of copies) copyCheckout(root, copy);
} catch (error) {
  exit(2, `this checkout could not be copied (it needs git and npm): ${error.stderr || error.message}\n`);
}
await baseline();
const rows = [];
const left = [...chosen.entries()];
let done = 0;
await Promise.all(copies.map(work));
printTable(rows);
const missed = rows.filter(({ isCaught }) => !isCaught);
say(`${rows.length - missed.length} of ${rows.length} caught, in ${Math.round(seconds(startedAt))} s`);
process.exit(missed.length === 0 ? 0 : 1);

async function work(copy) {
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const [index, mutation] = next;
    const row = await attempt(copy, mutation);
    rows[index] = row;
    const progress = `[${++done}/${chosen.length}]`;
    say(`${progress} ${row.isCaught ? "caught" : row.verdict}: ${mutation.name} (${row.tookS.toFixed(1)} s)`);
  }
}

/** Every named test must be there, and pass. */
async function baseline() {
  const named = chosen.flatMap(({ caughtBy }) => caughtBy);
  const files = [...new Set(named.map(({ file }) => file))];
  say(`${files.length} test files without a bug …`);
  const shares = copies.map((copy, share) => {
    const own = named.filter(({ file }) => files.indexOf(file) % copies.length === share);
    return own.length === 0 ? [] : [runTests(copy, own, BASELINE)];
  });
  const ran = await Promise.all(shares.flat());
  const tests = ran.flatMap((share) => share.tests);
  const wrong = new Set(ran.flatMap((share) => share.broken));
  for (const { name, caughtBy } of chosen) {
    const meant = caughtBy.map((one) => tests.filter(isOf(one)));
    if (meant.some((matching) => matching.length === 0))
      wrong.add(`no such test: the one named for "${name}"`);
    for (const test of meant.flat())
      if (!test.passed) wrong.add(`fails without a bug: ${test.file} > ${test.name}`);
  }
  if (wrong.size > 0) exit(1, `${[...wrong].join("\n")}\n`);
  say(`${tests.length} tests pass (${seconds(startedAt).toFixed(1)} s)`);
}

async function attempt(copy, mutation) {
  const began = performance.now();
  const row = (verdict, isCaught = false) => ({ mutation, verdict, isCaught, tookS: seconds(began) });
  try {
    const { tests, broken } = await withMutation(copy, mutation, () =>
      runTests(copy, mutation.caughtBy, { bail: true }),
    );
    if (broken.length > 0) return row(`NO PROGRAM: ${broken[0]}`);
    const failed = tests.find((test) => !test.passed && mutation.caughtBy.some((one) => isOf(one)(test)));
    if (failed !== undefined) return row(`${failed.file.split("/").at(-1)}: ${failed.name}`, true);
    return row(tests.length === 0 ? "NO TEST RAN" : "SURVIVED");
  } catch (error) {
    if (error instanceof StaleMutation) return row(`STALE: ${error.message}`);
    return row(`NO PROGRAM: ${firstLine(error.stderr || error.message)}`);
  }
}

function printTable(rows) {
  const cells = [
    ["mutation", "invariant", "caught by", "seconds"],
    ...rows.map(({ mutation, verdict, tookS }) => [
      mutation.name,
      mutation.breaks,
      verdict,
      tookS.toFixed(1),
    ]),
  ].map((row) => row.map(String));
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column].length)));
  say();
  for (const row of cells)
    say(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    );
  say();
}
