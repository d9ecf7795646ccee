/** The list of Redis commands whose rights are looked at: all that scripts name, and all that a house was seen to run. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { adminToken, workerToken } from "@muster/test/kit/access-tokens";
import { startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { startRedis } from "@muster/test/kit/redis-server";
import { startService } from "@muster/test/kit/service-process";
import { startWorker } from "@muster/test/kit/simulated-worker";
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, onTestFinished, test } from "vitest";
import { ON_CLUSTER, WITH_KEYS, WITHOUT_KEYS } from "../src/doctor/needed-commands.js";

const KEY = "devkey";
const SECRET = "secret";

/** What Redis lets everybody do, and what only this test does. */
const NOT_MUSTERS = new Set(["hello", "auth", "quit", "reset", "config|get", "command", "client|setinfo"]);

const needed = new Set(
  [...WITHOUT_KEYS, ...ON_CLUSTER, ...WITH_KEYS].map(([name = "", sub = ""]) =>
    ["client", "cluster", "xinfo"].includes(name) ? `${name}|${sub}` : name,
  ),
);

test("has every command that a script of ours or of BullMQ names", () => {
  const shared = fileURLToPath(new URL("../../../shared", import.meta.url));
  const bullmq = dirname(createRequire(import.meta.url).resolve("bullmq"));
  const ours = readdirSync(shared, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".lua") && !file.includes("node_modules"))
    .map((file) => join(shared, file));
  const theirs = readdirSync(join(bullmq, "scripts"))
    .filter((file) => file.endsWith(".js"))
    .map((file) => join(bullmq, "scripts", file));
  expect(Math.min(ours.length, theirs.length)).toBeGreaterThan(10);
  const named = [...ours, ...theirs].flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/(?:redis\.p?call|rcall)\(\s*\\?["']([A-Za-z]+)/g)].map(
      ([, name = ""]) => name.toLowerCase(),
    ),
  );
  const missing = [...new Set(named)].filter((name) => !needed.has(name) && !needed.has(`${name}|stream`));
  expect(missing).toEqual([]);
});

test("has every command that was run, from a work order to the end of its job", async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const livekit = await startLivekitStandIn();
  onTestFinished(() => livekit.stop());
  const env = {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${KEY}: ${SECRET}`,
    MUSTER_LIVEKIT_URL: livekit.url,
  };
  const hooks = { MUSTER_WEBHOOK_URLS: `${livekit.url}/hooks` };
  const [gateway, dispatcher, api] = await Promise.all([
    startService("gateway", env),
    startService("dispatcher", env),
    startService("api", { ...env, ...hooks }),
  ]);
  for (const service of [gateway, dispatcher, api]) onTestFinished(() => void service.kill());
  const worker = await startWorker({
    ...{ url: gateway.url.replace("http", "ws"), token: workerToken(KEY, SECRET), reports: true },
    register: { agentName: "needed" },
  });
  onTestFinished(() => worker.close());
  worker.sample();
  const headers = { authorization: `Bearer ${adminToken(KEY, SECRET)}`, "content-type": "application/json" };
  const body = JSON.stringify({ room: "needed", agent_name: "needed" });
  expect((await fetch(`${api.url}/v1/orders`, { method: "POST", headers, body })).ok).toBe(true);
  await waitUntil("the job runs", () => worker.running.size > 0, { deadlineMs: 15_000 });
  for (const [wire] of worker.running) worker.finish(wire);
  const jobs = async () => await (await fetch(`${api.url}/v1/jobs`, { headers })).text();
  // Those that are over are not listed; the one that LiveKit's automatic dispatch asks for waits on.
  await waitUntil("its end is known", async () => !(await jobs()).includes('"agent_name":"needed"'));

  const stats = await redis.client().info("commandstats");
  const run = [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name = ""]) => name);
  expect(run.length).toBeGreaterThan(20);
  expect(run.filter((name) => !needed.has(name) && !NOT_MUSTERS.has(name))).toEqual([]);
});
