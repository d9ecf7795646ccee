/**
 * A thousand dispatches through services that run as processes of their own: two gateways, two dispatchers, two apis,
 * twenty workers in five namespaces. Each job is assigned exactly once.
 */
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { workerToken } from "../kit/access-tokens.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { type SimulatedWorker, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";

const KEY = "cluster-key";
const SECRET = "cluster-secret-that-is-long-enough";
const DISPATCHES = 1_000;
const IN_FLIGHT = 32;
const ZONES = ["zone-0", "zone-1", "zone-2", "zone-3", "zone-4"];
const WORKERS_PER_ZONE = 4;

let redis: RedisServer;
const services: Record<string, ServiceProcess[]> = {};
const workers: SimulatedWorker[] = [];

async function startPair(name: ServiceName): Promise<void> {
  const env: Record<string, string> = { MUSTER_REDIS_URL: redis.url, MUSTER_LOG_LEVEL: "warn" };
  if (name !== "dispatcher") env.MUSTER_KEYS = `${KEY}: ${SECRET}`;
  services[name] = await Promise.all([startService(name, env), startService(name, env)]);
}
const of = (name: string, index: number): ServiceProcess => {
  const found = services[name]?.[index % 2];
  if (found === undefined) throw new Error(`no ${name} runs`);
  return found;
};

beforeAll(async () => {
  redis = await startRedis();
  for (const name of ["dispatcher", "gateway", "api"] as const) await startPair(name);
  for (const [zone, namespace] of ZONES.entries()) {
    for (let index = 0; index < WORKERS_PER_ZONE; index++) {
      workers.push(
        await startWorker({
          url: of("gateway", index).url,
          token: workerToken(KEY, SECRET),
          register: { agentName: `agent-${zone}`, namespace },
          reports: true,
          jobMs: 30,
          sampleEveryMs: 250,
        }),
      );
    }
  }
  for (const worker of workers) worker.sample();
}, 60_000);

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.close()));
  for (const name of ["api", "gateway", "dispatcher"]) {
    const codes = await Promise.all((services[name] ?? []).map((service) => service.stop()));
    expect(codes, `${name}s stop cleanly`).toEqual([0, 0]);
  }
  await redis.stop();
}, 60_000);

it("assigns each of a thousand jobs exactly once, and both dispatchers have a share", async () => {
  const clients = [0, 1].map((index) => new AgentDispatchClient(of("api", index).url, KEY, SECRET));
  let next = 0;
  const sender = async () => {
    while (next < DISPATCHES) {
      const number = next++;
      await clients[number % 2]?.createDispatch(`room-${number}`, `agent-${number % ZONES.length}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, sender));

  const assigned = () => workers.flatMap((worker) => worker.assigned.map(({ room }) => room));
  await waitUntil("every job is assigned", () => assigned().length >= DISPATCHES, { deadlineMs: 30_000 });
  const finished = () => workers.every((worker) => worker.running.size === 0);
  await waitUntil("every job is over", finished);
  expect(assigned()).toHaveLength(DISPATCHES);
  expect(new Set(assigned()).size).toBe(DISPATCHES);
  for (const [zone] of ZONES.entries()) {
    const rooms = workers
      .slice(zone * WORKERS_PER_ZONE, (zone + 1) * WORKERS_PER_ZONE)
      .flatMap((worker) => worker.assigned);
    expect(rooms.every(({ room }) => Number(room.slice("room-".length)) % ZONES.length === zone)).toBe(true);
  }

  const claims = await Promise.all(
    [0, 1].map((index) => counter(of("dispatcher", index), "muster_jobs_claimed_total")),
  );
  expect(Math.min(...claims)).toBeGreaterThan(0);
  expect((claims[0] ?? 0) + (claims[1] ?? 0)).toBeGreaterThanOrEqual(DISPATCHES);
}, 60_000);

async function counter(service: ServiceProcess, name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
}
