/** INVARIANTS.md names what keeps each invariant and what would catch its loss: each name is one that the code has. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(`${root}shared/ledger/INVARIANTS.md`, "utf8");

interface Claim {
  invariant: number;
  text: string;
  keepers: string[];
  /** Names of its tests; none: all of the suite. */
  suites: { suite: string; tests: string[] }[];
}

const QUOTED = /`([^`]+)`/g;
const claims = claimsIn(sectionOf("The invariants of the design"));

test("every invariant of the design is there, with what keeps it and what catches its loss", () => {
  const numbers = new Set(claims.map(({ invariant }) => invariant));
  expect([...numbers]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  for (const { text, keepers, suites } of claims) {
    expect(keepers, text).not.toEqual([]);
    expect(suites, text).not.toEqual([]);
  }
});

describe.each(claims)("$invariant: $text", ({ keepers, suites }) => {
  test("is kept by what there is", () => {
    const missing = keepers.filter((keeper) => !isThere(keeper));
    expect(missing, "neither a script, nor an include, nor a file").toEqual([]);
  });

  test("would be missed by tests that there are", () => {
    for (const { suite, tests } of suites) {
      const file = fileOf(suite);
      expect(existsSync(file), file).toBe(true);
      const source = readFileSync(file, "utf8");
      const missing = tests.filter((name) => !patternOf(name).test(source));
      expect(missing, suite).toEqual([]);
    }
  });
});

test("what holds between any two scripts is kept by scripts, includes and functions that there are", () => {
  const rows = sectionOf("What holds between any two scripts").split("\n");
  const keepers = rows.flatMap((row) => {
    const [, , keptBy = ""] = row.split("|");
    return [...keptBy.matchAll(QUOTED)].map(([, name = ""]) => name);
  });
  expect(keepers.length).toBeGreaterThan(rows.length / 2);
  expect(keepers.filter((keeper) => !isThere(keeper) && !isInclude(keeper))).toEqual([]);
});

function sectionOf(title: string): string {
  const [, section] = page.split(`\n## ${title}\n`);
  if (section === undefined) throw new Error(`the page has no section "${title}"`);
  return section.split("\n## ")[0] ?? "";
}

function claimsIn(section: string): Claim[] {
  return section.split("\n### ").flatMap((chapter) => {
    const invariant = Number.parseInt(chapter, 10);
    // An item ends where the next one begins, or with an empty line.
    const items = chapter.split(/\n(?=\* )|\n\n/).filter((item) => item.startsWith("* "));
    return items.map((item) => claimIn(invariant, item.slice("* ".length).replaceAll(/\s+/g, " ")));
  });
}

function claimIn(invariant: number, item: string): Claim {
  const [text = "", rest = ""] = item.split(" Kept by ");
  const [keptBy = "", caughtBy = ""] = rest.split(" Caught by ");
  const keepers = [...keptBy.matchAll(QUOTED)].map(([, name = ""]) => name);
  const suites = [...caughtBy.matchAll(/`([^`]+)`([^`]*)/g)].map(([, suite = "", after = ""]) => ({
    suite,
    tests: [...after.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name),
  }));
  return { invariant, text, keepers, suites };
}

/** A script or an include by its name, or a file by its path. */
function isThere(keeper: string): boolean {
  const isFile = /\.\w+$/.test(keeper);
  return existsSync(isFile ? `${root}${keeper}` : `${root}shared/ledger/lua/${keeper}.lua`);
}

/** An include by its bare name, or a function of one, with or without its include. */
function isInclude(keeper: string): boolean {
  const folder = `${root}shared/ledger/lua/includes/`;
  const [name = "", member = name] = keeper.split(".");
  return readdirSync(folder).some((file) => {
    if (file === `${keeper}.lua`) return true;
    if (keeper.includes(".") && file !== `${name}.lua`) return false;
    return readFileSync(`${folder}${file}`, "utf8").includes(`local function ${member}(`);
  });
}

function fileOf(suite: string): string {
  return `${root}${suite.includes("/") ? suite : `shared/ledger/test/${suite}`}.test.ts`;
}

/** The name as a whole string literal, … for anything in it. */
function patternOf(name: string): RegExp {
  const escaped = name.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`(["\`])${escaped.join("[^\\n]*")}\\1`);
}
