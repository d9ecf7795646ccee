/**
 * The router of the chart: nginx itself with the configuration that is rendered, before a gateway, a dispatcher and an api, and
 * somebody in livekit-server's place who says what reached it.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { adminToken, roomToken, workerToken } from "../kit/access-tokens.js";
import { type NameServer, startNameServer } from "../kit/name-server.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { LEAST, podsOf, render, run } from "./chart.js";
import { checkConfig, configOf, type Router, type Surroundings, startRouter } from "./router.js";

const KEY = "key";
const SECRET = "a-secret-that-is-long-enough-for-this";
const LIVEKIT = "livekit-server.voice.svc.cluster.local";

let redis: RedisServer;
let gateway: ServiceProcess;
let dispatcher: ServiceProcess;
let api: ServiceProcess;
let livekit: Server;
let livekitPort: number;
let names: NameServer;
let around: Surroundings;
let router: Router;

beforeAll(async () => {
  redis = await startRedis();
  const env = { MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: `${KEY}: ${SECRET}`, MUSTER_DRAIN_MS: "0" };
  [gateway, dispatcher, api] = await Promise.all([
    startService("gateway", env),
    startService("dispatcher", env),
    startService("api", env),
  ]);
  livekit = createServer((request, response) => {
    // Begun and not ended, by somebody who tells no proxy how to treat it.
    if (request.url === "/begun") return void response.setHeader("content-length", 100).write("begun");
    response.setHeader("x-answered-by", "livekit");
    response.end(JSON.stringify({ url: request.url, headers: request.headers }));
  });
  new WebSocketServer({ server: livekit }).on("connection", (socket, { url }) =>
    socket.send(`livekit ${url}`),
  );
  livekit.listen(0, "127.0.0.1");
  await once(livekit, "listening");
  livekitPort = (livekit.address() as AddressInfo).port;
  names = await startNameServer();
  names.known.add(LIVEKIT);
  around = {
    namePort: names.port,
    services: {
      "muster-gateway.voice.svc.cluster.local:7880": gateway.port,
      "muster-api.voice.svc.cluster.local:7883": api.port,
    },
  };
  router = await startRouter(configOf(withLivekit()), around);
}, 300_000);

afterAll(async () => {
  await router?.stop();
  await names?.stop();
  livekit?.closeAllConnections();
  livekit?.close();
  for (const service of [gateway, dispatcher, api]) await service?.stop();
  await redis?.stop();
});

/**
 * Over a connection of its own: Helm is waited for with all else standing still, and one that is kept may be closed by then.
 */
const ask = (url: string, init: RequestInit = {}) =>
  fetch(url, { ...init, headers: { ...init.headers, connection: "close" } });

const withLivekit = () => ({
  ...LEAST,
  livekit: { serviceName: "livekit-server", servicePort: livekitPort },
});

it("starts without a livekit-server, and finds it as soon as it is there", async () => {
  const own = await startNameServer();
  const early = await startRouter(configOf(withLivekit()), { ...around, namePort: own.port });
  expect((await ask(`${early.url}/rtc/validate`)).status).toBe(502);
  expect((await ask(`${early.url}/v1/openapi.json`)).status).toBe(200);
  own.known.add(LIVEKIT);
  const isFound = async () => (await ask(`${early.url}/rtc/validate`)).status === 200;
  await waitUntil("livekit-server is found", isFound, { deadlineMs: 15_000, everyMs: 100 });
  await early.stop();
  await own.stop();
});

/** A path, and whose it is. */
const ROUTES: [path: string, owner: "gateway" | "api" | "livekit"][] = [
  ["/agent", "gateway"],
  ["/twirp/livekit.AgentDispatchService/ListDispatch", "api"],
  ["/v1/workers", "api"],
  ["/v1/events", "api"],
  ["/webhook", "api"],
  ["/", "livekit"],
  ["/rtc", "livekit"],
  ["/rtc/v1", "livekit"],
  ["/agents", "livekit"],
  ["/twirp/livekit.RoomService/ListRooms", "livekit"],
  ["/twirp/livekit.AgentDispatchServices/X", "livekit"],
  ["/v1beta/x", "livekit"],
  ["/webhooks", "livekit"],
  ["/metrics", "livekit"],
  ["/readyz", "livekit"],
];

it.each(ROUTES)("the router sends %s to %s", async (path, owner) => {
  const answer = await ask(`${router.url}${path}`, { method: path.startsWith("/twirp") ? "POST" : "GET" });
  const by = answer.headers.get("x-answered-by");
  await answer.body?.cancel();
  expect(by).toBe(owner === "livekit" ? "livekit" : null);
  // A gateway serves nothing but sockets there, and says so; an api asks for a token or a POST.
  if (owner === "gateway") expect((await ask(`${gateway.url}${path}`)).status).toBe(answer.status);
  if (owner === "api") expect([400, 401, 404, 405]).toContain(answer.status);
});

it.each(ROUTES)("Ingress and HTTPRoute send %s to %s too", (path, owner) => {
  const given = {
    ...withLivekit(),
    ingress: { enabled: true, hosts: ["muster.example.com"] },
    httpRoute: { enabled: true, parentRefs: [{ name: "public" }] },
  };
  const wanted = owner === "livekit" ? "livekit-server" : `muster-${owner}`;
  const objects = render(given);
  const rules = (kind: string) => objects.find((object) => object.kind === kind)?.spec.rules ?? [];
  const paths = rules("Ingress").flatMap(({ http }) =>
    (http?.paths ?? []).map(({ path: at, pathType, backend }) => ({
      at,
      isExact: pathType === "Exact",
      to: backend.service.name,
    })),
  );
  const matches = rules("HTTPRoute").flatMap(({ matches: all = [], backendRefs = [] }) =>
    all.map(({ path: { value, type } }) => ({
      at: value,
      isExact: type === "Exact",
      to: backendRefs[0]?.name,
    })),
  );
  expect(rules("HTTPRoute").map(({ timeouts }) => timeouts?.request)).toEqual(
    rules("HTTPRoute").map(() => "0s"),
  );
  for (const table of [paths, matches]) {
    // Both prefer what is exact, then what is longer; a prefix ends with a whole part of the path.
    const fitting = table.filter(({ at, isExact }) =>
      isExact ? path === at : path === at || path.startsWith(at === "/" ? "/" : `${at}/`),
    );
    const best = fitting.sort(
      (a, b) => Number(b.isExact) - Number(a.isExact) || b.at.length - a.at.length,
    )[0];
    expect(best?.to).toBe(wanted);
  }
});

it("a worker registers and is given a job, all through the router; what becomes of it is streamed as it happens", async () => {
  const leaving = new AbortController();
  const events = await ask(`${router.url}/v1/events`, {
    headers: { authorization: `Bearer ${adminToken(KEY, SECRET)}` },
    signal: leaving.signal,
  });
  expect(events.headers.get("content-type")).toContain("text/event-stream");
  let heard = "";
  const listening = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of events.body ?? [])
      heard += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch((error: Error) => error.name);
  const worker = await startWorker({
    ...{ url: router.url, token: workerToken(KEY, SECRET), reports: true },
    register: { agentName: "support" },
  });
  worker.sample();
  const dispatched = await ask(`${router.url}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${roomToken(KEY, SECRET, "room")}`,
    },
    body: JSON.stringify({ room: "room", agent_name: "support" }),
  });
  expect(dispatched.status, await dispatched.text()).toBe(200);
  await waitUntil("the job runs", () => worker.running.size === 1, { deadlineMs: 10_000 });
  await waitUntil("its event is heard", () => heard.includes("agent_job_started"), { deadlineMs: 10_000 });
  await worker.close();
  leaving.abort();
  expect(await listening).toBe("AbortError");
});

it("people's sockets reach livekit-server, with who they are", async () => {
  const socket = new WebSocket(`${router.url.replace("http", "ws")}/rtc?access_token=x`);
  const [said] = (await once(socket, "message")) as [Buffer];
  expect(said.toString()).toBe("livekit /rtc?access_token=x");
  socket.terminate();
  const answer = await ask(`${router.url}/any?a=b%20c`, {
    headers: { "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https" },
  });
  const { url, headers } = (await answer.json()) as { url: string; headers: Record<string, string> };
  expect(url).toBe("/any?a=b%20c");
  expect(headers).toMatchObject({
    host: router.url.slice("http://".length),
    "x-forwarded-for": "192.0.2.7, 127.0.0.1",
    "x-forwarded-proto": "https",
  });
});

it("what was begun arrives before it ends", async () => {
  const leaving = new AbortController();
  const { body } = await ask(`${router.url}/begun`, {
    signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(5_000)]),
  });
  const first = await body?.getReader().read();
  expect(Buffer.from(first?.value ?? []).toString()).toBe("begun");
  leaving.abort();
});

it("a body that is too large for Muster is not passed on", async () => {
  const send = (bytes: number) =>
    ask(`${router.url}/v1/orders`, { method: "POST", body: "x".repeat(bytes) }).then(({ status }) => status);
  expect(await send(11 * 1024 * 1024)).toBe(413);
  expect(await send(1_000)).toBe(401);
});

it("helm test passes when all is well, and says what is not", async () => {
  const [test] = podsOf(render(withLivekit())).filter(({ kind }) => kind === "Pod");
  const [container] = test?.spec.containers ?? [];
  const [program = "", ...args] = [...(container?.command ?? []), ...(container?.args ?? [])];
  expect(program).toBe("node");
  const urls: Record<string, string> = {
    GATEWAY_URL: gateway.url,
    DISPATCHER_URL: dispatcher.url,
    API_URL: api.url,
    ROUTER_URL: router.url,
  };
  expect(container?.env?.map(({ name }) => name).sort()).toEqual(Object.keys(urls).sort());
  const check = (changed: Record<string, string>) => {
    const env = Object.entries({ ...urls, ...changed }).map(([name, value]) => `${name}=${value}`);
    return run("env", [...env, process.execPath, ...args]);
  };
  const well = check({});
  expect(well.output).not.toContain("FAIL");
  expect(well.code).toBe(0);
  expect(well.output.match(/^ok/gm)).toHaveLength(6);
  const ill = check({ DISPATCHER_URL: "http://127.0.0.1:9" });
  expect(ill.output).toContain("FAIL dispatcher is ready");
  expect(ill.code).toBe(1);
  // A router that sends an agent's socket elsewhere.
  expect(check({ ROUTER_URL: api.url }).output).toContain("FAIL router passes /agent");
});

it("KEDA gets a number where the chart sends it", async () => {
  const [trigger] = render("all-options")
    .flatMap(({ spec }) => spec?.triggers ?? [])
    .filter(({ type }) => type === "metrics-api");
  const { url = "", valueLocation = "", targetValue, authMode } = trigger?.metadata ?? {};
  expect({ targetValue, authMode }).toEqual({ targetValue: "1", authMode: "bearer" });
  const here = url.replace("http://muster-api.voice.svc.cluster.local:7883", api.url);
  const answer = await ask(here, { headers: { authorization: `Bearer ${adminToken(KEY, SECRET)}` } });
  const said = (await answer.json()) as Record<string, unknown>;
  expect(answer.status, JSON.stringify(said)).toBe(200);
  expect(said[valueLocation]).toBe(0);
  expect(said).toMatchObject({ agent_name: "support ä", namespace: "tenant-a" });
});

it("without a livekit-server an api answers for it, and metrics stay inside", async () => {
  const alone = await startRouter(configOf(LEAST), around);
  const rtc = await ask(`${alone.url}/rtc`);
  expect(rtc.status).toBe(404);
  expect(await rtc.text()).toContain("media does not");
  const metrics = await ask(`${alone.url}/metrics`);
  expect(metrics.status).toBe(404);
  expect(await metrics.text()).not.toContain("muster_");
  await alone.stop();
});

it("one that stops ends by itself, though a worker's socket is open", async () => {
  const short = await startRouter(configOf({ ...LEAST, router: { drainSeconds: 1 } }), around);
  const worker = await startWorker({
    url: short.url,
    token: workerToken(KEY, SECRET),
    register: { agentName: "short" },
  });
  const startedAtMs = performance.now();
  short.quit();
  expect(await short.exited).toBe(0);
  expect(performance.now() - startedAtMs).toBeGreaterThan(800);
  await worker.client.closed();
  await worker.close();
  await short.stop();
});

it.each([
  ["default", "default"],
  ["every option", "all-options"],
  ["a livekit-server elsewhere", { ...LEAST, livekit: { url: "wss://livekit.example.com" } }],
  ["a livekit-server by http", { ...LEAST, livekit: { url: "ws://livekit.example.com:7880/" } }],
])("nginx takes the configuration: %s", async (_name, values) => {
  const config = configOf(values);
  if (typeof values === "object" && "livekit" in values)
    expect(config).toMatch(/set \$livekit https?:\/\/livekit\.example\.com(:7880)?;\n/);
  const { errors } = await checkConfig(config, around);
  expect(errors).toContain("test is successful");
  expect(errors).not.toMatch(/\[(emerg|error|crit|alert)\]/);
});
