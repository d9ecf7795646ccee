/** Where a redis-server is looked for, and how one is brought where there is none. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findRedisServer, NO_REDIS } from "../src/redis/find-redis-server.js";
import { startOwnRedis } from "../src/redis/own-redis.js";
import { cleanUp, temporaryFolder } from "./standalone-kit.js";

const REAL = execFileSync("sh", ["-c", "command -v redis-server"], { encoding: "utf8" }).trim();

function binFolder(programs: Record<string, string>): string {
  const folder = join(temporaryFolder(), "bin");
  mkdirSync(folder);
  for (const [name, target] of Object.entries(programs)) symlinkSync(target, join(folder, name));
  return folder;
}

/** A search that sees these folders only, and may install nothing. */
function search(path: string[], places: string[] = []) {
  const said: string[] = [];
  const folder = temporaryFolder();
  const deps = {
    env: { PATH: path.join(":") },
    places,
    folder,
    isRoot: false,
    say: (line: string) => void said.push(line),
  };
  return { deps, said, folder };
}

test("the first redis-server on PATH is taken, before the usual places", async () => {
  const [first, second, usual] = [{}, { "redis-server": REAL }, { "redis-server": REAL }].map(binFolder) as [
    string,
    string,
    string,
  ];
  const onPath = search([first, second], [usual]);
  expect(await findRedisServer(onPath.deps)).toEqual({ path: join(second, "redis-server") });
  const elsewhere = search([first], [usual]);
  expect(await findRedisServer(elsewhere.deps)).toEqual({ path: join(usual, "redis-server") });
  expect([...onPath.said, ...elsewhere.said]).toEqual([]);
});

test("valkey-server will do", async () => {
  const folder = binFolder({ "valkey-server": REAL });
  expect(await findRedisServer(search([folder]).deps)).toEqual({ path: join(folder, "valkey-server") });
});

test("a file that cannot be run is passed over", async () => {
  const folder = binFolder({});
  writeFileSync(join(folder, "redis-server"), "");
  chmodSync(join(folder, "redis-server"), 0o644);
  await expect(findRedisServer(search([folder]).deps)).rejects.toThrow(NO_REDIS);
});

test("with none, and nothing that could bring one, the error says what to do", async () => {
  const { deps, said } = search([binFolder({})]);
  await expect(findRedisServer(deps)).rejects.toThrow(
    "no redis-server found and none could be installed: install Redis 7 or later (apt-get install redis-server, " +
      "brew install redis, apk add redis), or set MUSTER_REDIS_URL=redis://host:6379",
  );
  expect(said).toEqual([]);
});

test("a package manager that fails is quoted, and the next way is tried", async () => {
  const folder = binFolder({});
  writeFileSync(join(folder, "brew"), "#!/bin/sh\necho 'Error: no such formula' >&2\nexit 1\n");
  chmodSync(join(folder, "brew"), 0o755);
  const { deps, said } = search([folder]);
  await expect(findRedisServer(deps)).rejects.toThrow(NO_REDIS);
  expect(said).toEqual([
    "No redis-server here; installing one with brew.",
    "brew could not install it: Error: no such formula",
  ]);
});

test("a package manager that works is believed once the program is there", async () => {
  const folder = binFolder({});
  writeFileSync(join(folder, "brew"), `#!/bin/sh\n/bin/ln -s ${REAL} ${folder}/redis-server\n`);
  chmodSync(join(folder, "brew"), 0o755);
  const { deps } = search([folder]);
  expect(await findRedisServer(deps)).toEqual({ path: join(folder, "redis-server") });
});

/** Whether apt-get can fetch packages now; without that there is nothing to try. */
function aptProblem(): string | undefined {
  const { status, error } = spawnSync("apt-get", ["--print-uris", "-qq", "download", "redis-server"]);
  if (error !== undefined) return "there is no apt-get here";
  const host = spawnSync("getent", ["hosts", "deb.debian.org"]).status;
  return status !== 0 && host !== 0 ? "apt-get has neither package lists nor a network" : undefined;
}

const noApt = aptProblem();

const skipped = noApt === undefined ? "" : ` (${noApt})`;

/** All programs of the system, save those that are looked for: apt-get's check of signatures runs many of them. */
function allButRedis(): string {
  const names = readdirSync("/usr/bin").filter((name) => !/^(redis|valkey|brew)/.test(name));
  return binFolder(Object.fromEntries(names.map((name) => [name, join("/usr/bin", name)])));
}

test.skipIf(noApt !== undefined)(
  `who may not install has Debian's packages unpacked, and they run${skipped}`,
  async () => {
    const { deps, said, folder } = search([allButRedis()]);
    const program = await findRedisServer(deps);
    expect(program.path).toBe(join(folder, "redis-program/usr/bin/redis-server"));
    expect(said[0]).toBe(
      `No redis-server here and no right to install one; unpacking Debian's into ${folder}/redis-program.`,
    );

    const redis = await startOwnRedis({ program, folder, env: {}, say: () => {} });
    cleanUp(() => redis.stop());
    const port = new URL(redis.url).port;
    expect(execFileSync("redis-cli", ["-p", port, "PING"], { encoding: "utf8" })).toBe("PONG\n");

    // What was unpacked is found again, without a word.
    said.length = 0;
    expect(await findRedisServer(deps)).toEqual(program);
    expect(said).toEqual([]);
  },
  120_000,
);

test.skipIf(noApt !== undefined)(
  `package lists that the system lacks are fetched, into the folder${skipped}`,
  async () => {
    const { deps, said, folder } = search([allButRedis()]);
    const empty = temporaryFolder();
    mkdirSync(join(empty, "partial"));
    const configuration = join(temporaryFolder(), "apt.conf");
    writeFileSync(configuration, `Dir::State::Lists "${empty}";\n`);
    const env = { ...deps.env, APT_CONFIG: configuration };
    const program = await findRedisServer({ ...deps, env });
    expect(program.path).toBe(join(folder, "redis-program/usr/bin/redis-server"));
    expect(said[1]).toBe("apt-get has no lists to go by; fetching them.");
    expect(readdirSync(empty).filter((name) => name.endsWith("_Packages"))).toEqual([]);
    expect(readdirSync(join(folder, "redis-program"))).not.toContain("lists");
  },
  120_000,
);
