/**
 * Finds a redis-server to start, or brings one with the system's package manager. Looks before it installs, says what
 * it does, and unpacks into the data folder where it may not install. Never downloads by itself.
 */

import { execFile } from "node:child_process";
import { access, constants, mkdir, readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface RedisServerProgram {
  path: string;
  /** Where its shared libraries are, when it was unpacked rather than installed. */
  libraryPath?: string;
}

export interface FindRedisDeps {
  /** The environment: its PATH is searched, and package managers run with it. */
  env: NodeJS.ProcessEnv;
  /** Folder in which a server may be unpacked. */
  folder: string;
  /** Tells the user what goes on. */
  say(line: string): void;
  /** Whether this user may install packages. */
  isRoot: boolean;
}

const NAMES = ["redis-server", "valkey-server"];
/** Where package managers put it that are not always on PATH. */
const USUAL_PLACES = [
  "/usr/bin",
  "/usr/local/bin",
  "/usr/sbin",
  "/opt/homebrew/bin",
  "/opt/homebrew/opt/redis/bin",
];

export const NO_REDIS =
  "no redis-server found and none could be installed: install Redis 7 or later (apt-get install redis-server, " +
  "brew install redis, apk add redis), or set MUSTER_REDIS_URL=redis://host:6379";

/** @throws Error with NO_REDIS when there is none and none can be had. */
export async function findRedisServer(deps: FindRedisDeps): Promise<RedisServerProgram> {
  const found = (await lookOnPath(deps.env)) ?? (await lookUnpacked(deps.folder));
  if (found) return found;
  for (const bring of [installWithPackageManager, unpackDebianPackages]) {
    const brought = await bring(deps);
    if (brought) return brought;
  }
  throw new Error(NO_REDIS);
}

async function lookOnPath(env: NodeJS.ProcessEnv): Promise<RedisServerProgram | undefined> {
  for (const folder of [...pathOf(env), ...USUAL_PLACES]) {
    for (const name of NAMES) {
      const path = join(folder, name);
      if (await isExecutable(path)) return { path };
    }
  }
  return undefined;
}

interface Installer {
  manager: string;
  steps: string[][];
  needsRoot: boolean;
}

const INSTALLERS: readonly Installer[] = [
  {
    manager: "apt-get",
    steps: [
      ["apt-get", "update", "-qq"],
      ["apt-get", "install", "-y", "-qq", "redis-server"],
    ],
    needsRoot: true,
  },
  { manager: "apk", steps: [["apk", "add", "--no-progress", "redis"]], needsRoot: true },
  { manager: "dnf", steps: [["dnf", "install", "-y", "-q", "redis"]], needsRoot: true },
  { manager: "brew", steps: [["brew", "install", "redis"]], needsRoot: false },
];

async function installWithPackageManager(deps: FindRedisDeps): Promise<RedisServerProgram | undefined> {
  for (const { manager, steps, needsRoot } of INSTALLERS) {
    if ((needsRoot && !deps.isRoot) || !(await isOnPath(manager, deps.env))) continue;
    deps.say(`No redis-server here; installing one with ${manager}.`);
    try {
      for (const [command, ...args] of steps)
        await run(command as string, args, { env: { ...deps.env, DEBIAN_FRONTEND: "noninteractive" } });
    } catch (error) {
      deps.say(`${manager} could not install it: ${firstLine(error)}`);
      continue;
    }
    const found = await lookOnPath(deps.env);
    if (found) return found;
  }
  return undefined;
}

/** What redis-server needs beyond a plain Debian: its program lives in redis-tools. */
const DEBIAN_PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"];

async function unpackDebianPackages(deps: FindRedisDeps): Promise<RedisServerProgram | undefined> {
  for (const tool of ["apt-get", "dpkg"]) if (!(await isOnPath(tool, deps.env))) return undefined;
  const folder = unpackedFolder(deps.folder);
  deps.say(`No redis-server here and no right to install one; unpacking Debian's into ${folder}.`);
  try {
    await mkdir(folder, { recursive: true });
    await run("apt-get", ["download", "-qq", ...DEBIAN_PACKAGES], { cwd: folder });
    for (const file of await readdir(folder)) {
      if (file.endsWith(".deb")) await run("dpkg", ["-x", file, "."], { cwd: folder });
    }
  } catch (error) {
    deps.say(`unpacking failed: ${firstLine(error)}`);
    return undefined;
  }
  return lookUnpacked(deps.folder);
}

const unpackedFolder = (folder: string): string => join(folder, "redis-program");

async function lookUnpacked(folder: string): Promise<RedisServerProgram | undefined> {
  const root = unpackedFolder(folder);
  const path = join(root, "usr/bin/redis-server");
  if (!(await isExecutable(path))) return undefined;
  const libraries = [];
  for (const base of ["usr/lib", "lib"]) {
    for (const entry of await readdir(join(root, base)).catch(() => [])) {
      if (entry.includes("linux-gnu")) libraries.push(join(root, base, entry));
    }
  }
  return { path, libraryPath: libraries.join(delimiter) };
}

async function isOnPath(name: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  for (const folder of pathOf(env)) {
    if (await isExecutable(join(folder, name))) return true;
  }
  return false;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function pathOf(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
}

function firstLine(error: unknown): string {
  const text =
    (error as { stderr?: string }).stderr || (error instanceof Error ? error.message : String(error));
  return text.trim().split("\n")[0] ?? "";
}
