/**
 * Runs the steps of our npm scripts, with nothing but Node: they must work on a fresh clone, before any install.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a command with our terminal; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal ? 1 : code));
  });
}

/** Runs a named step, silent unless it fails. Returns true when it passed. */
export function step(name, command, args) {
  const startedAt = performance.now();
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const passed = result.status === 0;
  process.stdout.write(`${passed ? "ok  " : "FAIL"} ${name} (${seconds} s)\n`);
  if (!passed) process.stdout.write(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}\n`);
  return passed;
}

/**
 * Installs what the lockfile says, once per lockfile. Not `npm ci`: that refuses a lockfile without the optional binaries
 * of every other platform, and the lockfile holds those of the platforms that it was made on.
 */
export async function ensureInstalled() {
  const stamp = `${root}node_modules/.package-lock.json`;
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs) return;
  process.stdout.write("Installing packages …\n");
  const code = await run("npm", ["install", "--no-save", "--no-fund", "--no-audit"]);
  if (code !== 0) process.exit(code);
}

/** Builds what changed since the last build. */
export async function ensureBuilt() {
  const code = await run(
    "npx",
    ["turbo", "run", "build", "--output-logs=errors-only", "--log-order=grouped"],
    {
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" },
    },
  );
  if (code !== 0) process.exit(code);
}
