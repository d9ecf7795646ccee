import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resetSocket } from "./flaky-proxy/reset-socket.js";
import { type FlakyProxy, startFlakyProxy } from "./flaky-proxy.js";
import { type RedisServer, startRedis } from "./redis-server.js";
import { waitUntil } from "./wait-until.js";

const silent = createLog({ level: "silent", service: "test" });
const cleanups: (() => unknown)[] = [];
let redis: RedisServer;
let direct: RedisClient;
let proxy: FlakyProxy;

beforeAll(async () => {
  redis = await startRedis();
  direct = redis.client();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.flush();
  proxy = await startFlakyProxy({ target: { host: "127.0.0.1", port: redis.port } });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await proxy.stop();
});

/** A client through the proxy that has answered once, so that its own commands are over. */
async function proxied(): Promise<RedisClient> {
  const client = connectRedis({ url: proxy.url, name: "proxied", log: silent });
  cleanups.push(() => closeRedis(client));
  await client.ping();
  return client;
}

interface Raw {
  socket: Socket;
  received(): string;
  ended: Promise<string>;
}

/** A bare socket through the proxy; `ended` says how it came to an end. */
async function raw(): Promise<Raw> {
  const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
  cleanups.push(() => socket.destroy());
  let received = "";
  socket.on("data", (data) => {
    received += String(data);
  });
  const ended = new Promise<string>((resolve) => {
    socket.once("end", () => resolve("fin"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
  await once(socket, "connect");
  socket.write("PING\r\n");
  await waitUntil("Redis answers through the proxy", () => received === "+PONG\r\n");
  received = "";
  return { socket, received: () => received, ended };
}

/** The proxy runs on our event loop: two round trips on, it has read what was written before. */
async function untilRead(): Promise<void> {
  await direct.ping();
  await direct.ping();
}

const clientList = async () => String(await direct.client("LIST"));

test("with no fault it carries what it is given, large values and pipelines too", async () => {
  const client = await proxied();
  const large = "x".repeat(3_000_000);
  await client.set("muster:large", large);
  expect(await client.get("muster:large")).toBe(large);
  const pipeline = client.pipeline();
  for (let i = 0; i < 1_000; i++) pipeline.incr("muster:n");
  const replies = await pipeline.exec();
  expect(replies?.map(([, reply]) => reply)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
  expect(proxy.counts.byName).toMatchObject({ PING: 1, SET: 1, GET: 1, INCR: 1_000 });
  expect(proxy.counts).toMatchObject({ connections: 1, swallowedBytes: 0 });
});

describe("delay", () => {
  test("holds each direction, so a round trip takes twice as long", async () => {
    const client = await proxied();
    proxy.delay(40);
    const startedAt = performance.now();
    await client.ping();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(80);
  });

  test("without end holds what is in flight until pass(), which delivers it in order", async () => {
    const { socket, received } = await raw();
    proxy.delay(Number.POSITIVE_INFINITY);
    const before = proxy.counts.commands;
    socket.write("RPUSH muster:l a\r\n");
    socket.write("RPUSH muster:l b\r\n");
    await untilRead();
    expect(proxy.counts.commands).toBe(before);
    proxy.pass();
    await waitUntil("both replies came", () => received() === ":1\r\n:2\r\n");
    expect(await direct.lrange("muster:l", 0, -1)).toEqual(["a", "b"]);
  });

  test("keeps the commands of a client that is gone, and they arrive late", async () => {
    const { socket } = await raw();
    proxy.delay(Number.POSITIVE_INFINITY);
    socket.write("SET muster:k late\r\n");
    await untilRead();
    resetSocket(socket);
    await untilRead();
    expect(await direct.get("muster:k")).toBeNull();
    proxy.pass();
    await waitUntil("the late command arrived", async () => (await direct.get("muster:k")) === "late");
  });
});

test("drop swallows what is sent while the connection stays open; pass() resets what lost something", async () => {
  const harmed = await raw();
  const idle = await raw();
  proxy.drop();
  harmed.socket.write("SET muster:k lost\r\n");
  await waitUntil("the command was swallowed", () => proxy.counts.swallowedBytes === 19);
  expect(harmed.socket.readyState).toBe("open");
  proxy.pass();
  expect(await harmed.ended).toBe("ECONNRESET");
  expect(await direct.get("muster:k")).toBeNull();
  idle.socket.write("PING\r\n");
  await waitUntil("the idle one goes on", () => idle.received() === "+PONG\r\n");
});

test("drop takes what delay holds, and new connections get no answer either", async () => {
  const { socket } = await raw();
  proxy.delay(Number.POSITIVE_INFINITY);
  socket.write("SET muster:k lost\r\n");
  await untilRead();
  proxy.drop();
  await waitUntil("what was held is swallowed", () => proxy.counts.swallowedBytes === 19);
  const client = connectRedis({ url: proxy.url, name: "late", log: silent });
  cleanups.push(() => closeRedis(client));
  const reply = client.incr("muster:n");
  await waitUntil("its first words are swallowed", () => proxy.counts.swallowedBytes > 19);
  expect(proxy.counts.connections).toBe(2);
  proxy.pass();
  expect(await reply).toBe(1);
  expect(await direct.get("muster:k")).toBeNull();
});

test("cut resets every connection there is, and a client comes back on a new one", async () => {
  const client = await proxied();
  const { ended } = await raw();
  proxy.cut();
  expect(await ended).toBe("ECONNRESET");
  expect(await client.incr("muster:n")).toBe(1);
  expect(proxy.counts.connections).toBe(3);
});

test("cut does not wait for a client that does not read", async () => {
  await direct.set("muster:large", "x".repeat(20_000_000));
  const { socket, received, ended } = await raw();
  socket.pause();
  socket.write("GET muster:large\r\n");
  // Everything on the way is full, the proxy's own buffer too.
  await waitUntil("Redis cannot get rid of it", async () => / omem=[1-9]/.test(await clientList()));
  proxy.cut();
  await waitUntil("Redis is rid of the client", async () => !(await clientList()).includes("cmd=get"));
  socket.resume();
  // A socket that finds a reset behind data may tell it as an end.
  expect(await ended).toMatch(/^(fin|ECONNRESET)$/);
  expect(received().length).toBeLessThan(20_000_000);
});

test("refuse turns new connections away and leaves the others; accept lets them in", async () => {
  const client = await proxied();
  proxy.refuse();
  const socket = connect(proxy.port, "127.0.0.1");
  const [error] = await once(socket, "error");
  expect(error).toMatchObject({ code: "ECONNREFUSED" });
  expect(await client.incr("muster:n")).toBe(1);
  await proxy.accept();
  expect(await (await proxied()).incr("muster:n")).toBe(2);
});

describe("halfClose", () => {
  test("to the client: the command is executed and its reply does not come", async () => {
    const { socket, received, ended } = await raw();
    proxy.halfClose("to-client", "swallow");
    socket.write("INCR muster:n\r\n");
    await waitUntil("the reply was swallowed", () => proxy.counts.swallowedBytes === 4);
    expect(await direct.get("muster:n")).toBe("1");
    expect([received(), socket.readyState]).toEqual(["", "open"]);
    proxy.pass();
    expect(await ended).toBe("ECONNRESET");
  });

  test("to Redis: nothing arrives, while what Redis sends still does", async () => {
    const { socket, received } = await raw();
    socket.write("BLPOP muster:l 0\r\n");
    await waitUntil("it blocks", async () =>
      String(await direct.info("clients")).includes("blocked_clients:1"),
    );
    proxy.halfClose("to-redis", "swallow");
    socket.write("SET muster:k lost\r\n");
    await waitUntil("the command was swallowed", () => proxy.counts.swallowedBytes === 19);
    await direct.rpush("muster:l", "a");
    await waitUntil("the reply came", () => received().endsWith("a\r\n"));
    expect(await direct.get("muster:k")).toBeNull();
  });

  test("by FIN: the client sees an end, and what it still sends is executed", async () => {
    const { socket, ended } = await raw();
    proxy.halfClose("to-client", "fin");
    expect(await ended).toBe("fin");
    socket.write("SET muster:k sent\r\n");
    await waitUntil("it was executed", async () => (await direct.get("muster:k")) === "sent");
  });

  test("by FIN to Redis: Redis closes, and the client hears of it", async () => {
    const { ended } = await raw();
    proxy.halfClose("to-redis", "fin");
    expect(await ended).toBe("fin");
  });
});

test("stop leaves no connection at Redis, and nobody listens", async () => {
  const { ended } = await raw();
  await proxy.stop();
  expect(await ended).toBe("ECONNRESET");
  await waitUntil(
    "Redis has only our own connection",
    async () => String(await direct.info("clients")).match(/connected_clients:(\d+)/)?.[1] === "1",
  );
  const [error] = await once(connect(proxy.port, "127.0.0.1"), "error");
  expect(error).toMatchObject({ code: "ECONNREFUSED" });
});
