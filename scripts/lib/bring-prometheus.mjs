/**
 * `node scripts/lib/bring-prometheus.mjs`: finds prometheus and promtool, or brings them, and prints their paths as JSON.
 * Debian's package has both; it is unpacked into node_modules/.cache, once, and never installed: that would start a
 * service of its own. Says what it does on stderr.
 */

import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PROGRAMS = ["prometheus", "promtool"];
const CACHE = join(root, "node_modules/.cache/muster-prometheus");

/** `path`: the folders to look into first, as in PATH. Throws when there are none and none can be had. */
export function bringPrometheus({ path = process.env.PATH ?? "", folder = CACHE } = {}) {
  const unpacked = join(folder, "usr/bin");
  const found = lookIn([...path.split(delimiter), unpacked]);
  if (found) return found;
  process.stderr.write(`No prometheus here; unpacking Debian's into ${folder}.\n`);
  try {
    unpack(folder);
  } catch (error) {
    throw new Error(`install Prometheus, with promtool, on PATH; it could not be brought: ${error.message}`);
  }
  const brought = lookIn([unpacked]);
  if (!brought) throw new Error(`Debian's package prometheus has no ${PROGRAMS.join(" and ")}`);
  return brought;
}

function lookIn(folders) {
  const paths = PROGRAMS.map((name) =>
    folders.map((folder) => join(folder, name)).find((file) => isExecutable(file)),
  );
  return paths.every((file) => file !== undefined)
    ? Object.fromEntries(PROGRAMS.map((name, index) => [name, paths[index]]))
    : undefined;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function unpack(folder) {
  mkdirSync(folder, { recursive: true });
  const options = { cwd: folder, stdio: ["ignore", "ignore", "pipe"] };
  const download = (...args) => execFileSync("apt-get", ["download", "-qq", ...args, "prometheus"], options);
  try {
    download();
  } catch {
    // Images come without package lists, and old ones name packages that are gone. Lists of our own then, that need no root.
    const lists = join(folder, "lists");
    mkdirSync(join(lists, "partial"), { recursive: true });
    const own = [`Dir::State::Lists=${lists}`, `Dir::Cache=${join(folder, "cache")}`, "Debug::NoLocking=1"];
    const flags = own.flatMap((option) => ["-o", option]);
    execFileSync("apt-get", ["update", "-qq", ...flags], options);
    download(...flags);
  }
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb"))) {
    execFileSync("dpkg", ["-x", file, "."], options);
    rmSync(join(folder, file));
  }
  for (const spent of ["lists", "cache"]) rmSync(join(folder, spent), { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${JSON.stringify(bringPrometheus())}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
