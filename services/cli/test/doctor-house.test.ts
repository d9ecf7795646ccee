/**
 * The doctor in a whole house: gateway, dispatcher and api as processes, with a LiveKit that tells them by webhook. For each
 * misconfiguration that is planted exactly the checks that are named find something, of all that there are.
 */
import { UwsLoadError } from "@muster/gateway/transport/uws-native";
import { adminToken, workerToken } from "@muster/test/kit/access-tokens";
import {
  type LivekitStandIn,
  type LivekitStandInOptions,
  startLivekitStandIn,
} from "@muster/test/kit/livekit-stand-in";
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { type ServiceProcess, startService } from "@muster/test/kit/service-process";
import { waitUntil } from "@muster/test/kit/wait-until";
import { connectWorker } from "@muster/test/kit/worker-client";
import { JobType } from "@muster/wire/generated/livekit";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { concealer } from "../src/doctor/conceal.js";
import type { Verdict } from "../src/doctor/finding.js";
import { readSurroundings } from "../src/doctor/read-surroundings.js";
import {
  type Diagnosis,
  type DoctorOptions,
  diagnose,
  type Env,
  runMuster,
  SECRET,
  verdicts,
} from "./doctor-kit.js";
import { dated, occupied, withoutUpgrades } from "./neighbours.js";

const KEY = "house-key";
const KEYS = `${KEY}: ${SECRET}`;

let redis: RedisServer;
let livekit: LivekitStandIn;
let gateway: ServiceProcess;
let dispatcher: ServiceProcess;
let api: ServiceProcess;
/** As someone has it who stands beside the gateway. */
let env: Env;

beforeAll(async () => {
  redis = await startRedis({ appendOnly: true });
  const apiPort = await freePort();
  livekit = await livekitWith({ webhookUrl: `http://127.0.0.1:${apiPort}/webhook` });
  const shared = {
    ...{
      MUSTER_REDIS_URL: redis.url,
      MUSTER_KEYS: KEYS,
      MUSTER_LIVEKIT_URL: livekit.url,
      MUSTER_DRAIN_MS: "0",
    },
    MUSTER_WORKER_LIVEKIT_URL: livekit.url.replace("http", "ws"),
  };
  [gateway, dispatcher, api] = await Promise.all([
    startService("gateway", shared),
    startService("dispatcher", shared),
    startService("api", { ...shared, MUSTER_PORT: String(apiPort) }),
  ]);
  env = {
    ...{ ...shared, MUSTER_HOST: "127.0.0.1", MUSTER_PORT: String(gateway.port) },
    ...{ MUSTER_API_URL: api.url, MUSTER_GATEWAY_URL: gateway.url, MUSTER_DISPATCHER_URL: dispatcher.url },
  };
});
afterAll(async () => {
  await Promise.all([gateway, dispatcher, api].map((service) => service?.stop()));
  await livekit?.stop();
  await redis?.stop();
});

async function livekitWith(options: LivekitStandInOptions = {}): Promise<LivekitStandIn> {
  return await startLivekitStandIn({ apiKey: KEY, apiSecret: SECRET, ...options });
}

/** One of its own for a test. */
async function another(options?: LivekitStandInOptions): Promise<LivekitStandIn> {
  const standIn = await livekitWith(options);
  onTestFinished(() => standIn.stop());
  return standIn;
}

/** How fast Redis answers is the machine's matter here; it has a test of its own. */
const UNSURE = ["redis-latency"];

const look = (changes: Env = {}, { skip = [], ...options }: DoctorOptions = {}): Promise<Diagnosis> =>
  diagnose({ ...env, ...changes }, { service: ["gateway"], skip: [...UNSURE, ...skip], ...options });

test("in good health nothing is found, and nothing is left behind", async () => {
  const found = await look();
  expect(found.troubles).toEqual({});
  const {
    "redis-cluster": cluster,
    "redis-sentinel": sentinel,
    "silent-places": silent,
    ...others
  } = verdicts(found);
  expect([cluster, sentinel, silent]).toEqual(["skipped", "skipped", "skipped"]);
  expect(new Set(Object.values(others)), JSON.stringify(others)).toEqual(new Set(["ok"]));
  expect(found.said("ports")).toMatch(/port \d+ is taken by a gateway [\d.]+ that answers/);
  expect(found.said("webhook")).toMatch(/LiveKit's webhooks reach Muster/);
  expect(livekit.rooms.rowsOf([]).filter(({ name }) => name.startsWith("muster-doctor-"))).toEqual([]);
  const rooms = livekit.events.filter(({ room }) => room?.name.startsWith("muster-doctor-"));
  expect(rooms.map(({ event }) => event)).toContain("room_finished");

  // Nobody's agent was sent there; what LiveKit asked for on its behalf ends with the room.
  const made = livekit.calls.filter(({ method }) => method === "CreateRoom").map(({ request }) => request);
  expect(made[0]).toMatchObject({ agents: [{ agentName: "muster-doctor" }] });
  const headers = { authorization: `Bearer ${adminToken(KEY, SECRET)}` };
  const orders = async () =>
    (await (await fetch(`${api.url}/v1/orders`, { headers })).json()) as { total: number };
  await waitUntil("no order is left", async () => (await orders()).total === 0);
});

const GOOD: Record<string, () => Env | Promise<Env>> = {
  "rooms that Muster makes, where LiveKit makes none": async () => ({
    MUSTER_LIVEKIT_URL: (await another({ autoCreate: false, webhookUrl: `${api.url}/webhook` })).url,
  }),
  "LiveKit behind a path": async () => {
    const livekit = await another({ pathPrefix: "/livekit", webhookUrl: `${api.url}/webhook` });
    return { MUSTER_LIVEKIT_URL: livekit.url, MUSTER_WORKER_LIVEKIT_URL: ws(livekit) };
  },
};

interface Planted {
  /** Variables that are changed, and what else is done. */
  plant: () => Env | Promise<Env>;
  options?: DoctorOptions;
  finds: Record<string, Verdict>;
  says: RegExp;
}

const noUws = () =>
  Promise.reject(
    new UwsLoadError(new Error("/lib/libc.so.6: version `GLIBC_2.38' not found (required by uws.node)")),
  );

const PLANTED: Record<string, Planted> = {
  "a bound on jobs, and no LiveKit to say when those of Node workers are over": {
    plant: () => ({ MUSTER_LIVEKIT_URL: "", MUSTER_WORKER_LIVEKIT_URL: "", MUSTER_MAX_JOBS_PER_WORKER: "1" }),
    finds: { "silent-places": "warn", "worker-livekit-url": "fail" },
    says: /keeps each of its 1 places/,
  },
  "a service without its keys": {
    plant: () => ({ MUSTER_KEYS: "", MUSTER_LIVEKIT_KEYS: KEYS }),
    finds: { config: "fail" },
    says: /gateway would not start: MUSTER_KEYS \(or keys in the --config file\)/,
  },
  "a key that LiveKit does not know": {
    plant: () => ({ MUSTER_KEYS: `${KEYS}, other-key: another-${SECRET}` }),
    finds: { "livekit-keys": "fail" },
    says: /LiveKit does not know the key other-key of MUSTER_KEYS: workers that use it get jobs, and cannot join/,
  },
  "a key with another secret in LiveKit": {
    plant: () => ({ MUSTER_KEYS: `${KEY}: not-${SECRET}`, MUSTER_LIVEKIT_KEYS: KEYS }),
    finds: { "livekit-keys": "fail" },
    says: /another secret for the key house-key of MUSTER_KEYS/,
  },
  "a secret that can be guessed": {
    plant: async () => {
      const weak = await another({ apiSecret: "hunter2", webhookUrl: `${api.url}/webhook` });
      return {
        MUSTER_KEYS: `${KEY}: hunter2`,
        MUSTER_LIVEKIT_URL: weak.url,
        MUSTER_WORKER_LIVEKIT_URL: ws(weak),
      };
    },
    options: { skip: ["webhook"] },
    finds: { keys: "warn" },
    says: /the secret of house-key has 7 characters/,
  },
  "everybody's key": {
    plant: async () => {
      const dev = await another({ apiKey: "devkey", apiSecret: "secret" });
      return {
        ...{ MUSTER_DEV: "true", MUSTER_KEYS: "devkey: secret" },
        ...{ MUSTER_LIVEKIT_URL: dev.url, MUSTER_WORKER_LIVEKIT_URL: ws(dev) },
      };
    },
    options: { skip: ["webhook"] },
    finds: { keys: "warn" },
    says: /devkey is in force, whose secret everybody knows/,
  },
  "no LiveKit at its url": {
    plant: async () => ({ MUSTER_LIVEKIT_URL: `http://127.0.0.1:${await freePort()}` }),
    finds: { "livekit-reach": "fail" },
    says: /no livekit-server at .*: connect ECONNREFUSED/,
  },
  "Muster in place of LiveKit": {
    plant: () => ({ MUSTER_WORKER_LIVEKIT_URL: ws(api) }),
    finds: { "worker-livekit-url": "fail" },
    says: /find no livekit-server there: what answers there is Muster\n.*must name livekit-server, not Muster/,
  },
  "a proxy that drops the wish for a WebSocket": {
    plant: async () => ({ MUSTER_LIVEKIT_URL: await withoutUpgrades(livekit.url) }),
    finds: { "livekit-reach": "fail" },
    says: /answered 404 to a WebSocket at \/rtc.*\n.*fix: the proxy before LiveKit must pass WebSockets on/,
  },
  "workers that are sent to a loopback address": {
    plant: () => ({ MUSTER_HOST: "0.0.0.0" }),
    finds: { "worker-livekit-url": "warn" },
    says: /workers are sent to ws:\/\/127.0.0.1:\d+, which on another machine is that machine/,
  },
  "workers that are given http": {
    plant: () => ({ MUSTER_WORKER_LIVEKIT_URL: livekit.url }),
    finds: { "worker-livekit-url": "warn" },
    says: /fix: MUSTER_WORKER_LIVEKIT_URL=ws:\/\/127/,
  },
  "workers that are left to what they dial, where no media is": {
    plant: () => ({ MUSTER_WORKER_LIVEKIT_URL: "" }),
    finds: { "worker-livekit-url": "fail" },
    says: /workers look for media where they dial/,
  },
  "rooms that nobody makes": {
    plant: async () => {
      const closed = await another({ autoCreate: false, webhookUrl: `${api.url}/webhook` });
      return { MUSTER_LIVEKIT_URL: closed.url, MUSTER_CREATE_ROOMS: "false" };
    },
    finds: { "room-creation": "warn" },
    says: /neither LiveKit \(room.auto_create is off\) nor Muster makes rooms/,
  },
  "rooms that nobody makes, at a LiveKit that says so in other words": {
    plant: async () => {
      const options = { autoCreate: false, webhookUrl: `${api.url}/webhook`, words: () => "no" };
      return { MUSTER_LIVEKIT_URL: (await another(options)).url, MUSTER_CREATE_ROOMS: "false" };
    },
    finds: { "room-creation": "warn" },
    says: /neither LiveKit \(room.auto_create is off\) nor Muster makes rooms/,
  },
  "webhooks that nobody sends": {
    plant: async () => ({ MUSTER_LIVEKIT_URL: (await another()).url }),
    finds: { webhook: "fail" },
    says: /no webhook told Muster within 5 s[\s\S]*urls: \["http:\/\/127.0.0.1:\d+\/webhook"\]/,
  },
  "webhooks whose signature is refused": {
    plant: async () => {
      const keys = { apiKey: "hook-key", apiSecret: `hook-${SECRET}` };
      const foreign = await another({ ...keys, webhookUrl: `${api.url}/webhook` });
      return { MUSTER_LIVEKIT_URL: foreign.url, MUSTER_LIVEKIT_KEYS: `hook-key: hook-${SECRET}` };
    },
    finds: { webhook: "fail" },
    says: /reach the api, which refuses their signature\n.*webhook.api_key must be one of MUSTER_LIVEKIT_KEYS/,
  },
  "people whom a node that died left in the list": {
    plant: async () => {
      const crashed = await another({ webhookUrl: `${api.url}/webhook` });
      for (const identity of ["ann", "bob"]) crashed.rooms.join("calls", identity);
      crashed.rooms.crashNode("calls");
      crashed.rooms.join("calls", "cid");
      return { MUSTER_LIVEKIT_URL: crashed.url };
    },
    finds: { "stale-participants": "warn" },
    says: /people who are not there: calls lists 3 and counts 1/,
  },
  "rooms whose node died, and which nobody came back to": {
    plant: async () => {
      const crashed = await another({ webhookUrl: `${api.url}/webhook`, words: () => "no" });
      for (const room of ["calls", "empty"]) crashed.rooms.startRoom(room);
      crashed.rooms.join("calls", "ann");
      for (const room of ["calls", "empty"]) crashed.rooms.crashNode(room);
      return { MUSTER_LIVEKIT_URL: crashed.url };
    },
    finds: { "stale-participants": "warn" },
    says: /no node of LiveKit answers for calls, which list people\n.*fix: a node of LiveKit died/,
  },
  "a native library that does not load": {
    plant: () => ({}),
    options: { given: { loadUws: noUws } },
    finds: { transport: "warn" },
    says: /runs on ws, .*GLIBC_2.38.*glibc \d[\s\S]*fix: run `node services\/gateway\/native\/relink-uwebsockets.mjs`/,
  },
  "the same, where nothing else will do": {
    plant: () => ({ MUSTER_TRANSPORT: "uws" }),
    options: { given: { loadUws: noUws } },
    finds: { transport: "fail" },
    says: /the gateway does not start: uWebSockets.js cannot be loaded/,
  },
  "a port that somebody else has": {
    plant: async () => ({ MUSTER_PORT: String(await occupied()) }),
    finds: { ports: "fail" },
    says: /where gateway would listen, is taken by .+ \(pid \d+\)/,
  },
  "a port that another service of Muster has": {
    plant: () => ({ MUSTER_PORT: String(dispatcher.port) }),
    finds: { ports: "fail" },
    says: /is taken by Muster's dispatcher/,
  },
  "one service's url for another": {
    plant: () => ({ MUSTER_DISPATCHER_URL: api.url }),
    finds: { services: "fail" },
    says: /is Muster's api, and not the dispatcher\n.*fix: MUSTER_DISPATCHER_URL/,
  },
  "a service that does not run": {
    plant: async () => ({ MUSTER_DISPATCHER_URL: `http://127.0.0.1:${await freePort()}` }),
    finds: { services: "fail" },
    says: /the dispatcher at .* does not answer: connect ECONNREFUSED/,
  },
  "a service whose clock is off": {
    plant: async () => ({ MUSTER_GATEWAY_URL: await dated(gateway.url, 8_000) }),
    options: { skip: ["worker-livekit-url"] },
    finds: { clock: "fail" },
    says: /the clock of the gateway is [78]\.\d s ahead/,
  },
  "another Redis than the one that the house is on": {
    plant: async () => {
      const empty = await startRedis({ appendOnly: true });
      onTestFinished(() => empty.stop());
      return { MUSTER_REDIS_URL: empty.url };
    },
    options: { skip: ["webhook"] },
    finds: { nodes: "fail" },
    says: /no dispatcher is live[\s\S]*no gateway is live/,
  },
};

test.each(Object.entries(GOOD))("nothing is found: %s", async (_, plant) => {
  expect((await look(await plant())).troubles).toEqual({});
});

test.each(Object.entries(PLANTED))("%s", async (_, { plant, options, finds, says }) => {
  const found = await look(await plant(), options);
  expect(found.troubles).toEqual(finds);
  const said = found.said(Object.keys(finds)[0] ?? "");
  expect(said).toMatch(says);
  for (const { findings } of found.all) {
    for (const { verdict, fix } of findings)
      expect(fix !== undefined, said).toBe(verdict === "warn" || verdict === "fail");
  }
  expect(JSON.stringify(found.all), "no secret is told").not.toContain(SECRET);
});

test("services whose metrics have a port each, or a token, are well; who may not read them is told why", async () => {
  const metricsToken = "a-token-that-is-long-enough";
  const [gatewayMetrics, apiMetrics] = [await freePort(), await freePort()];
  const closed = (port: number) => ({
    ...{ MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: KEYS, MUSTER_DRAIN_MS: "0" },
    ...{ MUSTER_METRICS_PORT: String(port), MUSTER_METRICS_TOKEN: metricsToken },
  });
  const [closedGateway, closedApi] = await Promise.all([
    startService("gateway", closed(gatewayMetrics)),
    startService("api", closed(apiMetrics)),
  ]);
  onTestFinished(async () => void (await Promise.all([closedGateway.stop(), closedApi.stop()])));
  const urls = { MUSTER_GATEWAY_URL: closedGateway.url, MUSTER_API_URL: closedApi.url };
  const only = { only: ["services", "ports"] };
  const at = { ...urls, MUSTER_PORT: String(closedGateway.port) };

  // With the settings of the api, whose port of metrics the gateway does not have.
  const asApi = await look({ ...at, ...closed(apiMetrics) }, only);
  expect(asApi.troubles).toEqual({});
  expect(asApi.said("services")).toMatch(/the api at \S+ is ready \([\d.]+\)/);
  expect(asApi.said("services")).toMatch(
    new RegExp(`the gateway at \\S+ is ready; .* not read: at 127.0.0.1:${apiMetrics} .* those of the api`),
  );
  expect(asApi.said("ports")).toMatch(/taken by a gateway that answers/);

  // Without them: nothing is wrong with the services.
  const without = await look(at, only);
  expect(without.troubles).toEqual({});
  expect(without.said("services")).toMatch(/the api at .* is ready; .* not read: .*MUSTER_METRICS_PORT/);

  // With the token of somebody else.
  const wrong = { ...closed(apiMetrics), MUSTER_METRICS_TOKEN: "another-token-that-is-long" };
  const mistaken = await look({ ...at, ...wrong }, only);
  expect(mistaken.troubles).toEqual({ services: "warn" });
  expect(mistaken.said("services")).toMatch(
    /the api at .* answers 401, and MUSTER_METRICS_TOKEN is another one here/,
  );
  expect(mistaken.said("services")).toMatch(/fix: MUSTER_METRICS_TOKEN=/);
  expect(mistaken.said("services")).not.toMatch(/no Muster/);

  // One for the other is still found.
  const swapped = await look({ ...at, MUSTER_GATEWAY_URL: closedApi.url }, only);
  expect(swapped.troubles).toEqual({ services: "fail" });
  expect(swapped.said("services")).toMatch(/is Muster's api, and not the gateway/);
});

test("a job for the room of an agent that has workers for publishers alone", async () => {
  const worker = await connectWorker({ url: gateway.url, token: workerToken(KEY, SECRET) });
  onTestFinished(async () => void (await worker.close()));
  await worker.register({ agentName: "greeter", type: JobType.JT_PUBLISHER });
  const call = (path: string, method: string, body?: object) =>
    fetch(`${api.url}/v1/${path}`, {
      ...{ method, body: JSON.stringify(body) },
      headers: { authorization: `Bearer ${adminToken(KEY, SECRET)}`, "content-type": "application/json" },
    });
  const answer = await call("orders", "POST", { room: "misfit", agent_name: "greeter" });
  const { id } = (await answer.json()) as { id: string };
  onTestFinished(async () => void (await call(`orders/${id}`, "DELETE")));
  const find = () => look({}, { only: ["worker-types"] });
  await waitUntil("it is found", async () => (await find()).troubles["worker-types"] === "warn");
  expect((await find()).said("worker-types")).toMatch(
    /1 job of type room of "greeter" in default wait, and it has workers of type publisher alone\n.*fix: order it/,
  );
  await call(`orders/${id}`, "DELETE");
  expect((await find()).troubles).toEqual({});
});

test("secrets and passwords are taken out of whatever is printed", () => {
  const url = "redis://muster:the%20password%20of%20redis@127.0.0.1:1";
  const surroundings = readSurroundings({ service: ["api"] }, { MUSTER_REDIS_URL: url, MUSTER_KEYS: KEYS });
  const said = `WRONGPASS for "the password of redis"; invalid token of ${KEY} with ${SECRET}, and ${SECRET}`;
  expect(concealer(surroundings)(said)).toBe(
    `WRONGPASS for "(secret)"; invalid token of ${KEY} with (secret), and (secret)`,
  );
});

test("a check that has no time left, or throws, is a finding; the others go on", async () => {
  const held = livekit.fail.bind(livekit);
  held("ListRooms", { kind: "hold", until: new Promise((resolve) => setTimeout(resolve, 1_000)) });
  const late = await look({}, { only: ["stale-participants", "transport"], timeoutMs: 200 });
  expect(late.troubles).toEqual({ "stale-participants": "fail" });
  expect(late.said("stale-participants")).toMatch(
    /no result within 200 ms\n.*--timeout .*--skip stale-participants/,
  );

  const thrown = await look(
    {},
    { only: ["transport", "ports"], given: { loadUws: () => Promise.reject(new Error("boom")) } },
  );
  expect(thrown.troubles).toEqual({ transport: "fail" });
  expect(thrown.said("transport")).toContain("the check itself failed: boom");
});

test("a check may ask as much at once as it likes, and Node has nothing to warn of", async () => {
  const warned: string[] = [];
  const hear = ({ message }: Error) => void warned.push(message);
  process.on("warning", hear);
  onTestFinished(() => void process.off("warning", hear));
  const rooms = Array.from({ length: 12 }, (_, count) => `busy-${count}`);
  for (const room of rooms) livekit.rooms.join(room, "ann");
  onTestFinished(() => rooms.forEach((room) => void livekit.rooms.finishRoom(room)));
  const before = livekit.calls.length;
  await look({}, { only: ["stale-participants"] });
  const asked = livekit.calls.slice(before).filter(({ method }) => method === "ListParticipants");
  expect(asked.length).toBeGreaterThan(10);
  // A warning comes with the next turn of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned).toEqual([]);
});

test("the room of a check that ran out of time is taken away all the same", async () => {
  const silent = await another();
  const found = await look({ MUSTER_LIVEKIT_URL: silent.url }, { only: ["webhook"], timeoutMs: 300 });
  expect(found.said("webhook")).toContain("no result within 300 ms");
  expect(silent.calls.map(({ method }) => method)).toContain("CreateRoom");
  expect(silent.rooms.rowsOf([])).toEqual([]);
});

test("as a command: a list and exit code 0; a finding and 1; JSON; warnings with --strict; 2 for what is no check", async () => {
  const good = await runMuster(["doctor", "--service", "gateway", "--skip", "redis-latency"], env);
  expect(good, good.stdout).toMatchObject({ code: 0, stderr: "" });
  expect(good.stdout).toMatch(/^Muster [\d.]+: redis:\/\/127.0.0.1:\d+, http:.*\n\n {2}ok {4}config /);
  expect(good.stdout).toMatch(/\d+ ok, 0 warnings, 0 failed, 3 skipped\n$/);
  // No colour where nobody looks.
  expect(good.stdout).not.toContain("\u001b");

  const client = redis.client();
  await client.config("SET", "appendfsync", "no");
  onTestFinished(() => void client.config("SET", "appendfsync", "always"));
  const only = ["--only", "redis,nodes", "--skip", "redis-latency"];
  const warned = await runMuster(["doctor", "--service", "gateway", ...only], env);
  expect(warned, warned.stdout).toMatchObject({ code: 0 });
  expect((await runMuster(["doctor", "--service", "gateway", "--strict", ...only], env)).code).toBe(1);

  await client.config("SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru");
  onTestFinished(() => void client.config("SET", "maxmemory", "0", "maxmemory-policy", "noeviction"));
  const bad = await runMuster(["doctor", "--json", ...only], env);
  expect(bad.code).toBe(1);
  const report = JSON.parse(bad.stdout) as { exitCode: number; counts: object; checks: object[] };
  expect(report).toMatchObject({ exitCode: 1, counts: { fail: 1, warn: 1 } });
  expect(report.checks).toContainEqual({
    ...{ name: "redis-eviction", verdict: "fail", looksAt: expect.any(String), tookMs: expect.any(Number) },
    findings: [
      {
        ...{ verdict: "fail", says: "Redis deletes keys by allkeys-lru once it holds 1.0 GiB" },
        fix: "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
      },
    ],
  });
});

function ws({ url }: { url: string }): string {
  return url.replace("http", "ws");
}
