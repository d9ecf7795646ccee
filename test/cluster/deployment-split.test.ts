/**
 * A new deployment of an agent is tried out on part of its jobs, through services that run as processes of their own. It does
 * badly: it is found out, all jobs go to the old one again, and no caller is lost by it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { signAccessToken } from "../../shared/wire/src/access-token.js";
import { workerToken } from "../kit/access-tokens.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { type SimulatedWorker, type SimulatedWorkerOptions, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";

const KEY = "cluster-key";
const SECRET = "cluster-secret-that-is-long-enough";
const JOBS = 40;
/** Roll-back after so many at the earliest. */
const MIN_JOBS = 4;

let redis: RedisServer;
const services = new Map<ServiceName, ServiceProcess[]>();
const workers: SimulatedWorker[] = [];
let zones = 0;

beforeAll(async () => {
  redis = await startRedis();
  for (const name of ["dispatcher", "gateway", "api"] as const) {
    const env = {
      ...{ MUSTER_REDIS_URL: redis.url, MUSTER_LOG_LEVEL: "info" },
      ...(name !== "dispatcher" && { MUSTER_KEYS: `${KEY}: ${SECRET}` }),
      ...(name === "gateway" && { MUSTER_OFFER_TIMEOUT_MS: "600", MUSTER_OFFER_TIMEOUT_MAX_MS: "900" }),
    };
    services.set(name, await Promise.all([startService(name, env), startService(name, env)]));
  }
}, 60_000);
afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.close())));
afterAll(async () => {
  for (const name of ["api", "gateway", "dispatcher"] as const)
    await Promise.all((services.get(name) ?? []).map((service) => service.stop()));
  await redis.stop();
}, 60_000);

const adminToken = () => {
  const video = { roomAdmin: true, roomList: true };
  return signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs: 60_000, video });
};

const of = (name: ServiceName, index = 0): ServiceProcess => {
  const found = services.get(name)?.[index % 2];
  if (found === undefined) throw new Error(`no ${name} runs`);
  return found;
};

async function start(namespace: string, deployment: string, rest: Partial<SimulatedWorkerOptions> = {}) {
  const worker = await startWorker({
    ...{ url: of("gateway", workers.length).url, token: workerToken(KEY, SECRET), reports: true, jobMs: 200 },
    ...{ register: { agentName: "agent", namespace, deployment }, sampleEveryMs: 500, ...rest },
  });
  workers.push(worker);
  worker.sample();
  return worker;
}

async function call<Body>(method: string, path: string, body?: object): Promise<Body> {
  const answer = await fetch(`${of("api").url}${path}`, {
    method,
    headers: { authorization: `Bearer ${adminToken()}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json = (await answer.json()) as Body;
  expect({ ok: answer.ok, json }).toMatchObject({ ok: true });
  return json;
}

interface Split {
  state: string;
  percent: number;
  rolled_back: { last_reason: string } | null;
  stable: { jobs: number; bad: number };
  candidate: { jobs: number; good: number; bad: number };
}

async function read(namespace: string): Promise<Split | undefined> {
  return (await call<{ splits: Split[] }>("GET", `/v1/deployment-splits?namespace=${namespace}`)).splits[0];
}

async function rollbacks(): Promise<number> {
  const texts = await Promise.all(
    (services.get("dispatcher") ?? []).map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
  );
  const counts = texts.map((text) => /^muster_deployment_rollbacks_total (\d+)$/m.exec(text)?.[1] ?? 0);
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}

async function order(namespace: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const room = `room-${namespace}-${index}`;
    const made = { room, agent_name: "agent", namespace };
    const { jobs } = await call<{ jobs: { id: string }[] }>("POST", "/v1/orders", made);
    ids.push(...jobs.map(({ id }) => id));
  }
  return ids;
}

async function outcomes(namespace: string, count: number): Promise<(string | null)[]> {
  return waitUntil(
    "all jobs are over",
    async () => {
      const page = `/v1/jobs?state=ended&limit=100&namespace=${namespace}`;
      const { jobs } = await call<{ jobs: { outcome: string | null }[] }>("GET", page);
      return jobs.length === count ? jobs.map(({ outcome }) => outcome) : undefined;
    },
    { deadlineMs: 40_000 },
  );
}

describe.each([
  ["fails every job", "failed", { jobMs: 1, jobEnds: () => "failed" as const }],
  ["refuses every job", "rejected", { onOffer: "reject" }],
  ["answers no offer", expect.stringMatching(/^(slow|silent)$/), { onOffer: "silent" }],
] as const)("a new deployment that %s", (_, reason, nature) => {
  it("is rolled back, and no caller is lost by it", { timeout: 90_000 }, async () => {
    const namespace = `zone-${zones++}`;
    const before = await rollbacks();
    for (let index = 0; index < 2; index++) await start(namespace, "");
    const candidates = [await start(namespace, "v2", nature), await start(namespace, "v2", nature)];
    const path = `/v1/deployment-splits?agent_name=agent&namespace=${namespace}`;
    await call("PUT", path, {
      candidate: "v2",
      steps: [{ after_ms: 0, percent: 50 }],
      rollback: { max_bad_percent: 30, min_jobs: MIN_JOBS },
    });
    const jobs = await order(namespace, JOBS);
    expect(await outcomes(namespace, JOBS)).toEqual(jobs.map(() => "success"));
    const split = await read(namespace);
    expect(split).toMatchObject({
      ...{ state: "rolled_back", percent: 0, rolled_back: { last_reason: reason } },
      candidate: { good: 0 },
      stable: { bad: 0 },
    });
    expect(split?.candidate.bad).toBeGreaterThanOrEqual(MIN_JOBS);
    await waitUntil("it is counted", async () => (await rollbacks()) === before + 1);
    const said = (services.get("dispatcher") ?? []).map((dispatcher) => dispatcher.output()).join("");
    expect(said).toContain("too many jobs of a new deployment went badly");

    const met = candidates.flatMap(({ offered }) => offered).length;
    for (let index = 0; index < 10; index++) {
      const later = { room: `later-${namespace}-${index}`, agent_name: "agent", namespace };
      await call("POST", "/v1/orders", later);
    }
    expect(await outcomes(namespace, JOBS + 10)).not.toContain("failed");
    expect(candidates.flatMap(({ offered }) => offered).length).toBe(met);
  });
});

it("a new deployment that does well gets its share, and all of it in the end, when the old one is gone", {
  timeout: 60_000,
}, async () => {
  const namespace = `zone-${zones++}`;
  const old = await start(namespace, "");
  const candidate = await start(namespace, "v2");
  await call("PUT", `/v1/deployment-splits?agent_name=agent&namespace=${namespace}`, {
    candidate: "v2",
    steps: [{ after_ms: 0, percent: 50 }],
    rollback: { max_bad_percent: 0, min_jobs: 1 },
  });
  await order(namespace, 20);
  await outcomes(namespace, 20);
  const split = await read(namespace);
  expect(split).toMatchObject({ state: "done", rolled_back: null });
  expect([old, candidate].map(({ assigned }) => assigned.length)).toEqual([
    split?.stable.jobs,
    split?.candidate.jobs,
  ]);
  await old.close();
  for (let index = 0; index < 5; index++) {
    const { jobs } = await call<{ jobs: object[] }>("POST", "/v1/orders", {
      ...{ room: `late-${namespace}-${index}`, agent_name: "agent", namespace },
    });
    expect(jobs).toHaveLength(1);
  }
  expect(await outcomes(namespace, 25)).not.toContain("failed");
});
