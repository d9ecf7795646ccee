/** The whole path with the stock Node SDK: a real worker process, a real server SDK, Muster as one process. */
import { fileURLToPath } from "node:url";
import { AgentDispatchClient, TokenVerifier } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { waitUntil } from "../kit/wait-until.js";
import { type SdkWorker, startSdkWorker } from "./worker-process.js";

const KEY = "sdk-key";
const SECRET = "sdk-secret-that-is-long-enough-for-hs256";
const STARTUP_MS = 30_000;

let redis: RedisServer;
let muster: ServiceProcess;
let worker: SdkWorker;
let client: AgentDispatchClient;

beforeAll(async () => {
  redis = await startRedis();
  muster = await startService("standalone", {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${KEY}: ${SECRET}`,
    MUSTER_WORKER_LIVEKIT_URL: "wss://media.example.com",
  });
  client = new AgentDispatchClient(muster.url, KEY, SECRET);
  worker = startSdkWorker({
    command: process.execPath,
    args: [fileURLToPath(new URL("./node/worker.mjs", import.meta.url))],
    agentName: "node-agent",
    url: muster.url,
    apiKey: KEY,
    apiSecret: SECRET,
  });
  await waitUntil("the worker registered", () => worker.output().includes("registered AW_"), {
    deadlineMs: STARTUP_MS,
  });
}, 60_000);

afterAll(async () => {
  await worker?.stop();
  await muster?.stop();
  await redis?.stop();
});

const entryOf = (room: string) =>
  worker
    .events()
    .find(({ event, job }) => event === "entry" && (job?.room as { name?: string })?.name === room);

describe("a stock Node worker", () => {
  it("runs its entry with the job, its metadata and LiveKit's token", async () => {
    const dispatch = await client.createDispatch("room-node", "node-agent", { metadata: "from the caller" });
    const entry = await waitUntil("the entry runs", () => entryOf("room-node"), { deadlineMs: STARTUP_MS });
    expect(entry.job).toMatchObject({
      dispatchId: dispatch.id,
      metadata: "from the caller",
      agentName: "node-agent",
    });
    expect(entry.url).toBe("wss://media.example.com");
    const claims = await new TokenVerifier(KEY, SECRET).verify(entry.token ?? "");
    expect(claims).toMatchObject({
      kind: "agent",
      sub: `agent-${entry.job?.id}`,
      video: { room: "room-node", roomJoin: true, agent: true },
    });
    expect(claims.attributes).toMatchObject({ "lk.agent_name": "node-agent", "muster.epoch": "1" });
  });

  it("is shown as running, and shuts the job down when its dispatch is deleted", async () => {
    const dispatch = await client.createDispatch("room-stop", "node-agent");
    const entry = await waitUntil("the entry runs", () => entryOf("room-stop"), { deadlineMs: STARTUP_MS });
    const [listed] = await client.listDispatch("room-stop");
    expect(listed?.state?.jobs[0]).toMatchObject({ id: entry.job?.id, state: { status: 1 } });
    await client.deleteDispatch(dispatch.id, "room-stop");
    await waitUntil(
      "the job shut down",
      () => worker.events().some(({ event, jobId }) => event === "shutdown" && jobId === entry.job?.id),
      {
        deadlineMs: STARTUP_MS,
      },
    );
    expect(await client.listDispatch("room-stop")).toEqual([]);
  });

  it("is given a job that waited for it", async () => {
    await client.createDispatch("room-waits", "agent-of-later");
    const [waiting] = await client.listDispatch("room-waits");
    expect(waiting?.state?.jobs[0]?.state?.status ?? 0).toBe(0);
    const later = startSdkWorker({
      command: process.execPath,
      args: [fileURLToPath(new URL("./node/worker.mjs", import.meta.url))],
      agentName: "agent-of-later",
      url: muster.url,
      apiKey: KEY,
      apiSecret: SECRET,
    });
    try {
      await waitUntil("the entry runs", () => later.events().some(({ event }) => event === "entry"), {
        deadlineMs: STARTUP_MS,
      });
    } finally {
      await later.stop();
    }
  });
});
