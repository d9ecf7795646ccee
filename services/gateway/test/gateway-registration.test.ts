import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, expect, it } from "vitest";
import {
  agentToken,
  bench,
  cleanUp,
  OTHER_KEY,
  OTHER_SECRET,
  recordingLog,
  stopRedis,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

it("answers with an id and what a livekit-server says of itself, once the ledger has the session", async () => {
  const { start, worker, dispatcher, field, client, namespace } = await bench();
  const gateway = await start({ policy: { region: "eu" } });
  const connected = await worker(gateway, {
    token: agentToken({ apiKey: OTHER_KEY, apiSecret: OTHER_SECRET }),
  });
  const { workerId, serverInfo } = await connected.register({
    agentName: "agent",
    type: 1,
    version: "1.9.0",
    deployment: "blue",
    namespace: field,
  });

  expect(serverInfo).toMatchObject({
    edition: 0,
    protocol: 17,
    agentProtocol: 1,
    region: "eu",
    version: "0.0.0-test",
    nodeId: gateway.nodeId,
  });
  expect(await dispatcher.session(workerId)).toMatchObject({
    id: workerId,
    gateway: gateway.nodeId,
    agent: "agent",
    type: "publisher",
    deployment: "blue",
    version: "1.9.0",
    api_key: OTHER_KEY,
    client_ip: "127.0.0.1",
    permissions: "",
    status: "available",
    pool: "publisher/agent/blue",
  });
  expect(await client.smembers("muster:{directory:default}:agent:agent")).toContain(namespace);
});

it("registers without a namespace in the project's own", async () => {
  const { start, worker, client } = await bench();
  const gateway = await start();
  const first = await worker(gateway);
  const second = await worker(gateway);
  await first.register({ agentName: "plain" });
  await second.register({ agentName: "plain", namespace: "" });
  expect((await client.zrange("muster:{default}:sessions", "0", "-1")).sort()).toEqual(
    [first.id, second.id].sort(),
  );
  expect(await client.smembers("muster:{directory:default}:agent:plain")).toEqual(["default"]);
  await first.close();
  await second.close();
  await waitUntil("both are gone", async () => (await client.zcard("muster:{default}:sessions")) === 0);
});

it("lists a namespace at rest in the due index before it wakes it", async () => {
  const { start, registered, client, ledger, namespace } = await bench();
  const gateway = await start();
  const first = await registered(gateway);
  await first.close();
  await waitUntil(
    "the namespace may rest",
    async () => (await ledger.rest({ namespace, listenMs: 0 })).status === "resting",
  );
  const scoreOf = async () => {
    const scores: (string | null)[] = [];
    for (let bucket = 0; bucket < 16; bucket++)
      scores.push(await client.zscore(`muster:{index:${bucket}}:due`, namespace));
    return scores.find((score) => score !== null);
  };
  const before = await scoreOf();
  const second = await registered(gateway);
  expect(second.id).toMatch(/^AW_/);
  expect(await scoreOf()).not.toBe(before);
  expect(await scoreOf()).toBeDefined();
});

it("remembers an agent with one call for many workers", async () => {
  const { start, registered, client } = await bench();
  const gateway = await start();
  await client.config("RESETSTAT");
  for (let worker = 0; worker < 6; worker++) await registered(gateway, "popular");
  const [, calls] = /cmdstat_sadd:calls=(\d+)/.exec(await client.info("commandstats")) ?? [];
  // One in the gateway's sessions for each, and one in the directory for all.
  expect(Number(calls)).toBe(6 + 1);
});

it("tells a namespace that knows the agent of another one, before the worker has its answer", async () => {
  const { start, worker, field, client } = await bench();
  const gateway = await start();
  const markOf = (namespace: string) => client.hget(`muster:{${namespace}}:index`, "agents_at");
  const register = async (namespace: string) => {
    const connected = await worker(gateway);
    await connected.register({ agentName: "roaming", namespace });
  };
  await register(field);
  expect(await markOf(`default:${field}`)).toBeNull();
  await register(`${field}-2`);
  expect(Number(await markOf(`default:${field}`))).toBeGreaterThan(0);
  expect(await markOf(`default:${field}-2`)).toBeNull();
});

it("answers a JSON worker in JSON", async () => {
  const { start, worker, field } = await bench();
  const gateway = await start();
  const connected = await worker(gateway, { json: true });
  const { workerId, serverInfo } = await connected.register({ agentName: "json", namespace: field });
  expect(workerId).toBe(connected.id);
  expect(serverInfo?.protocol).toBe(17);
  expect((await connected.ping(1234567890123n)).lastTimestamp).toBe(1234567890123n);
});

it("lets a worker wait while Redis is away, and registers it when it is back", async () => {
  const { start, worker, field, redis, dispatcher } = await bench();
  const gateway = await start();
  const connected = await worker(gateway);
  redis.freeze();
  connected.send({ case: "register", value: { agentName: "agent", namespace: field } });
  await connected.ping();
  expect(connected.count("register")).toBe(0);
  redis.thaw();
  const { workerId } = await connected.next("register");
  expect((await dispatcher.session(workerId)).id).toBe(workerId);
});

it("closes with 1013 when Redis stays away, and leaves no session behind", async () => {
  const { start, worker, field, redis, dump } = await bench();
  const gateway = await start({ policy: { registerTimeoutMs: 300 } });
  const connected = await worker(gateway);
  redis.freeze();
  connected.send({ case: "register", value: { agentName: "agent", namespace: field } });
  const closed = await connected.closed();
  redis.thaw();
  expect(closed).toMatchObject({ code: 1013, reason: "cannot be registered now; try again" });
  // The write may have been on its way: it is taken back.
  await waitUntil("no session is left", async () => {
    const seen = await dump();
    return Object.keys(seen).every((key) => !key.includes(":session"));
  });
});

it("logs no token and nothing that a worker says of its participants", async () => {
  const { start, registered, dispatcher } = await bench();
  const { log, text } = recordingLog();
  const gateway = await start({ log });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order({
    metadata: "secret-metadata",
    attributes: { a: "secret-attribute" },
  });
  await dispatcher.offer(job);
  const { job: offered } = await worker.next("availability");
  worker.accept(offered?.id ?? "", { participantName: "secret-name", participantMetadata: "secret-own" });
  const { token } = await worker.next("assignment");
  await waitUntil("the assignment was logged", () => text().includes("job assigned"));
  expect(token.length).toBeGreaterThan(100);
  expect(text()).not.toContain(token);
  expect(text()).not.toContain("secret-");
  expect(text()).not.toMatch(/eyJ/);
});
