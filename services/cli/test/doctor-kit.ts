/**
 * The checks as a test runs them: with the settings that variables give, in this process, all of them or some; and the
 * command as its users run it. A clock and a native library may be given, to set them wrong.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ALL_CHECKS } from "../src/doctor/all-checks.js";
import { type Examined, examine } from "../src/doctor/examine.js";
import type { Verdict } from "../src/doctor/finding.js";
import { type Given, readSurroundings } from "../src/doctor/read-surroundings.js";
import { textOf } from "../src/doctor/report.js";
import { selectChecks } from "../src/doctor/select-checks.js";
import type { Surroundings } from "../src/doctor/surroundings.js";

export const SECRET = "a-secret-that-is-long-enough-for-hs256";

export type Env = Record<string, string>;

export interface DoctorOptions {
  only?: readonly string[];
  skip?: readonly string[];
  timeoutMs?: number;
  service?: Given["service"];
  given?: Partial<Surroundings>;
}

export interface Diagnosis {
  all: readonly Examined[];
  /** Those that are neither ok nor skipped. */
  troubles: Record<string, Verdict>;
  /** Of one check: what it says, and what to do. */
  said(name: string): string;
}

export async function diagnose(env: Env, options: DoctorOptions = {}): Promise<Diagnosis> {
  const { only = [], skip = [], timeoutMs = 15_000, given = {} } = options;
  const { service = ["gateway", "dispatcher", "api"] } = options;
  const surroundings = { ...readSurroundings({ service }, env), ...given };
  try {
    const all = await examine(selectChecks(ALL_CHECKS, { only, skip }), { surroundings, timeoutMs });
    const bad = all.filter(({ verdict }) => verdict === "warn" || verdict === "fail");
    return {
      all,
      troubles: Object.fromEntries(bad.map(({ name, verdict }) => [name, verdict])),
      said: (name) =>
        all
          .filter((one) => one.name === name)
          .map((one) => textOf(one, false))
          .join("\n"),
    };
  } finally {
    await surroundings.redis?.close();
  }
}

export const verdicts = ({ all }: Diagnosis): Record<string, Verdict> =>
  Object.fromEntries(all.map(({ name, verdict }) => [name, verdict]));

export interface CommandRun {
  code: number | null;
  stdout: string;
  stderr: string;
}

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** `muster …`, built, with these variables and none of Muster's beside. */
export function runMuster(args: readonly string[], env: Env = {}): Promise<CommandRun> {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("MUSTER_"));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...Object.fromEntries(others), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const run = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      run.stdout += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      run.stderr += String(chunk);
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...run }));
  });
}
