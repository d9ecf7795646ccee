/**
 * Finds a program that tests run, or unpacks Debian's package of it into node_modules/.cache: nothing is installed, no
 * service is started, and a second run finds what the first one brought. Says what it does on stderr.
 */

import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./run.mjs";

const CACHE = join(root, "node_modules/.cache/debian-programs");
const PLACES = ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/opt/homebrew/bin"];

/**
 * @param {string} name of the program: "nginx"
 * @param {string} [packageName] of Debian, where that is another
 * @returns {{ path: string, env: Record<string, string> } | { missing: string }} what to run and with which variables, or
 *   why there is none
 */
export function bringProgram(name, packageName = name) {
  const there = look([...(process.env.PATH ?? "").split(delimiter), ...PLACES], name);
  if (there !== undefined) return { path: there, env: {} };
  const folder = join(CACHE, packageName);
  try {
    if (unpacked(folder, name) === undefined) unpack(packageName, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return { missing: `no ${name} here, and Debian's package cannot be had: ${reasonOf(error)}` };
  }
  return unpacked(folder, name) ?? { missing: `Debian's ${packageName} has no program ${name}` };
}

function unpacked(folder, name) {
  const path = look(
    ["usr/bin", "usr/sbin", "bin", "sbin"].map((part) => join(folder, part)),
    name,
  );
  if (path === undefined) return undefined;
  const libraries = ["usr/lib", "lib"].flatMap((base) =>
    entries(join(folder, base))
      .filter((entry) => entry.includes("linux-gnu"))
      .map((entry) => join(folder, base, entry)),
  );
  return { path, env: libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(delimiter) } };
}

/** With what it depends on that is not installed here. apt-get's own lists are used where they are good enough. */
function unpack(packageName, folder) {
  process.stderr.write(`No ${packageName} here; unpacking Debian's into ${folder}.\n`);
  const archives = join(folder, "archives");
  mkdirSync(join(archives, "partial"), { recursive: true });
  mkdirSync(join(folder, "lists/partial"), { recursive: true });
  const options = ["Debug::NoLocking=1", `Dir::Cache=${folder}`, `Dir::Cache::archives=${archives}`];
  const download = (...more) =>
    apt(
      "install",
      "-y",
      "--download-only",
      "--reinstall", // else one that is installed without its program on PATH would not be fetched
      "--no-install-recommends",
      ...more.concat(options).flatMap((o) => ["-o", o]),
      packageName,
    );
  try {
    download();
  } catch {
    // Images often come without package lists, and old lists name packages that are gone.
    const lists = `Dir::State::Lists=${join(folder, "lists")}`;
    apt("update", ...[lists, ...options].flatMap((option) => ["-o", option]));
    download(lists);
  }
  for (const file of readdirSync(archives).filter((entry) => entry.endsWith(".deb")))
    execFileSync("dpkg", ["-x", join(archives, file), folder]);
  for (const spent of ["archives", "lists"]) rmSync(join(folder, spent), { recursive: true, force: true });
}

function apt(...args) {
  execFileSync("apt-get", ["-qq", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    timeout: 120_000,
  });
}

function reasonOf({ stderr = "", message }) {
  const said = String(stderr).split("\n");
  return said.find((line) => line !== "" && !line.startsWith("W: ")) ?? message.split("\n")[0];
}

function look(folders, name) {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function entries(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
