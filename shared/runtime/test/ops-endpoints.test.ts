import { once } from "node:events";
import { createServer } from "node:net";
import { DispatchError } from "@muster/domain/errors";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { createOps, type ReadinessCheck } from "@muster/runtime/ops-http";
import { type HttpServer, serveHttp } from "@muster/runtime/serve-http";
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";

const log = createLog({ level: "silent", service: "test" });
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(fetch: (request: Request) => Response | Promise<Response>): Promise<HttpServer> {
  const server = await serveHttp({ host: "127.0.0.1", port: await freePort(), fetch, log });
  cleanups.push(server.close);
  return server;
}

async function ops(checks: Record<string, ReadinessCheck>) {
  const server = await serve(createOps({ checks, metrics: createMetrics({ service: "test" }) }).fetch);
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      body: await response.text(),
    };
  };
}

describe("the endpoints", () => {
  test("ready only while all checks pass, with the names of those that do not; alive in any case", async () => {
    const failing = {
      redis: () => Promise.reject(new Error("gone")),
      drain: () => false,
      lease: () => true,
    };
    const get = await ops(failing);
    expect(await get("/readyz")).toMatchObject({
      status: 503,
      body: JSON.stringify({ status: "not ready", failing: ["redis", "drain"] }),
    });
    expect(await get("/healthz")).toMatchObject({
      status: 200,
      body: JSON.stringify({ status: "ok", service: "test" }),
    });
    const passing = await ops({ lease: () => true });
    expect(await passing("/readyz")).toMatchObject({
      status: 200,
      body: JSON.stringify({ status: "ready" }),
    });
  });

  test("a check that hangs on a frozen Redis fails in time, and passes again", async () => {
    const redis: RedisServer = await startRedis();
    cleanups.push(redis.stop);
    const client = redis.client();
    const get = await ops({ redis: async () => (await client.ping()) === "PONG" });
    expect((await get("/readyz")).status).toBe(200);
    redis.freeze();
    cleanups.push(async () => redis.thaw());
    const startedAt = performance.now();
    expect(await get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining('"redis"') });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect((await get("/healthz")).status).toBe(200);
    redis.thaw();
    await waitUntil("it is ready again", async () => (await get("/readyz")).status === 200, {
      deadlineMs: 8_000,
    });
  });

  test("metrics in Prometheus' format", async () => {
    const get = await ops({});
    const { status, type, body } = await get("/metrics");
    expect({ status, type }).toEqual({
      status: 200,
      type: expect.stringContaining("text/plain; version=0.0.4"),
    });
    expect(body).toContain('muster_build_info{service="test"');
  });
});

describe("listening", () => {
  test("port 0 takes a free one, and closing refuses whoever comes then", async () => {
    const server = await serveHttp({ host: "127.0.0.1", port: 0, fetch: () => new Response("hi"), log });
    expect(server.port).toBeGreaterThan(0);
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe("hi");
    await server.close();
    await expect(fetch(`http://127.0.0.1:${server.port}/`)).rejects.toThrow("fetch failed");
  });

  test("a taken port is named, with the setting that moves it", async () => {
    const holder = createServer();
    const port = await freePort();
    holder.listen(port, "127.0.0.1");
    await once(holder, "listening");
    cleanups.push(() => new Promise((resolve) => holder.close(resolve)));
    const attempt = serveHttp({
      host: "127.0.0.1",
      port,
      fetch: () => new Response(),
      log,
      portSetting: "MUSTER_OPS_PORT",
    });
    await expect(attempt).rejects.toThrow(DispatchError);
    await expect(attempt).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken; set MUSTER_OPS_PORT to another`,
    );
  });

  test("an address that is not ours is named", async () => {
    const attempt = serveHttp({ host: "192.0.2.1", port: 0, fetch: () => new Response(), log });
    await expect(attempt).rejects.toThrow("192.0.2.1 is no address of this machine");
  });

  test("closing lets a request end that is being answered", async () => {
    let answer: (response: Response) => void = () => {};
    let isAsked = false;
    const server = await serve(() => {
      isAsked = true;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    const response = fetch(`http://127.0.0.1:${server.port}/`);
    await waitUntil("the request is in", () => isAsked);
    const closed = server.close();
    answer(new Response("late"));
    expect(await (await response).text()).toBe("late");
    await closed;
  });
});
