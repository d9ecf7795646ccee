#!/usr/bin/env node
/**
 * `muster`: what is done with a Muster from a terminal or a script, a verb each. `muster --help` lists them.
 */

import { ConfigError } from "@muster/runtime/config";
import { productVersion } from "@muster/runtime/version";
import { Command, CommanderError } from "commander";
import { doctorCommand } from "./doctor/command.js";
import { UnknownCheck } from "./doctor/select-checks.js";

const USAGE = 2;
const broken = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => broken.abort());

const deps = {
  env: process.env,
  out: (text: string) => void process.stdout.write(text),
  isTty: process.stdout.isTTY,
  exit: (code: number) => {
    process.exitCode = code;
  },
  signal: broken.signal,
};

const program = new Command("muster")
  .description("Muster, the dispatcher for LiveKit agents.")
  .version(productVersion())
  .exitOverride()
  .showHelpAfterError("(--help says what there is)");
const doctor = doctorCommand(deps);
program.addCommand(doctor.copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = explained(error);
}

function explained(error: unknown): number {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof ConfigError) {
    say([`${error.message}:`, ...error.problems.map((problem) => `  ${problem}`)]);
    return USAGE;
  }
  if (error instanceof UnknownCheck) {
    say([error.message]);
    return USAGE;
  }
  throw error;
}

function say(lines: readonly string[]): void {
  process.stderr.write(`${lines.join("\n")}\n`);
}
