/**
 * One of four workers is sick, through services that run as processes of their own: it never answers, refuses everything, or
 * accepts and fails at once. Each job that met it lost one bounded delay and went elsewhere, the sick one soon gets no offers,
 * and it can be seen why.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { adminToken, workerToken } from "../kit/access-tokens.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { type SimulatedWorker, type SimulatedWorkerOptions, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";

const KEY = "cluster-key";
const SECRET = "cluster-secret-that-is-long-enough";
const OFFER_TIMEOUT_MS = 600;
/** Before a job that failed is tried again. */
const BACK_OFF_MS = 1_000;
/** On a machine that all of this shares. */
const SLACK_MS = 1_500;
const JOBS = 60;
/** So that they come for longer than the sick one is left alone at first. */
const EVERY_MS = 130;
const HANDFUL = 10;
/** Of those that are well: so long that the emptiest of all is mostly the sick one. */
const CALL = { jobMs: 1_000, loadPerJob: 0.05 };

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
      ...(name === "gateway" && {
        MUSTER_OFFER_TIMEOUT_MS: `${OFFER_TIMEOUT_MS}`,
        MUSTER_OFFER_TIMEOUT_MAX_MS: `${2 * OFFER_TIMEOUT_MS}`,
      }),
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

const of = (name: ServiceName, index = 0): ServiceProcess => {
  const found = services.get(name)?.[index % 2];
  if (found === undefined) throw new Error(`no ${name} runs`);
  return found;
};

async function start(namespace: string, index: number, rest: Partial<SimulatedWorkerOptions>) {
  const worker = await startWorker({
    ...{ url: of("gateway", index).url, token: workerToken(KEY, SECRET), reports: true, ...CALL },
    ...{ register: { agentName: "agent", namespace }, sampleEveryMs: 250, ...rest },
  });
  workers.push(worker);
  worker.sample();
  return worker;
}

async function call<Body>(method: string, path: string, body?: object): Promise<Body> {
  const answer = await fetch(`${of("api").url}${path}`, {
    method,
    headers: { authorization: `Bearer ${adminToken(KEY, SECRET)}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json = (await answer.json()) as Body;
  expect({ ok: answer.ok, json }).toMatchObject({ ok: true });
  return json;
}

interface Job {
  id: string;
  outcome: string | null;
  state: string;
  created_at_ms: number;
  started_at_ms: number;
  attempts: number;
}

async function ejections(reason: string): Promise<number> {
  const counted = await Promise.all(
    [...(services.get("gateway") ?? []), ...(services.get("dispatcher") ?? [])].map(async ({ url }) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const found = new RegExp(`^muster_worker_ejections_total\\{reason="${reason}"\\} (\\d+)$`, "m").exec(
        text,
      );
      return Number(found?.[1] ?? 0);
    }),
  );
  return counted.reduce((sum, count) => sum + count, 0);
}

describe.each([
  ["never answers", "silent", { onOffer: "silent" }, OFFER_TIMEOUT_MS],
  ["refuses everything", "rejects", { onOffer: "reject" }, 0],
  ["accepts and fails at once", "fails_early", { jobMs: 1, jobEnds: () => "failed" as const }, BACK_OFF_MS],
] as const)("a worker that %s", (_, reason, nature, delayMs) => {
  it("costs each job at most one bounded delay, and soon gets no offers", { timeout: 90_000 }, async () => {
    const namespace = `zone-${zones++}`;
    const sick = await start(namespace, 0, nature);
    for (let index = 1; index < 4; index++) await start(namespace, index, {});
    const ids: string[] = [];
    for (let count = 0; count < JOBS; count++) {
      const order = { room: `room-${namespace}-${count}`, agent_name: "agent", namespace };
      const { jobs } = await call<{ jobs: { id: string }[] }>("POST", "/v1/orders", order);
      ids.push(...jobs.map(({ id }) => id));
      await pause(EVERY_MS);
    }
    const jobs = await waitUntil(
      "all jobs are over",
      async () => {
        const page = await call<{ jobs: Job[] }>(
          "GET",
          `/v1/jobs?state=ended&limit=100&namespace=${namespace}`,
        );
        return page.jobs.length === JOBS ? page.jobs : undefined;
      },
      { deadlineMs: 30_000 },
    );
    expect(jobs.map(({ outcome }) => outcome)).toEqual(ids.map(() => "success"));

    // Wire ids but for the first are numbered; each job at most once.
    const metBy = sick.offered.map((wire) => wire.replace(/\..*$/, ""));
    expect(metBy.length).toBeGreaterThan(0);
    expect(metBy.length).toBeLessThanOrEqual(HANDFUL);
    expect(new Set(metBy).size).toBe(metBy.length);
    for (const { id, created_at_ms: createdAt, started_at_ms: startedAt } of jobs) {
      const bound = SLACK_MS + (metBy.includes(id) ? delayMs : 0);
      expect(startedAt - createdAt, `${id}${metBy.includes(id) ? ", which met it" : ""}`).toBeLessThan(bound);
    }

    const { health } = await call<{ health: object }>("GET", `/v1/workers/${sick.id}?namespace=${namespace}`);
    expect(health).toMatchObject({ why: reason });
    expect(health).not.toMatchObject({ state: "ok" });
    expect(await ejections(reason)).toBeGreaterThan(0);
    const well = await call<{ health: object }>(
      "POST",
      `/v1/workers/${sick.id}/reinstate?namespace=${namespace}`,
    );
    expect(well.health).toEqual({ state: "ok", until_ms: null, why: null, strikes: 0 });
  });
});

it("the last worker of an agent is asked on, and that it is sick is said", async () => {
  const namespace = `zone-${zones++}`;
  let isSilent = true;
  const only = await start(namespace, 0, { onOffer: () => (isSilent ? "silent" : "accept") });
  await call("POST", "/v1/orders", { room: `room-${namespace}`, agent_name: "agent", namespace });
  const said = () => (services.get("gateway") ?? []).map((gateway) => gateway.output()).join("");
  await waitUntil("it is said", () =>
    said().includes("the only worker of its agent that can take work does not answer offers"),
  );
  const { health } = await call<{ health: object }>("GET", `/v1/workers/${only.id}?namespace=${namespace}`);
  expect(health).toMatchObject({ state: "ok", why: "silent", strikes: 1 });
  isSilent = false;
  await waitUntil("it runs there", () => only.assigned.length === 1, { deadlineMs: 10_000 });
});
