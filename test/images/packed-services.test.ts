/**
 * What images ship, run as images run it (contained.ts): packed by the very script that the Dockerfile runs, started by its
 * ENTRYPOINT, asked by its HEALTHCHECK. A real Redis, a real server SDK, a worker that speaks LiveKit's protocol.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, it, onTestFailed, onTestFinished } from "vitest";
import { workerToken } from "../kit/access-tokens.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { type Contained, type ContainedOptions, contain, untilReady, whyNotContained } from "./contained.js";
import { commandsOf, readDockerfile } from "./dockerfile.js";

const KEY = { apiKey: "image-key", apiSecret: "image-secret-that-is-long-enough-for-hs256" };
const KEYS = `${KEY.apiKey}: ${KEY.apiSecret}`;
/** Beyond it somebody has begun to ship what does not run. */
const MOST_MIB = 30;
const NEEDED_BYTES = 512 * 1024 ** 2;
/** What a stop may take beyond the drain that the service is given. */
const STOP_SLACK_MS = 3_000;

const root = fileURLToPath(new URL("../..", import.meta.url));
const { IMAGE_ROOT } = process.env;
const folder = mkdtempSync(join(roomiest(), "muster-packed-"));
const packed = IMAGE_ROOT === undefined ? join(folder, "packed") : join(IMAGE_ROOT, "packed");
const dockerfile = readDockerfile(`${root}deploy/images/Dockerfile`);
let sizes = "";
let why: string | undefined;
let redis: RedisServer;

beforeAll(async () => {
  if (IMAGE_ROOT === undefined)
    sizes = execFileSync(process.execPath, [`${root}scripts/pack-services.mjs`, packed], {
      encoding: "utf8",
    });
  process.stdout.write(sizes);
  why = whyNotContained();
  if (why !== undefined) process.stdout.write(`SKIPPED: packed services are not run as images: ${why}\n`);
  redis = await startRedis();
});
afterAll(async () => {
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Ten thousand small files are made and removed: in memory within seconds, on a busy disk within a minute. */
function roomiest(): string {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > NEEDED_BYTES ? memory : tmpdir();
}

const wordsOf = (service: string, command: string): string[] =>
  commandsOf(dockerfile, service).findLast(({ name }) => name === command)?.words ?? [];

async function start(
  service: string,
  { env = {}, ...options }: Partial<ContainedOptions> = {},
): Promise<Contained> {
  const started = await contain({
    app: join(packed, service),
    entrypoint: wordsOf(service, "ENTRYPOINT"),
    env: { MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: KEYS, MUSTER_DRAIN_MS: "200", ...env },
    ...options,
  });
  onTestFailed(() => void process.stdout.write(`${service}:\n${started.output().slice(-4_000)}\n`));
  onTestFinished(() => started.kill());
  return started;
}

/** SIGTERM to process 1: ends by itself, well, and in the time that it was given. */
async function expectGoodEnd(service: Contained): Promise<void> {
  const askedAtMs = performance.now();
  service.terminate();
  expect(await service.exited, service.output().slice(-2_000)).toBe(0);
  expect(performance.now() - askedAtMs).toBeLessThan(200 + STOP_SLACK_MS);
}

async function expectOneJob(workerUrl: string, apiUrl: string): Promise<void> {
  const worker = await startWorker({
    url: workerUrl,
    token: workerToken(KEY.apiKey, KEY.apiSecret),
    register: { agentName: "packed" },
  });
  const client = new AgentDispatchClient(apiUrl, KEY.apiKey, KEY.apiSecret);
  await client.createDispatch("room-packed", "packed");
  await waitUntil("the job is with its worker", () => worker.assigned.length === 1, { deadlineMs: 10_000 });
  await worker.close();
}

describe("a packed service", { timeout: 60_000 }, () => {
  it("ships its own packages, its scripts, and nothing that it does not run", () => {
    for (const service of readdirSync(join(root, "services"))) {
      const files = readdirSync(join(packed, service), { recursive: true, encoding: "utf8" });
      expect(files).toContain(`services/${service}/dist/main.js`);
      const useless = files.filter((file) =>
        /\.(ts|map|tsbuildinfo)$|^node_modules\/(vitest|typescript|turbo)\b/.test(file),
      );
      expect(useless).toEqual([]);
      const binaries = files.filter((file) => /uws_.*\.node$/.test(file));
      expect(binaries.length).toBe(files.some((file) => file === "node_modules/uWebSockets.js") ? 1 : 0);
      const mib = Number(new RegExp(`^${service}: ([\\d.]+) MiB`, "m").exec(sizes)?.[1] ?? NaN);
      if (IMAGE_ROOT === undefined) expect(mib).toBeLessThan(MOST_MIB);
    }
    for (const room of ["ledger", "runtime", "actor"])
      expect(existsSync(join(packed, "gateway/shared", room, "lua"))).toBe(true);
    expect(existsSync(join(packed, "dispatcher/services/gateway"))).toBe(false);
    expect(existsSync(join(packed, "dispatcher/node_modules/ws"))).toBe(false);
  });

  it("gateway, dispatcher and api take a dispatch, write nothing, and end well", async ({ skip }) => {
    if (why !== undefined) skip(why);
    const [gateway, dispatcher, api] = await Promise.all(
      ["gateway", "dispatcher", "api"].map((name) => start(name)),
    );
    if (gateway === undefined || dispatcher === undefined || api === undefined)
      throw new Error("unreachable");
    const all = [gateway, dispatcher, api];
    await Promise.all(all.map(untilReady));
    expect(gateway.output()).toContain(`"transport":"uWebSockets.js"`);
    await expectOneJob(gateway.url, api.url);
    for (const service of all) {
      expect(service.processes().sort()).toEqual(["node", "tini"]);
      expect(service.written()).toEqual([]);
    }
    await Promise.all(all.map(expectGoodEnd));
    for (const service of all) expect(service.output()).not.toMatch(/EROFS|EACCES|read-only/i);
  });

  it("standalone brings its own Redis, whose data outlives it", async ({ skip }) => {
    if (why !== undefined) skip(why);
    const data = mkdtempSync(join(folder, "data-"));
    const own = { env: { MUSTER_REDIS_URL: "", MUSTER_DATA_DIR: "/data" }, volumes: { "/data": data } };
    const first = await start("standalone", own);
    await untilReady(first);
    expect(first.processes().sort()).toEqual(["node", "redis-server", "tini"]);
    const client = new AgentDispatchClient(first.url, KEY.apiKey, KEY.apiSecret);
    await client.createDispatch("room-kept", "nobody-yet");
    await expectOneJob(first.url, first.url);
    await expectGoodEnd(first);
    expect(readdirSync(join(data, "redis"))).toContain("appendonlydir");

    const second = await start("standalone", own);
    await untilReady(second);
    const kept = await new AgentDispatchClient(second.url, KEY.apiKey, KEY.apiSecret).listDispatch(
      "room-kept",
    );
    expect(kept).toHaveLength(1);
    expect(second.written()).toEqual([]);
    await expectGoodEnd(second);
  });

  it("ends at once on SIGTERM while it still waits for its Redis", async ({ skip }) => {
    if (why !== undefined) skip(why);
    const away = { env: { MUSTER_REDIS_URL: "redis://127.0.0.1:1" } };
    // An api does not wait: it is there, not ready, and drains as ever.
    const waiting = await Promise.all(["gateway", "dispatcher"].map((name) => start(name, away)));
    for (const service of waiting) {
      await waitUntil("it has tried", () => service.output().includes("ECONNREFUSED"), {
        deadlineMs: 10_000,
      });
      const askedAtMs = performance.now();
      service.terminate();
      await service.exited;
      expect(performance.now() - askedAtMs).toBeLessThan(STOP_SLACK_MS);
    }
  });

  it("answers its HEALTHCHECK, which says why when it fails", async ({ skip }) => {
    if (why !== undefined) skip(why);
    const api = await start("api");
    await untilReady(api);
    const [kind, , script = "", port = "", ...rest] = wordsOf("api", "HEALTHCHECK");
    expect([kind, script, rest]).toEqual(["CMD", "/app/healthcheck.mjs", []]);
    const ask = (more: string[], env: Record<string, string>) =>
      execFileSync(process.execPath, [`${root}deploy/images/healthcheck.mjs`, port, ...more], {
        env,
        encoding: "utf8",
      });
    const MUSTER_PORT = String(api.port);
    expect(ask([], { MUSTER_PORT })).toBe("");
    expect(ask(["/readyz"], { MUSTER_PORT })).toBe("");
    expect(() => ask(["/nothing"], { MUSTER_PORT })).toThrow();
    await redis.kill();
    try {
      await waitUntil("it is not ready", () => {
        try {
          ask(["/readyz"], { MUSTER_PORT });
          return false;
        } catch (error) {
          return String((error as { stdout: string }).stdout).includes("503");
        }
      });
      expect(ask([], { MUSTER_PORT })).toBe("");
    } finally {
      await redis.restart();
    }
    await expectGoodEnd(api);
    expect(() => ask([], { MUSTER_PORT })).toThrow();
  });
});
