import { once } from "node:events";
import { connect } from "node:net";
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FlakyProxy, startFlakyProxy } from "../flaky-proxy.js";
import { type RedisServer, startRedis } from "../redis-server.js";
import { waitUntil } from "../wait-until.js";

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

async function proxied(): Promise<RedisClient> {
  const client = connectRedis({ url: proxy.url, name: "proxied", log: silent });
  cleanups.push(() => closeRedis(client));
  await client.ping();
  return client;
}

async function raw() {
  const socket = connect(proxy.port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  await once(socket, "connect");
  let received = "";
  socket.on("data", (data) => {
    received += String(data);
  });
  const ended = new Promise<unknown>((resolve) => {
    socket.once("end", () => resolve("fin"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  return { socket, ended, received: () => received };
}

const incr = "*2\r\n$4\r\nINCR\r\n$8\r\nmuster:n\r\n";

describe("after commands", () => {
  test.each([1, 4, 10])("cut in a pipeline of ten: Redis executes the first %i, no more", async (n) => {
    const { socket, ended } = await raw();
    const trigger = proxy.afterCommands(n, () => proxy.cut());
    socket.write(incr.repeat(10));
    await trigger.fired;
    expect(await ended).toBe("ECONNRESET");
    await waitUntil("they were executed", async () => (await direct.get("muster:n")) === String(n));
    // The connection is gone from Redis, so nothing can follow.
    await waitUntil(
      "Redis saw the end",
      async () => !String(await direct.client("LIST")).includes("cmd=incr"),
    );
    expect(await direct.get("muster:n")).toBe(String(n));
    expect(proxy.counts).toMatchObject({ commands: n, byName: { INCR: n } });
  });

  test("a pipeline that is split in the middle of a frame is counted right", async () => {
    const { socket, received } = await raw();
    const reached: number[] = [];
    for (const n of [1, 2, 3]) proxy.afterCommands(n, () => reached.push(n));
    const stream = incr.repeat(3);
    // After the first command and a half: the second one's length is cut in two.
    const at = incr.length + 6;
    socket.write(stream.slice(0, at));
    await waitUntil("one reply came", () => received() === ":1\r\n");
    expect([reached, proxy.counts.commands]).toEqual([[1], 1]);
    socket.write(stream.slice(at));
    await waitUntil("all replies came", () => received() === ":1\r\n:2\r\n:3\r\n");
    expect([reached, proxy.counts.commands]).toEqual([[1, 2, 3], 3]);
  });

  test("only those that match count, on any connection", async () => {
    const [first, second] = [await proxied(), await proxied()];
    const trigger = proxy.afterCommands(2, () => {}, "evalsha");
    const script = (await direct.script("LOAD", "return redis.call('incr', KEYS[1])")) as string;
    const bySha = proxy.afterCommands(
      2,
      () => {},
      ({ name, firstArgument }) => name === "EVALSHA" && firstArgument === script,
    );
    await first.evalsha(script, 1, "muster:n");
    await first.set("muster:k", "v");
    expect([trigger.hasFired, bySha.hasFired]).toEqual([false, false]);
    await second.evalsha(script, 1, "muster:n");
    await Promise.all([trigger.fired, bySha.fired]);
    expect([trigger.hasFired, bySha.hasFired]).toEqual([true, true]);
  });

  test("one that is cancelled does not act; one that never came about fails with the proxy's stop", async () => {
    const client = await proxied();
    const cancelled = proxy.afterCommands(1, () => proxy.cut());
    const unreached = proxy.afterCommands(5, () => {}, "DEL");
    cancelled.cancel();
    await client.ping();
    expect(proxy.counts.connections).toBe(1);
    await proxy.stop();
    await expect(unreached.fired).rejects.toThrow("the proxy stopped 5 commands before this fired");
    expect(cancelled.hasFired).toBe(false);
  });

  test("refuses a count that is none", () => {
    expect(() => proxy.afterCommands(0, () => {})).toThrow("n must be a whole number from 1, not 0");
  });
});

test("after bytes to Redis: exactly those arrive, and a command cut short is not executed", async () => {
  const { socket } = await raw();
  const trigger = proxy.dropAfterBytes(incr.length * 2 - 1, "to-redis");
  socket.write(incr.repeat(2));
  await trigger.fired;
  await waitUntil("the first was executed", async () => (await direct.get("muster:n")) === "1");
  await waitUntil(
    "one byte of the requests and the reply were dropped",
    () => proxy.counts.swallowedBytes === 5,
  );
  expect(proxy.counts.commands).toBe(1);
  expect(await direct.get("muster:n")).toBe("1");
});

test("after bytes to the client: it gets half a reply", async () => {
  const { socket, received, ended } = await raw();
  proxy.afterBytes(2, "to-client", () => proxy.halfClose("to-client", "swallow"));
  socket.write(incr);
  await waitUntil("the rest was swallowed", () => proxy.counts.swallowedBytes === 2);
  await waitUntil("the half came", () => received() === ":1");
  proxy.pass();
  expect(await ended).toBe("ECONNRESET");
});

describe("a lost reply", () => {
  test("belongs to a command that was executed: a client that sends it again executes it twice", async () => {
    const client = await proxied();
    const lost = proxy.replyLost(1, "INCR");
    proxy.refuse();
    const reply = client.incr("muster:n");
    await lost.fired;
    expect(await direct.get("muster:n")).toBe("1");
    await proxy.accept();
    expect(await reply).toBe(2);
  });

  test("in a pipeline: replies before it arrive, commands behind it do not reach Redis", async () => {
    const { socket, received, ended } = await raw();
    const lost = proxy.replyLost(3);
    socket.write(incr.repeat(5));
    await lost.fired;
    expect(await ended).toBe("fin");
    expect(received()).toBe(":1\r\n:2\r\n");
    expect(await direct.get("muster:n")).toBe("3");
    expect(proxy.counts.commands).toBe(3);
  });

  test("is its own also when replies before it are outstanding, of which one is long", async () => {
    const long = "x".repeat(1_000_000);
    await direct.rpush("muster:l", long, "last");
    const { socket, received, ended } = await raw();
    const lost = proxy.replyLost(1, "INCR");
    socket.write("LRANGE muster:l 0 -1\r\nGET muster:none\r\n");
    socket.write(incr);
    await lost.fired;
    expect(await ended).toBe("fin");
    expect(received()).toBe(`*2\r\n$1000000\r\n${long}\r\n$4\r\nlast\r\n$-1\r\n`);
    expect(await direct.get("muster:n")).toBe("1");
  });

  test("of a blocking command comes when Redis would have answered", async () => {
    const { socket, ended } = await raw();
    const lost = proxy.replyLost(1, "BLPOP");
    socket.write("BLPOP muster:l 0\r\n");
    await waitUntil("it blocks", async () =>
      String(await direct.info("clients")).includes("blocked_clients:1"),
    );
    expect(lost.hasFired).toBe(false);
    await direct.rpush("muster:l", "taken");
    await lost.fired;
    expect(await ended).toBe("fin");
    expect(await direct.llen("muster:l")).toBe(0);
  });
});
