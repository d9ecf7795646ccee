/**
 * Finds a redis-server to start, or brings one with the system's package manager. Looks before it installs, says what
 * it does, and unpacks into the data folder where it may not install. Never downloads by itself.
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { firstLine, isExecutable, isOnPath, pathOf } from "./programs.js";
import {
  lookUnpacked,
  type RedisServerProgram,
  type UnpackDeps,
  unpackDebianPackages,
} from "./unpack-debian.js";

const run = promisify(execFile);

export interface FindRedisDeps extends UnpackDeps {
  /** Whether this user may install packages. */
  isRoot: boolean;
  /** Folders that are searched after PATH. */
  places?: readonly string[];
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
  const found = (await lookAround(deps)) ?? (await lookUnpacked(deps.folder));
  if (found) return found;
  for (const bring of [installWithPackageManager, unpackDebianPackages]) {
    const brought = await bring(deps);
    if (brought) return brought;
  }
  throw new Error(NO_REDIS);
}

async function lookAround({
  env,
  places = USUAL_PLACES,
}: FindRedisDeps): Promise<RedisServerProgram | undefined> {
  for (const folder of [...pathOf(env), ...places]) {
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
      for (const [command = manager, ...args] of steps)
        await run(command, args, { env: { ...deps.env, DEBIAN_FRONTEND: "noninteractive" } });
    } catch (error) {
      deps.say(`${manager} could not install it: ${firstLine(error)}`);
      continue;
    }
    const found = await lookAround(deps);
    if (found) return found;
  }
  return undefined;
}
