/**
 * A redis-server for who may not install one: Debian's packages, fetched by apt-get with what they need and unpacked
 * into a folder. apt-get's own lists and caches are left as they are; nothing is installed.
 */

import { execFile } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { firstLine, isExecutable, isOnPath } from "./programs.js";

const run = promisify(execFile);

export interface RedisServerProgram {
  path: string;
  /** Where its shared libraries are, when it was unpacked rather than installed. */
  libraryPath?: string;
}

export interface UnpackDeps {
  /** The environment that apt-get and dpkg run with, and whose PATH has them. */
  env: NodeJS.ProcessEnv;
  /** Folder below which is unpacked. */
  folder: string;
  /** Tells the user what goes on. */
  say(line: string): void;
}

/** The program of redis-server is in redis-tools; what both need beyond what is installed, apt-get adds. */
const PACKAGES = ["redis-server", "redis-tools"];

const rootOf = (folder: string): string => join(folder, "redis-program");

/** Undefined where there is no apt-get, or where it could not; why, was said. */
export async function unpackDebianPackages(deps: UnpackDeps): Promise<RedisServerProgram | undefined> {
  for (const tool of ["apt-get", "dpkg"]) if (!(await isOnPath(tool, deps.env))) return undefined;
  const root = rootOf(deps.folder);
  deps.say(`No redis-server here and no right to install one; unpacking Debian's into ${root}.`);
  try {
    for (const archive of await download(root, deps))
      await run("dpkg", ["-x", archive, root], { env: deps.env });
    for (const spent of ["archives", "lists", "cache"])
      await rm(join(root, spent), { recursive: true, force: true });
  } catch (error) {
    deps.say(`unpacking failed: ${firstLine(error)}`);
    return undefined;
  }
  return lookUnpacked(deps.folder);
}

/** What an earlier call unpacked. */
export async function lookUnpacked(folder: string): Promise<RedisServerProgram | undefined> {
  const root = rootOf(folder);
  const path = join(root, "usr/bin/redis-server");
  if (!(await isExecutable(path))) return undefined;
  const libraries = [];
  for (const base of ["usr/lib", "lib"]) {
    for (const entry of await readdir(join(root, base)).catch(() => [])) {
      if (entry.includes("linux-gnu")) libraries.push(join(root, base, entry));
    }
  }
  return libraries.length === 0 ? { path } : { path, libraryPath: libraries.join(delimiter) };
}

/** The archives' paths. */
async function download(root: string, { env, say }: UnpackDeps): Promise<string[]> {
  const lists = join(root, "lists");
  for (const made of [join(root, "archives", "partial"), join(lists, "partial")]) {
    await mkdir(made, { recursive: true });
  }
  const fetched = await run("apt-get", downloadArguments(root), { env }).then(
    () => archivesIn(root),
    () => [],
  );
  if (fetched.length > 0) return fetched;
  // Images often come without package lists, and old lists name packages that are gone. Lists of our own then.
  say("apt-get has no lists to go by; fetching them.");
  const own = ["-o", `Dir::State::Lists=${lists}`];
  await run("apt-get", ["update", "-qq", ...own, "-o", `Dir::Cache=${join(root, "cache")}`], { env });
  await run("apt-get", [...downloadArguments(root), ...own], { env });
  return archivesIn(root);
}

async function archivesIn(root: string): Promise<string[]> {
  const folder = join(root, "archives");
  return (await readdir(folder)).filter((file) => file.endsWith(".deb")).map((file) => join(folder, file));
}

/** `--reinstall` fetches even what the system has; without the lock nobody but root could ask. */
function downloadArguments(root: string): string[] {
  const options = [
    "Debug::NoLocking=1",
    `Dir::Cache=${join(root, "cache")}`,
    `Dir::Cache::archives=${join(root, "archives")}`,
  ];
  const flags = options.flatMap((option) => ["-o", option]);
  return ["install", "-y", "-qq", "--download-only", "--reinstall", ...flags, ...PACKAGES];
}
