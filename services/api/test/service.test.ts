/** The api as a service: its other paths, its settings, how it ends, and what it says while Redis is away. */

import { ConfigError, loadConfig } from "@muster/runtime/config";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiKeysFrom, apiSchema, orderPolicyFrom } from "../src/config.js";
import * as kit from "./kit.js";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

test("answers probes, and says in one line what is not here", async () => {
  const api = await kit.runApi(server);
  const get = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(api.url + path, init);
    return { status: answer.status, text: await answer.text() };
  };
  expect(await get("/")).toEqual({ status: 200, text: "OK" });
  expect((await get("/healthz")).status).toBe(200);
  await waitUntil("it is ready", async () => (await get("/readyz")).status === 200);
  expect((await get("/metrics")).text).toContain("muster_build_info");
  for (const path of ["/rtc", "/rtc/v1?join_request=x", "/rtc/validate"]) {
    expect(await get(path)).toEqual({
      status: 404,
      text: expect.stringMatching(/media does not.*MUSTER_WORKER_LIVEKIT_URL.* LIVEKIT_URL.*$/),
    });
  }
  expect(await get("/nothing", { method: "POST" })).toEqual({
    status: 404,
    text: "nothing is at POST /nothing; the REST API is described at /v1/openapi.json",
  });
  expect((await get("/v1/openapi.json")).status).toBe(200);
  await api.stop();
});

test("stopping: not ready first, what comes in is still answered, then the port is closed", async () => {
  const api = await kit.runApi(server, { drainMs: 400 });
  await waitUntil("it is ready", async () => (await fetch(`${api.url}/readyz`)).ok);
  const startedAt = performance.now();
  const stopped = api.stop();
  const notReady = await fetch(`${api.url}/readyz`);
  expect(notReady.status).toBe(503);
  expect(notReady.headers.get("connection")).toBe("close");
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  // Its body comes in two halves, the second only once the stop is under way.
  let finish = (): void => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const text = Buffer.from(JSON.stringify({ room: "room1", agent_name: "agent" }));
      controller.enqueue(text.subarray(0, 10));
      finish = () => {
        controller.enqueue(text.subarray(10));
        controller.close();
      };
    },
  });
  const answering = fetch(`${api.url}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${kit.adminOf("room1")}` },
    body,
    duplex: "half",
  } as RequestInit);
  await waitUntil(
    "the port takes no more",
    async () =>
      await fetch(api.url).then(
        () => false,
        () => true,
      ),
  );
  finish();
  const answer = await answering;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ room: "room1" });
  await stopped;
  // Nobody waits for the connections that clients keep.
  expect(performance.now() - startedAt).toBeLessThan(2_500);
});

test("while Redis is away, calls are answered as unavailable and nothing else breaks", async () => {
  const own = await startRedis({ appendOnly: true });
  const api = await kit.runApi(own);
  const create = () => api.twirp("CreateDispatch", { room: "room1" }, { "x-livekit-request-id": "request1" });
  expect((await create()).status).toBe(200);
  await own.kill();
  await waitUntil("it is not ready", async () => (await fetch(`${api.url}/readyz`)).status === 503);
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  const answer = await create();
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({
    code: "unavailable",
    msg: expect.stringContaining("repeat the call"),
  });
  await own.restart();
  await waitUntil("it takes calls again", async () => (await create()).status === 200, {
    deadlineMs: 15_000,
  });
  expect(
    (
      await api.ledger.listRecords({
        namespace: "default",
        list: "orders",
        kind: "order",
        offset: 0,
        limit: 9,
      })
    ).total,
  ).toBe(1);
  await api.stop();
  await own.stop();
}, 60_000);

test("settings: defaults, --dev, and every problem at once", () => {
  const load = (env: Record<string, string>, argv: string[] = []) =>
    loadConfig({ schema: apiSchema, env, argv, envPrefix: "MUSTER_", flags: ["dev"] });
  const config = load({
    MUSTER_REDIS_URL: "redis://127.0.0.1",
    MUSTER_KEYS: "key: secret",
    MUSTER_RETENTION_MS: "1h",
  });
  expect([...apiKeysFrom(config)]).toEqual([["key", "secret"]]);
  expect(orderPolicyFrom(config)).toMatchObject({
    retainMs: 3_600_000,
    waitMs: 3_600_000,
    guardMs: 3_000,
    stopMs: 20_000,
  });
  expect([...apiKeysFrom(load({ MUSTER_REDIS_URL: "redis://127.0.0.1" }, ["--dev"]))]).toEqual([
    ["devkey", "secret"],
  ]);
  const problems = (() => {
    try {
      load({ MUSTER_PORT: "0", MUSTER_WAIT_BOUND_MS: "x", MUSTER_KEYZ: "a: b" });
    } catch (error) {
      return error instanceof ConfigError ? error.problems : [];
    }
    return [];
  })();
  for (const name of [
    "MUSTER_REDIS_URL",
    "MUSTER_PORT",
    "MUSTER_WAIT_BOUND_MS",
    "MUSTER_KEYZ",
    "MUSTER_KEYS",
  ]) {
    expect(
      problems.filter((problem) => problem.startsWith(name)),
      name,
    ).toHaveLength(1);
  }
});
