/** The runbook's table of why jobs end, against the sources: each cause that a script or a service writes is in it, and no other. */
import { readdirSync, readFileSync } from "node:fs";
import { JOB_OUTCOMES } from "@muster/domain/job";
import { expect, it } from "vitest";
import { readText, root } from "./files.js";

/** Where the cause stands among the arguments of the ledger's functions that end a job. */
const CAUSE_AT = { end_job: 3, terminate_job: 2, finish: 1 } as const;
const RETURNS_BOTH = new RegExp(`\\breturn "(?:${JOB_OUTCOMES.join("|")})", "([a-z_]+)"`, "g");
type Ending = keyof typeof CAUSE_AT;

const table = /^## Why a job ended\n([\s\S]*?)^## /m.exec(readText("docs/RUNBOOK.md"))?.[1] ?? "";
const rows = [...table.matchAll(/^\| `([a-z_]+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$/gm)];

it("has each cause, once, and no other", () => {
  const causes = [...new Set([...causesOfLedger(), ...causesOfServices()])].sort();
  expect(causes.length).toBeGreaterThan(15);
  expect(rows.map(([, cause]) => cause ?? "").sort()).toEqual(causes);
});

it("says of each how it counts: with outcomes that there are", () => {
  for (const [, cause, outcomes = ""] of rows) {
    const named = [...outcomes.matchAll(/`([a-z_]+)`/g)].map(([, outcome]) => outcome);
    expect(named.length, cause).toBeGreaterThan(0);
    for (const outcome of named) expect(JOB_OUTCOMES, cause).toContain(outcome);
  }
});

it("is where the other pages send their readers", () => {
  for (const page of ["EXPLAIN.md", "NO-AGENT-FREE.md"])
    expect(readText(`docs/${page}`), page).toContain("RUNBOOK.md#why-a-job-ended");
});

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => readFileSync(`${root}${folder}/${file}`, "utf8"));
}

/** A script that hands on what it was given has it from a service. */
function causesOfLedger(): string[] {
  return filesUnder("shared/ledger/lua", ".lua").flatMap((text) => {
    const source = text.replaceAll(/--.*$/gm, "");
    const calls = [...source.matchAll(/(?<!function )\b(end_job|terminate_job|finish)\(/g)];
    const given = calls.flatMap((call) => {
      const cause = argumentsAt(source, call.index + call[0].length)[CAUSE_AT[call[1] as Ending]] ?? "";
      if (!cause.startsWith('"')) expect(cause, "a literal, or what is named cause").toBe("cause");
      return literalsIn(cause);
    });
    // How a job ends, as a function of a script decides it: outcome and cause.
    const decided = [...source.matchAll(RETURNS_BOTH)].map(([, cause = ""]) => cause);
    return [...given, ...decided];
  });
}

function causesOfServices(): string[] {
  const services = readdirSync(`${root}services`);
  return services.flatMap((name) =>
    filesUnder(`services/${name}/src`, ".ts").flatMap((source) =>
      [...source.matchAll(/\.(?:terminateJob|endJob)\(\{([\s\S]*?)\}\)/g)].map(([, given = ""]) => {
        const [, cause] = /\bcause: "([a-z_]+)"/.exec(given) ?? [];
        if (cause === undefined) throw new Error(`ends a job without a cause that can be read:${given}`);
        return cause;
      }),
    ),
  );
}

const literalsIn = (text: string): string[] =>
  [...text.matchAll(/"([a-z_]+)"/g)].map(([, word = ""]) => word);

/** Those of the call whose first argument begins there. */
function argumentsAt(source: string, from: number): string[] {
  const found = [""];
  let depth = 0;
  for (const letter of source.slice(from)) {
    if (letter === ")" && depth === 0) break;
    if ("({".includes(letter)) depth++;
    if (")}".includes(letter)) depth--;
    if (letter === "," && depth === 0) found.push("");
    else found[found.length - 1] += letter;
  }
  return found.map((text) => text.trim());
}
