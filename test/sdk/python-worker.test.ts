/** The whole path with the stock Python SDK, which reports what becomes of its jobs. */
import { fileURLToPath } from "node:url";
import { AgentDispatchClient, TokenVerifier } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { waitUntil } from "../kit/wait-until.js";
import { pythonWithSdk } from "./python-environment.js";
import { type SdkWorker, startSdkWorker } from "./worker-process.js";

const KEY = "sdk-key";
const SECRET = "sdk-secret-that-is-long-enough-for-hs256";
const STARTUP_MS = 60_000;
const JS_RUNNING = 1;
const JS_SUCCESS = 2;

const environment = pythonWithSdk();
const python = "python" in environment ? environment.python : undefined;

describe.skipIf(python === undefined)("a stock Python worker", () => {
  let redis: RedisServer;
  let muster: ServiceProcess;
  let client: AgentDispatchClient;
  const workers: SdkWorker[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    muster = await startService("standalone", {
      MUSTER_REDIS_URL: redis.url,
      MUSTER_KEYS: `${KEY}: ${SECRET}`,
    });
    client = new AgentDispatchClient(muster.url, KEY, SECRET);
  }, STARTUP_MS);
  afterAll(async () => {
    for (const worker of workers) await worker.stop();
    await muster?.stop();
    await redis?.stop();
  }, STARTUP_MS);

  async function connect(agentName: string, env: Record<string, string> = {}): Promise<SdkWorker> {
    const worker = startSdkWorker({
      command: python ?? "",
      args: [fileURLToPath(new URL("./python/worker.py", import.meta.url))],
      agentName,
      url: muster.url,
      apiKey: KEY,
      apiSecret: SECRET,
      env,
    });
    workers.push(worker);
    await waitUntil("the worker registered", () => worker.output().includes("registered AW_"), {
      deadlineMs: STARTUP_MS,
    });
    return worker;
  }
  const jobOf = async (room: string) => (await client.listDispatch(room))[0]?.state?.jobs[0];

  it("runs its entry with the job and the token, and its report ends the job", async () => {
    const worker = await connect("python-agent");
    const dispatch = await client.createDispatch("room-python", "python-agent", {
      metadata: "from the caller",
    });
    const entry = await waitUntil(
      "the entry runs",
      () => worker.events().find(({ event }) => event === "entry"),
      {
        deadlineMs: STARTUP_MS,
      },
    );
    expect(entry.job).toMatchObject({
      dispatchId: dispatch.id,
      metadata: "from the caller",
      room: { name: "room-python" },
    });
    const claims = await new TokenVerifier(KEY, SECRET).verify(entry.token ?? "");
    expect(claims).toMatchObject({
      kind: "agent",
      video: { room: "room-python", roomJoin: true, agent: true },
    });
    const ended = await waitUntil(
      "its report ended the job",
      async () => {
        const job = await jobOf("room-python");
        return job?.state?.status === JS_SUCCESS && job;
      },
      { deadlineMs: STARTUP_MS },
    );
    expect(ended.state?.endedAt ?? 0n).toBeGreaterThan(ended.state?.startedAt ?? 0n);
  }, 120_000);

  it("is shown as running, and stops when its dispatch is deleted", async () => {
    const worker = await connect("python-stays", { AGENT_STAYS: "1" });
    const dispatch = await client.createDispatch("room-stays", "python-stays");
    await waitUntil("it is running", async () => (await jobOf("room-stays"))?.state?.status === JS_RUNNING, {
      deadlineMs: STARTUP_MS,
    });
    await waitUntil("the entry runs", () => worker.events().some(({ event }) => event === "entry"), {
      deadlineMs: STARTUP_MS,
    });
    await client.deleteDispatch(dispatch.id, "room-stays");
    await waitUntil("the job shut down", () => worker.events().some(({ event }) => event === "shutdown"), {
      deadlineMs: STARTUP_MS,
    });
  }, 120_000);
});

it.runIf(python === undefined)("says why the stock Python worker was not run", () => {
  process.stdout.write(
    `stock Python worker skipped: ${"missing" in environment ? environment.missing : ""}\n`,
  );
  expect(environment).toHaveProperty("missing");
});
