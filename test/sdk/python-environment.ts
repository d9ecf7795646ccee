/**
 * Owns the virtual environment with the stock Python SDK, made by the test run itself from requirements.txt and kept
 * between runs. Where PyPI is out of reach there is none, and the tests that need it say so and are skipped.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const requirementsFile = fileURLToPath(new URL("./python/requirements.txt", import.meta.url));
const home = fileURLToPath(new URL("../../.venv/", import.meta.url));

/** The whole of it: one pinned package, "livekit-agents==1.8.9". */
export const REQUIREMENT = readFileSync(requirementsFile, "utf8").trim();

export type PythonEnvironment = { python: string } | { missing: string };

/** How long pythonWithSdk() may take at most: two commands. */
export const INSTALL_DEADLINE_MS = 600_000;
const COMMAND_DEADLINE_MS = INSTALL_DEADLINE_MS / 2;

/** Path of a Python that has the SDK, or why there is none. Takes about a minute the first time. */
export async function pythonWithSdk(): Promise<PythonEnvironment> {
  const digest = createHash("sha256").update(readFileSync(requirementsFile)).digest("hex").slice(0, 12);
  const folder = `${home}livekit-agents-${digest}`;
  const python = `${folder}/bin/python`;
  // The mark is made last: an environment that was cut off while it was made is made anew.
  const mark = `${folder}/complete`;
  if (existsSync(mark)) return { python };
  process.stdout.write(`installing ${REQUIREMENT} into ${folder} (about a minute, once)\n`);
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    await run("python3", ["-m", "venv", folder]);
    // By default pip tries six times, which is long for who is offline.
    const patience = ["--retries", "2", "--timeout", "15"];
    await run(python, [
      ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...patience],
      ...["-r", requirementsFile],
    ]);
    mkdirSync(`${mark}.new`);
    renameSync(`${mark}.new`, mark);
    return { python };
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    return { missing: `${stderr.trim().split("\n").at(-1) ?? ""} (${message.split("\n")[0]})`.trim() };
  }
}

/** Never synchronous: vitest takes a worker for dead that does not answer it for a minute. */
async function run(command: string, args: string[]): Promise<void> {
  await promisify(execFile)(command, args, { timeout: COMMAND_DEADLINE_MS });
}
