/**
 * One worker that floods a gateway of 512 MiB, over a real socket: the gateway's memory stays within its bound, whoever is honest
 * goes on being served, and a flood of lines does not reach the log. From the built files. `FLOODED=<folder>` floods
 * the build of another checkout.
 */
import { readFileSync } from "node:fs";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { type ServiceProcess, startService } from "@muster/test/kit/service-process";
import { waitUntil } from "@muster/test/kit/wait-until";
import { connectWorker, type WorkerClient } from "@muster/test/kit/worker-client";
import { encodeWorkerMessage, type WorkerMessageDraft } from "@muster/wire/agent-codec";
import { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { API_KEY, API_SECRET, agentToken } from "./gateway-kit.js";

const MIB = 1024 * 1024;
/** Of the whole process, at its highest: its heap may have 400 MiB of the 512. */
const MOST_RSS_MIB = 450;
const FLOOD_MS = Number(process.env.FLOOD_MS ?? 3_000);

let redis: RedisServer;
let gateway: ServiceProcess;
let honest: WorkerClient;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

beforeEach(async () => {
  const env = {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${API_KEY}: ${API_SECRET}`,
    MUSTER_DRAIN_MS: "0",
    NODE_OPTIONS: "--max-old-space-size=400",
  };
  gateway = await startService("gateway", env, process.env.FLOODED);
  honest = await dial();
  await honest.register({ agentName: "honest" });
});
afterEach(async () => {
  redis.thaw();
  await gateway.kill();
});

const dial = (): Promise<WorkerClient> => connectWorker({ url: gateway.url, token: agentToken() });

async function registered(): Promise<WorkerClient> {
  const worker = await dial();
  await worker.register({ agentName: "flood" });
  return worker;
}

/** Sends as long as somebody takes it, bounded in number and time; slower than what waits in our own memory. */
async function flood(worker: WorkerClient, times: number, message: WorkerMessageDraft): Promise<number> {
  const frame = encodeWorkerMessage(message);
  const endsAtMs = Date.now() + FLOOD_MS;
  let sent = 0;
  while (sent < times && worker.isOpen && Date.now() < endsAtMs) {
    worker.sendRaw(frame);
    sent++;
    if (worker.unsentBytes > 16 * MIB)
      await waitUntil("some of it has left", () => !worker.isOpen || worker.unsentBytes < 8 * MIB, {
        everyMs: 1,
        deadlineMs: 20_000,
      });
    if (sent % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

function simulation(room: Partial<Room>, participant?: Partial<ParticipantInfo>): WorkerMessageDraft {
  const value = {
    room: Room.create(room),
    participant: participant ? ParticipantInfo.create(participant) : null,
  };
  return { case: "simulateJob", value };
}

function failure(error: string): WorkerMessageDraft {
  return { case: "updateJob", value: { jobId: "AJ_x", status: 3, error } };
}

function highestRssMib(): number {
  const status = readFileSync(`/proc/${gateway.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** The honest worker was served all the while, on the socket that it had. */
async function expectServed(what: string): Promise<void> {
  // A gateway that is busy with what came before answers once it is through.
  honest.send({ case: "ping", value: { timestamp: 1n } });
  await honest.next("pong", 20_000);
  const highest = highestRssMib();
  process.stdout.write(`${what}: at most ${Math.round(highest)} MiB\n`);
  expect(highest).toBeLessThan(MOST_RSS_MIB);
}

it("simulated jobs of a whole frame each", async () => {
  const worker = await registered();
  const metadata = "m".repeat(500 * 1024);
  const sent = await flood(
    worker,
    1_000,
    simulation({ name: "room", metadata }, { identity: "p", metadata }),
  );
  await expectServed(`${sent} simulations of 1,000 KiB`);
  expect((await worker.closed(20_000)).code).toBe(4422);
});

it("simulated jobs as large as they may be, as fast as they go", async () => {
  const worker = await registered();
  const metadata = "m".repeat(250 * 1024);
  const sent = await flood(worker, 2_000, simulation({ name: "room", metadata }));
  await expectServed(`${sent} simulations of 250 KiB`);
  expect((await worker.closed(20_000)).code).toBe(4429);
});

it("reports with an error of 1.9 MB each", async () => {
  const worker = await registered();
  const error = "é".repeat(950_000);
  const sent = await flood(worker, 1_000, failure(error));
  await expectServed(`${sent} reports of 1.9 MB`);
});

it("reports as fast as they go, with Redis stopped", async () => {
  const workers = await Promise.all(Array.from({ length: 24 }, () => registered()));
  redis.freeze();
  const error = "e".repeat(4_000);
  const sent = await Promise.all(workers.map((worker) => flood(worker, 10_000, failure(error))));
  const all = sent.reduce((sum, count) => sum + count, 0);
  await expectServed(`${all} reports of 4 kB from 24 workers, with Redis stopped`);
  redis.thaw();
  for (const worker of workers) expect([4429, 1013]).toContain((await worker.closed(20_000)).code);
});

it("frames that wait for their registration", async () => {
  redis.freeze();
  const workers = await Promise.all(Array.from({ length: 4 }, () => dial()));
  const ids = Array.from({ length: 60_000 }, (_, index) => `AJ_${index}`);
  for (const worker of workers) worker.send({ case: "register", value: { agentName: "flood" } });
  const sent = await Promise.all(
    workers.map((worker) => flood(worker, 200, { case: "migrateJob", value: { jobIds: ids } })),
  );
  await expectServed(`${sent.join(" + ")} migrations of 60,000 ids, before registration`);
  redis.thaw();
  for (const worker of workers) expect((await worker.closed(20_000)).code).toBe(4429);
});

it("registrations of the largest frames, binary and JSON, kept for the life of the socket", async () => {
  const sources = Array.from({ length: 1_000_000 }, () => 1);
  const workers = await Promise.all(Array.from({ length: 40 }, () => dial()));
  for (const [index, worker] of workers.entries()) {
    const permissions = { canPublish: true, canPublishSources: sources };
    if (index % 2 === 0)
      worker.send({ case: "register", value: { allowedPermissions: permissions as never } });
    else worker.sendRaw(`{"register":{"agentName":"flood"},"more":[${"{},".repeat(600_000)}{}]}`);
    if (worker.unsentBytes > 0)
      await waitUntil("it has left", () => !worker.isOpen || worker.unsentBytes === 0, {
        deadlineMs: 20_000,
      });
  }
  await expectServed("40 registrations of 1 to 2 MB");
  expect((await workers[0]?.closed(20_000))?.reason).toMatch(/can_publish_sources: more than 64/);
});

it("a worker that connects, registers and leaves, over and over: its first line, and few more", async () => {
  const before = gateway.output().length;
  const endsAtMs = Date.now() + FLOOD_MS;
  let times = 0;
  while (Date.now() < endsAtMs && times < 2_000) {
    const round = Array.from({ length: 8 }, async () => {
      const worker = await registered();
      await worker.close();
    });
    await Promise.all(round);
    times += round.length;
  }
  await expectServed(`${times} registrations`);
  const written = gateway.output().slice(before);
  process.stdout.write(`${written.length} bytes of log\n`);
  expect(times).toBeGreaterThan(200);
  expect(written).toContain('"worker registered"');
  // Three messages of 120 lines each, about 250 bytes a line.
  expect(written.length).toBeLessThan(200_000);
});
