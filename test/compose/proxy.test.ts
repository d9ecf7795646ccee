/**
 * The compose file's way in, run for real: its nginx before two gateways, a dispatcher and an api as processes, and behind
 * them LiveKit: a real one where it is at hand, else our stand-in. What goes where, and what a gateway that
 * dies behind the proxy costs. The worker is the compose file's example agent, on the stock Node SDK.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { AccessToken, AgentDispatchClient, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { adminToken, workerToken } from "../kit/access-tokens.js";
import { type LivekitStandIn, startLivekitStandIn } from "../kit/livekit-stand-in.js";
import { startNameServer } from "../kit/name-server.js";
import { freePort } from "../kit/ports.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { type SimulatedWorker, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "../livekit/livekit-server.js";
import { folder } from "./compose-file.js";
import { checkShipped, startProxy, startProxyByNames, type WayIn, whyNoProxy } from "./proxy.js";

const KEY = { apiKey: "proxy-key", apiSecret: "proxy-secret-that-is-long-enough-for-hs256" };
const { apiKey, apiSecret } = KEY;
/** An SDK takes seconds to start, more on a busy machine. */
const SDK_MS = 60_000;
const JOBS = 4;
/** Over which a gateway that drains closes its sockets. */
const LEAVING_MS = 2_000;

const why = whyNoProxy();
if (why !== undefined) process.stdout.write(`SKIPPED: the proxy is not run: ${why}\n`);

let redis: RedisServer;
let gateways: ServiceProcess[];
let api: ServiceProcess;
let proxy: WayIn;
let standIn: LivekitStandIn | undefined;
let livekit: LivekitServer | undefined;
const started: { stop(): Promise<unknown> }[] = [];
const keep = <T extends { stop(): Promise<unknown> }>(one: T): T => {
  started.unshift(one);
  return one;
};

async function startLivekit(webhookUrl: string): Promise<string> {
  if (LIVEKIT_SERVER_BIN !== "") {
    const server = await startLivekitServer({ ...KEY, redis, webhookUrl });
    livekit = server;
    keep({ stop: () => server.kill() });
    return server.url;
  }
  const rtc = new WebSocketServer({ noServer: true });
  standIn = keep(
    await startLivekitStandIn({
      ...KEY,
      webhookUrl,
      upgrade: (request, socket, head) =>
        rtc.handleUpgrade(request, socket, head, (open) => open.send(`you asked for ${request.url}`)),
    }),
  );
  return standIn.url;
}

const addressOf = (url: string) => new URL(url).host;

beforeAll(async () => {
  if (why !== undefined) return;
  redis = keep(await startRedis());
  const apiPort = await freePort();
  const livekitUrl = await startLivekit(`http://127.0.0.1:${apiPort}/webhook`);
  const env = {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${apiKey}: ${apiSecret}`,
    MUSTER_LIVEKIT_URL: livekitUrl,
    MUSTER_DRAIN_MS: "100",
    MUSTER_TRUSTED_PROXIES: "127.0.0.1",
  };
  const start = async (name: "gateway" | "dispatcher" | "api", more = {}) =>
    keep(await startService(name, { ...env, ...more }));
  const [first, second, leaving, , last] = await Promise.all([
    start("gateway"),
    start("gateway"),
    start("gateway", { MUSTER_DRAIN_MS: String(LEAVING_MS) }),
    start("dispatcher"),
    start("api", { MUSTER_PORT: String(apiPort) }),
  ]);
  gateways = [first, second, leaving];
  api = last;
  proxy = keep(
    await startProxy({
      gateway: gateways.map(({ url }) => addressOf(url)),
      api: [addressOf(api.url)],
      livekit: [addressOf(livekitUrl)],
    }),
  );
});
beforeEach(({ skip, onTestFailed }) => {
  if (why !== undefined) skip(why);
  onTestFailed(() => void process.stdout.write(`${proxy?.output()}\n${api?.output().slice(-3_000)}\n`));
});
afterAll(async () => {
  for (const one of started) await one.stop();
});

const dispatches = () => new AgentDispatchClient(proxy.url, apiKey, apiSecret);
const rooms = () => new RoomServiceClient(proxy.url, apiKey, apiSecret);
const authorization = () => `Bearer ${adminToken(apiKey, apiSecret)}`;

describe("the proxy", { timeout: 2 * SDK_MS }, () => {
  it("takes its configuration as it is shipped", () => {
    expect(() => checkShipped()).not.toThrow();
  });

  it("an agent that knows its url alone registers, takes its job, and asks LiveKit of its room", async () => {
    const agent = spawn(process.execPath, [`${folder}agent/agent.mjs`, "start"], {
      env: {
        ...process.env,
        LIVEKIT_URL: proxy.url.replace("http", "ws"),
        LIVEKIT_API_KEY: apiKey,
        LIVEKIT_API_SECRET: apiSecret,
        AGENT_HOST: "127.0.0.1",
        AGENT_PORT: String(await freePort()),
      },
      stdio: ["ignore", "pipe", "pipe"],
      // The SDK's own children end with it.
      detached: true,
    });
    let output = "";
    for (const stream of [agent.stdout, agent.stderr])
      stream.on("data", (chunk) => (output += String(chunk)));
    onTestFinished(() => endGroup(agent));
    const { id } = await dispatches().createDispatch("room-agent", "example", { metadata: "by the proxy" });
    await waitUntil(
      "it has asked LiveKit",
      () => /LiveKit knows \d+ participants of room-agent/.test(output),
      {
        deadlineMs: SDK_MS,
      },
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${output}`);
    });
    expect(output).toMatch(/job AJ_\S+ for room room-agent: by the proxy/);
    const [dispatch] = await dispatches().listDispatch("room-agent");
    expect(dispatch?.id).toBe(id);
    if (livekit !== undefined)
      await waitUntil("it is in its room", () => output.includes("in the room as"), { deadlineMs: SDK_MS });
  });

  it("leads calls of LiveKit's own API to LiveKit, and says who asks", async () => {
    await rooms().createRoom({ name: "room-asked" });
    expect((await rooms().listRooms(["room-asked"])).map(({ name }) => name)).toEqual(["room-asked"]);
    const asked = standIn?.calls.findLast(({ method }) => method === "ListRooms");
    if (standIn !== undefined) expect(asked?.headers["x-forwarded-for"]).toBe("127.0.0.1");
    expect(await (await fetch(proxy.url)).text()).toBe("OK");
  });

  it("leads /rtc to LiveKit as a WebSocket", async () => {
    const token = new AccessToken(apiKey, apiSecret, { identity: "visitor" });
    token.addGrant({ roomJoin: true, room: "room-asked" });
    const url = `${proxy.url.replace("http", "ws")}/rtc?access_token=${await token.toJwt()}&protocol=15`;
    const socket = new WebSocket(url);
    onTestFinished(() => socket.terminate());
    const [data] = (await once(socket, "message")) as [Buffer];
    // A real one says who is in the room.
    const said = livekit === undefined ? /^you asked for \/rtc\?access_token=/ : /room-asked/;
    expect(data.toString("latin1")).toMatch(said);
  });

  it("leads LiveKit's webhooks to Muster", async () => {
    const answer = await fetch(`${proxy.url}/webhook`, { method: "POST", body: "{}" });
    expect(answer.status).toBe(401);
    expect(await answer.text()).not.toContain("404");
    if (standIn === undefined) return;
    await standIn.webhooksSettled();
    expect(await standIn.deliver(standIn.events.slice(-1), `${proxy.url}/webhook`)).toEqual([200]);
  });

  it("passes events on as they happen", async () => {
    const stream = await fetch(`${proxy.url}/v1/events`, { headers: { authorization: authorization() } });
    const reader = stream.body?.getReader();
    if (reader === undefined) throw new Error("no body");
    onTestFinished(() => reader.cancel());
    let heard = "";
    void (async () => {
      for (let part = await reader.read(); !part.done; part = await reader.read())
        heard += Buffer.from(part.value).toString();
    })().catch(() => {});
    // Who made an order a moment before it was opened believes for a second that nobody listens.
    await waitUntil(
      "an order is heard of",
      async () => {
        await dispatches().createDispatch("room-heard", "nobody");
        return heard.includes("room-heard");
      },
      { everyMs: 250 },
    );
  });

  it("lets Muster know where a worker really is", async () => {
    const worker = await startWorker({
      ...{ url: proxy.url, token: workerToken(apiKey, apiSecret), register: { agentName: "far" } },
      forwardedFor: "203.0.113.9",
    });
    onTestFinished(() => worker.close());
    await waitUntil("it is listed with its address", async () => {
      const answer = await fetch(`${proxy.url}/v1/workers`, { headers: { authorization: authorization() } });
      const { workers } = (await answer.json()) as { workers: { id: string; client_ip: string }[] };
      return workers.find(({ id }) => id === worker.id)?.client_ip === "203.0.113.9";
    });
  });

  it("a gateway that drains behind it is noticed by nobody who dials", async () => {
    const leaving = gateways[2];
    if (leaving === undefined) throw new Error("unreachable");
    const dial = (url: string) =>
      startWorker({ url, token: workerToken(apiKey, apiSecret), register: { agentName: "leaving" } });
    const held = await Promise.all(Array.from({ length: 2 * JOBS }, () => dial(leaving.url)));
    onTestFinished(async () => {
      for (const worker of held) await worker.close();
    });
    const left = leaving.stop();
    await waitUntil("it is not ready", async () => (await fetch(`${leaving.url}/readyz`)).status === 503);
    // Each of them is led to it in its turn, and refused there.
    for (let dialled = 0; dialled < 2 * gateways.length; dialled++) await (await dial(proxy.url)).close();
    expect(held.some(({ client }) => client.isOpen)).toBe(true);
    expect(await left).toBe(0);
  });

  it("a gateway that is killed behind it costs no job, and no worker notices more than its socket", async () => {
    const starts: string[] = [];
    const workers = await Promise.all(Array.from({ length: JOBS }, () => startReturning(starts)));
    onTestFinished(async () => {
      for (const worker of workers) await worker.close();
    });
    for (let index = 0; index < JOBS; index++)
      await dispatches().createDispatch(`room-kept-${index}`, "returning");
    const held = () => workers.flatMap(({ running }) => [...running.keys()]).sort();
    await waitUntil("all jobs run", () => held().length === JOBS);
    const before = held();
    const sessions = workers.map(({ id }) => id);

    const [victim] = gateways;
    await victim?.kill();
    await waitUntil("those who were there are back elsewhere", () =>
      workers.some(({ id }, at) => id !== sessions[at] && id !== ""),
    );
    await dispatches().createDispatch("room-after", "returning");
    await waitUntil("work goes on", () => held().length === JOBS + 1, { deadlineMs: 15_000 });
    const states = async () =>
      Promise.all(before.map((_, index) => dispatches().listDispatch(`room-kept-${index}`))).then((lists) =>
        lists.map(([dispatch]) => dispatch?.state?.jobs[0]?.state?.workerId),
      );
    await waitUntil(
      "each job is with the session of today",
      async () => (await states()).every((id) => workers.some((worker) => worker.id === id)),
      { deadlineMs: 15_000 },
    );
    // Nobody was asked to begin anew.
    expect(held()).toEqual(expect.arrayContaining(before));
    expect(new Set(starts).size).toBe(starts.length);
    expect(starts).toHaveLength(JOBS + 1);
  });
});

describe("the proxy by names", () => {
  it("starts before they are known, and finds them when they are", async ({ onTestFailed }) => {
    const names = await startNameServer();
    onTestFinished(() => names.stop());
    const livekitPort = Number(new URL((livekit ?? standIn)?.url ?? "").port);
    const ports = { gateway: gateways[1]?.port ?? 0, api: api.port, livekit: livekitPort };
    const byNames = await startProxyByNames(names.address, ports);
    onTestFailed(() => void process.stdout.write(byNames.output()));
    onTestFinished(() => byNames.stop());
    expect((await fetch(byNames.url)).status).toBe(502);
    for (const name of ["gateway", "api", "livekit"]) names.known.add(name);
    await waitUntil("LiveKit answers", async () => (await (await fetch(byNames.url)).text()) === "OK", {
      deadlineMs: 10_000,
      everyMs: 100,
    });
    const worker = await startWorker({ url: byNames.url, token: workerToken(apiKey, apiSecret) });
    await worker.close();
    const answer = await fetch(`${byNames.url}/v1/workers`, { headers: { authorization: authorization() } });
    expect(answer.status).toBe(200);
  });
});

function startReturning(starts: string[]): Promise<SimulatedWorker> {
  return startWorker({
    ...{ url: proxy.url, token: workerToken(apiKey, apiSecret), register: { agentName: "returning" } },
    ...{ reconnects: "python", reports: true, sampleEveryMs: 200, redialMs: [0, 100, 200, 400, 800] },
    watch: {
      registered: () => {},
      lost: () => {},
      offered: () => {},
      started: ({ room }) => void starts.push(room),
      over: () => {},
    },
  });
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  const exited = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await exited;
}
