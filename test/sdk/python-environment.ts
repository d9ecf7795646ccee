/**
 * Owns the virtual environment with the stock Python SDK, made by the test run itself from requirements.txt and kept
 * between runs. Where PyPI is out of reach there is none, and the tests that need it say so and are skipped.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const requirements = fileURLToPath(new URL("./python/requirements.txt", import.meta.url));
const home = fileURLToPath(new URL("../../.venv/", import.meta.url));

/** Path of a Python that has the SDK, or why there is none. Takes about a minute the first time. */
export function pythonWithSdk(): { python: string } | { missing: string } {
  const digest = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = `${home}livekit-agents-${digest}`;
  const python = `${folder}/bin/python`;
  // The mark is made last: an environment that was cut off while it was made is made anew.
  const mark = `${folder}/complete`;
  if (existsSync(mark)) return { python };
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    run("python3", ["-m", "venv", folder]);
    run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
    mkdirSync(`${mark}.new`);
    renameSync(`${mark}.new`, mark);
    return { python };
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    return {
      missing: `${stderr?.toString().trim().split("\n").at(-1) ?? ""} ${message.split("\n")[0]}`.trim(),
    };
  }
}

function run(command: string, args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], timeout: 600_000 });
}
