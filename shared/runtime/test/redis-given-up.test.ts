/**
 * A client that ioredis gave up. A Sentinel whose answers make no sense does that: here a TCP server that speaks Redis's
 * protocol, first nonsense, then the truth.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, expect, test } from "vitest";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
/** In the place of a port. */
const NONSENSE = "none";

/** Answers each command; `master` undefined: with nonsense. */
async function fakeSentinel() {
  const state = { master: undefined as number | undefined, asked: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (const command of String(bytes)
        .toLowerCase()
        .split(/\*\d+\r\n/)
        .slice(1)) {
        if (!command.includes("sentinel")) socket.write("+OK\r\n");
        else if (command.includes("get-master-addr")) {
          state.asked += 1;
          socket.write(`*2\r\n${bulk("127.0.0.1")}${bulk(String(state.master ?? NONSENSE))}`);
        } else socket.write("*0\r\n");
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { state, url: `redis+sentinel://127.0.0.1:${port}/muster` };
}

async function server(): Promise<RedisServer> {
  const redis = await startRedis();
  ends.push(() => redis.stop());
  return redis;
}

function logged() {
  const lines: { level: string; msg: string }[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  return { lines, log: createLog({ level: "info", service: "test", destination }) };
}

test.each([
  ["commands", false],
  ["blocked reads", true],
])(
  "one for %s works again as soon as the Sentinel does, and says once that it gave up",
  async (_, blocking) => {
    const redis = await server();
    const sentinel = await fakeSentinel();
    const { lines, log } = logged();
    const client = connectRedis({ url: sentinel.url, name: "given-up", log, blocking });
    ends.push(() => closeRedis(client));
    await waitUntil("it was begun anew, twice", () => sentinel.state.asked >= 3, { deadlineMs: 10_000 });
    sentinel.state.master = redis.port;
    await waitUntil("it is ready", () => client.status === "ready", { deadlineMs: 10_000 });
    expect(await client.set("muster:k", "v")).toBe("OK");
    expect(lines.filter(({ msg }) => msg.startsWith("redis client gave up"))).toHaveLength(1);
  },
);

test("one that was closed stays closed", async () => {
  const sentinel = await fakeSentinel();
  const { log } = logged();
  const client = connectRedis({ url: sentinel.url, name: "closed", log });
  await waitUntil("it gave up", () => client.status === "end", { deadlineMs: 10_000 });
  await closeRedis(client);
  const { asked } = sentinel.state;
  const closedAtMs = performance.now();
  await waitUntil("its next beginning would be over", () => performance.now() - closedAtMs > 1_200);
  expect(sentinel.state.asked).toBe(asked);
  expect(client.status).toBe("end");
});
