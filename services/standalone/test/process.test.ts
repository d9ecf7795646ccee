/** Muster as its users start it: a process, its words, its exit codes, and what it leaves behind. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { documentedTable } from "@muster/runtime/config-doc";
import { freePort } from "@muster/test/kit/ports";
import { startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { AgentDispatchClient } from "livekit-server-sdk";
import { describe, expect, test } from "vitest";
import { standaloneSchema } from "../src/config.js";
import {
  cleanUp,
  endAfterwards,
  isRunning,
  type Muster,
  runMuster,
  temporaryFolder,
} from "./standalone-kit.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const KEYS = { key: "own-key", secret: "own-secret-that-is-long-enough-for-hs256" };

async function start(folder = temporaryFolder(), env: Record<string, string> = {}): Promise<Muster> {
  const muster = await runMuster({ env: { MUSTER_DATA_DIR: folder, ...env } });
  await muster.ready();
  return muster;
}

function redisPid(muster: Muster): number {
  const info = execFileSync("redis-cli", ["-u", muster.redisUrl(), "INFO", "server"], { encoding: "utf8" });
  return Number(/process_id:(\d+)/.exec(info)?.[1]);
}

const client = ({ url }: Muster, key = "devkey", secret = "secret") =>
  new AgentDispatchClient(url, key, secret);

/** The names of the stop steps that it logged, in their order. */
const stopSteps = (muster: Muster) =>
  muster
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { msg: string; step?: string; outcome?: string; node?: string })
    .filter(({ msg, node }) => msg === "stop step" && node === undefined)
    .map(({ step, outcome }) => `${step} ${outcome}`);

/** Whether it is heard on an address of this machine that is not the one of loopback that it would choose. */
async function isOpen({ port }: Muster): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.2:${port}/healthz`)).ok;
  } catch {
    return false;
  }
}

describe("where it listens", () => {
  test.each([
    ["everybody's keys: on this machine alone", {}, false],
    [
      "--dev beside own ones: likewise",
      { MUSTER_KEYS: `${KEYS.key}: ${KEYS.secret}`, MUSTER_DEV: "1" },
      false,
    ],
    ["own keys: everywhere", { MUSTER_KEYS: `${KEYS.key}: ${KEYS.secret}` }, true],
    ["everybody's keys, and a host: where that says", { MUSTER_HOST: "0.0.0.0" }, true],
  ])("with %s", async (_name, env, open) => {
    const muster = await start(undefined, { MUSTER_HOST: "", ...env });
    expect(await isOpen(muster)).toBe(open);
    expect((await fetch(`${muster.url}/healthz`)).ok).toBe(true);
  });
});

describe("keys", () => {
  test("without any, everybody's are in force, and that is said loudly", async () => {
    const muster = await start();
    expect(muster.output()).toContain("! Everybody's keys are in force: devkey / secret.");
    expect(muster.output()).toContain(`kept in `);
    expect((await client(muster).createDispatch("room", "agent")).id).toMatch(/^AD_/);
    await expect(client(muster, "devkey", "wrong").createDispatch("room", "agent")).rejects.toThrow();
  });

  test("with MUSTER_KEYS only those are", async () => {
    const muster = await start(undefined, { MUSTER_KEYS: `${KEYS.key}: ${KEYS.secret}` });
    expect(muster.output()).not.toMatch(/Everybody|devkey/);
    expect((await client(muster, KEYS.key, KEYS.secret).createDispatch("room", "agent")).id).toMatch(/^AD_/);
    await expect(client(muster).createDispatch("room", "agent")).rejects.toThrow();
  });

  test("with --dev beside them everybody's are too, and that is said loudly", async () => {
    const muster = await runMuster({
      args: ["--dev"],
      env: { MUSTER_DATA_DIR: temporaryFolder(), MUSTER_KEYS: `${KEYS.key}: ${KEYS.secret}` },
    });
    await muster.ready();
    expect(muster.output()).toContain("! Everybody's keys are in force");
  });
});

describe("settings", () => {
  test("that are wrong are all listed, and nothing is started", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "muster.yaml");
    writeFileSync(file, "grace: 3s\n");
    const muster = await runMuster({
      args: ["--config", file, "--verbose"],
      env: { MUSTER_PORT: "none", MUSTER_HOTS: "x", MUSTER_KEYS: "hush-hush", MUSTER_DATA_DIR: folder },
    });
    expect(await muster.exited).toBe(2);
    expect(muster.output()).toBe(
      [
        "the configuration has 5 problems (--help lists the settings):",
        "  --verbose: is not a known argument",
        `  grace in ${file}: is not a known key; did you mean "graceMs"?`,
        '  MUSTER_HOTS: is not a known variable; did you mean "MUSTER_HOST"?',
        '  MUSTER_PORT: must be a number between 1 and 65535, got "none"',
        '  MUSTER_KEYS: must be lines of "key: secret"; line 1 has no colon',
        "",
      ].join("\n"),
    );
  });

  test("--help has every setting", async () => {
    const muster = await runMuster({ args: ["--help"] });
    expect(await muster.exited).toBe(0);
    expect(muster.output()).toContain(documentedTable(standaloneSchema));
    expect(muster.output()).toContain("--config <file>");
    expect(muster.output()).toMatch(/^--dev {2,}Takes tokens of the key devkey/m);
  });

  test("of nobody are warned of, and those of the tests disturb nobody", async () => {
    const muster = await start(undefined, {
      MUSTER_FLAVOUR: "mild",
      MUSTER_REDIS_SERVER: "/opt/redis-server",
    });
    const warnings = muster.output().match(/^warning: .*$/gm);
    expect(warnings).toEqual(["warning: MUSTER_FLAVOUR is not a known variable, and is ignored"]);
  });
});

describe("a port that is taken", () => {
  test("ends it, with who has it and how to move", async () => {
    const port = await freePort();
    const server = createServer().listen(port, "127.0.0.1");
    cleanUp(() => void server.close());
    await waitUntil("it listens", () => server.listening);
    const folder = temporaryFolder();
    const muster = await runMuster({ port, env: { MUSTER_DATA_DIR: folder } });
    expect(await muster.exited).toBe(1);
    const owner = process.platform === "linux" ? `taken by .+ \\(pid ${process.pid}\\)` : "taken; sudo ss";
    expect(muster.output()).toMatch(
      new RegExp(
        `^Muster could not start: port ${port} on 127.0.0.1 is ${owner}.*MUSTER_PORT=${port + 1}\n$`,
      ),
    );
    expect(() => readFileSync(join(folder, "redis/port"))).toThrow("ENOENT");
  });

  test("by another Muster: that one is named, and goes on", async () => {
    const folder = temporaryFolder();
    const first = await start(folder);
    const second = await runMuster({ port: first.port, env: { MUSTER_DATA_DIR: folder } });
    expect(await second.exited).toBe(1);
    if (process.platform === "linux") {
      expect(second.output()).toMatch(new RegExp(`standalone/dist/main.js \\(pid ${first.pid}\\)`));
    }
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  });
});

describe("the end", () => {
  test("Ctrl-C stops the parts in order, and the redis-server with them", async () => {
    const muster = await start();
    const pid = redisPid(muster);
    expect(isRunning(pid)).toBe(true);
    muster.interrupt();
    expect(await muster.exited).toBe(0);
    expect(stopSteps(muster)).toEqual(
      [
        "live streams",
        "gateway",
        "api",
        "dispatcher",
        "metrics",
        "claim",
        "redis connections",
        "redis-server",
      ].map((step) => `${step} done`),
    );
    expect(isRunning(pid)).toBe(false);
  });

  test("what was accepted is there after a restart", async () => {
    const folder = temporaryFolder();
    const first = await start(folder);
    const { id } = await client(first).createDispatch("room", "agent");
    first.signal("SIGTERM");
    expect(await first.exited).toBe(0);
    const second = await start(folder);
    expect((await client(second).listDispatch("room")).map((dispatch) => dispatch.id)).toEqual([id]);
  });

  test("kill -9 leaves a redis-server, which the next start ends; what was accepted is there", async () => {
    const folder = temporaryFolder();
    const first = await start(folder);
    const pid = redisPid(first);
    endAfterwards(pid);
    const { id } = await client(first).createDispatch("room", "agent");
    first.signal("SIGKILL");
    expect(await first.exited).toBe("SIGKILL");
    expect(isRunning(pid)).toBe(true);
    const second = await start(folder);
    expect(second.output()).toContain(`An earlier Muster left its redis-server behind (pid ${pid})`);
    expect(isRunning(pid)).toBe(false);
    expect((await client(second).listDispatch("room")).map((dispatch) => dispatch.id)).toEqual([id]);
  });

  test("a redis-server that dies under it ends it, with 1", async () => {
    const muster = await start();
    process.kill(redisPid(muster), "SIGKILL");
    expect(await muster.exited).toBe(1);
    expect(muster.output()).toContain("the redis-server that Muster started is gone; ending");
  }, 40_000);
});

test("two of them live side by side, with a folder each", async () => {
  const [first, second] = await Promise.all([start(), start()]);
  expect(first.redisUrl()).not.toBe(second.redisUrl());
  await client(first).createDispatch("room", "agent");
  expect(await client(first).listDispatch("room")).toHaveLength(1);
  expect(await client(second).listDispatch("room")).toEqual([]);
});

test("two of them on one folder do not: the second says why, and the first goes on", async () => {
  const folder = temporaryFolder();
  const first = await start(folder);
  const second = await runMuster({ env: { MUSTER_DATA_DIR: folder } });
  expect(await second.exited).toBe(1);
  expect(second.output()).toContain(
    `Muster could not start: another Muster works on ${folder}/redis (its redis`,
  );
  expect((await client(first).createDispatch("room", "agent")).id).toMatch(/^AD_/);
});

test("a Redis that is given is used, and outlives it", async () => {
  const redis = await startRedis();
  cleanUp(() => redis.stop());
  const folder = temporaryFolder();
  const muster = await start(folder, { MUSTER_REDIS_URL: redis.url });
  expect(muster.output()).toMatch(new RegExp(`state +${redis.url}\n`));
  await client(muster).createDispatch("room", "agent");
  expect(await redis.client().dbsize()).toBeGreaterThan(0);
  muster.signal("SIGTERM");
  expect(await muster.exited).toBe(0);
  expect(stopSteps(muster)).not.toContain("redis-server done");
  expect(await redis.client().ping()).toBe("PONG");
  expect(() => readFileSync(join(folder, "redis/port"))).toThrow("ENOENT");
});

describe("npm start", () => {
  test("ends, with the redis-server that it brought, on the SIGTERM that a service manager sends to npm alone", async () => {
    const port = await freePort();
    const env = {
      ...process.env,
      MUSTER_HOST: "127.0.0.1",
      MUSTER_PORT: String(port),
      MUSTER_DATA_DIR: temporaryFolder(),
    };
    const npm = spawn("npm", ["start"], {
      cwd: root,
      detached: true,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const group = -(npm.pid ?? 0);
    cleanUp(() => void endGroup(group));
    let output = "";
    for (const stream of [npm.stdout, npm.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    const exited = new Promise((resolve) => npm.once("close", resolve));
    await waitUntil("Muster is ready", () => output.includes("is ready on"), { deadlineMs: 120_000 });
    npm.kill("SIGTERM");
    await exited;
    await waitUntil("nobody of its group runs", () => !isGroupThere(group), { deadlineMs: 15_000 });
    expect(output).toContain('"step":"redis-server"');
  }, 180_000);
});

function isGroupThere(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}

function endGroup(group: number): void {
  if (isGroupThere(group)) process.kill(group, "SIGKILL");
}
