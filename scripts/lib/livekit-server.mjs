/**
 * Builds livekit-server for tests: a named version from the Go module proxy, once, into node_modules/.cache, pinned by the
 * go.sum in livekit-servers/. Says on stderr what it does. `node scripts/lib/livekit-server.mjs [version…]` builds by hand.
 */

import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root } from "./run.mjs";

/** The one that all tests run against, and the oldest one, against which some run again. */
export const NEWEST = "1.13.11";
export const OLDEST = "1.13.5";

const MODULE = "github.com/livekit/livekit-server";
const PROGRAM = "livekit-server";
const CACHE = join(root, "node_modules/.cache/livekit-server");
/** Two cores build one cold in two to three minutes. */
const BUILD_MS = 900_000;

/**
 * LiveKit builds these with its own forks of pion, which the Go module proxy does not have. Upstream pion does, but for
 * calls that the named lines make; all of them sit behind settings that are off by default.
 */
const DROPPED_LINES = {
  // rtc.enable_warp
  "1.13.11": [{ file: "pkg/rtc/transport.go", line: "\t\tse.EnableSped(true)\n" }],
};

/** @returns {string | undefined} the program, when it was built before */
export function builtLivekitServer(version, cache = CACHE) {
  const program = join(folderOf(version, cache), PROGRAM);
  return existsSync(program) ? program : undefined;
}

/**
 * @param {string} version one that livekit-servers/ has: "1.13.11"
 * @returns {Promise<{ path: string } | { missing: string }>} the program, built when it was not yet, or why there is none
 */
export async function bringLivekitServer(version, cache = CACHE) {
  const built = builtLivekitServer(version, cache);
  if (built !== undefined) return { path: built };
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
  } catch {
    return { missing: `livekit-server ${version} cannot be built: no Go here (https://go.dev/dl)` };
  }
  process.stderr.write(`Building livekit-server ${version} (once; two or three minutes) …\n`);
  const startedAtMs = performance.now();
  mkdirSync(cache, { recursive: true });
  const workshop = mkdtempSync(join(cache, "building-"));
  try {
    await build(version, workshop);
    // The folder gets its name last: a build that was cut off is made anew. Of two at once, either will do.
    if (builtLivekitServer(version, cache) === undefined) renameSync(workshop, folderOf(version, cache));
  } catch (error) {
    if (builtLivekitServer(version, cache) === undefined)
      return { missing: `livekit-server ${version} cannot be built: ${reasonOf(error)}` };
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  process.stderr.write(`livekit-server ${version} is built (${seconds} s).\n`);
  return { path: builtLivekitServer(version, cache) };
}

async function build(version, workshop) {
  const pinned = pinnedIn(version);
  for (const file of ["go.mod", "go.sum"])
    writeFileSync(join(workshop, file), readFileSync(join(pinned, file)));
  const dropped = DROPPED_LINES[version] ?? [];
  const source = join(workshop, "source");
  if (dropped.length > 0) {
    const { Dir } = JSON.parse(await go(workshop, "mod", "download", "-json", `${MODULE}@v${version}`));
    cpSync(Dir, source, { recursive: true });
    // Go keeps its module cache read-only, and so is the copy.
    execFileSync("chmod", ["-R", "u+w", source]);
    for (const { file, line } of dropped) dropLine(source, file, line);
    await go(workshop, "mod", "edit", "-replace", `${MODULE}=./source`);
  }
  const options = ["-mod=readonly", "-p", "2", "-ldflags", "-s -w", "-o", PROGRAM];
  await go(workshop, "build", ...options, `${MODULE}/cmd/server`);
  rmSync(source, { recursive: true, force: true });
}

function dropLine(source, file, line) {
  const path = join(source, file);
  const text = readFileSync(path, "utf8");
  if (text.split(line).length !== 2) throw new Error(`${file} does not have this line once: ${line.trim()}`);
  writeFileSync(path, text.replace(line, ""));
}

async function go(cwd, ...args) {
  const { stdout } = await promisify(execFile)("go", args, {
    cwd,
    timeout: BUILD_MS,
    maxBuffer: 16 * 1024 * 1024,
    env: { ...process.env, GOWORK: "off" },
  });
  return stdout;
}

const pinnedIn = (version) => fileURLToPath(new URL(`./livekit-servers/v${version}/`, import.meta.url));

function folderOf(version, cache) {
  const pinned = pinnedIn(version);
  if (!existsSync(pinned)) {
    const known = readdirSync(join(pinned, "..")).join(", ");
    throw new Error(`no livekit-server ${version} is pinned here: ${known}`);
  }
  const digest = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of ["go.mod", "go.sum"]) digest.update(readFileSync(join(pinned, file)));
  digest.update(JSON.stringify(DROPPED_LINES[version] ?? []));
  return join(cache, `${version}-${digest.digest("hex").slice(0, 12)}`);
}

function reasonOf({ stderr = "", message, killed }) {
  if (killed) return `it took longer than ${BUILD_MS / 60_000} minutes`;
  return String(stderr).trim().split("\n").slice(-3).join("; ") || message.split("\n")[0];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2);
  for (const version of asked.length > 0 ? asked : [NEWEST, OLDEST]) {
    const brought = await bringLivekitServer(version);
    process.stdout.write(`${JSON.stringify({ version, ...brought })}\n`);
    if ("missing" in brought) process.exitCode = 1;
  }
}
