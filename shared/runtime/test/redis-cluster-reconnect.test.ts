/**
 * A Cluster connection that is cut or closed while the answer to a command is on its way, and that answer is a
 * redirection: it connects again, and it ends.
 */
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, expect, it } from "vitest";

const KEY = "muster:{moving}:key";
const SLOTS = 16_384;
const silent = createLog({ level: "silent", service: "test" });

let redis: RedisCluster;
let nodes: { id: string; ask: RedisClient["call"]; freeze(): void; thaw(): void }[];
let owner: number;

beforeAll(async () => {
  redis = await startRedisCluster();
  nodes = await Promise.all(
    redis.nodes.map(async (server) => {
      const client = server.client();
      const id = String(await client.call("CLUSTER", "MYID"));
      return { ...server, id, ask: client.call.bind(client) };
    }),
  );
  owner = Math.floor(((await slotOf()) * nodes.length) / SLOTS);
});
afterAll(() => redis.stop());

it("connects again after a cut", async () => {
  const client = await redirectedWhile((connected) => connected.disconnect(true));
  await waitUntil("it is ready again", () => client.status === "ready");
  expect(await client.get(KEY)).toBeNull();
  await closeRedis(client);
});

it("ends when it is closed", async () => {
  let hasEnded = false;
  await redirectedWhile((connected) => {
    connected.once("end", () => {
      hasEnded = true;
    });
    connected.disconnect();
  });
  await waitUntil("it has ended", () => hasEnded);
});

/** A client that has asked a node that no longer serves the key, and is told so when `leave` has been called. */
async function redirectedWhile(leave: (client: RedisClient) => void): Promise<RedisClient> {
  const client = connectRedis({ url: redis.url, name: "reconnect-test", log: silent });
  if (!("nodes" in client)) throw new Error("connectRedis made no Cluster of a Cluster's url");
  await client.get(KEY);
  await Promise.all(client.nodes().map((node) => node.ping()));
  const former = await moveSlot();
  // Theirs are the connections that end last.
  const others = nodes.filter((node) => node !== former);
  for (const node of others) node.freeze();
  try {
    let isRedirected = false;
    client.once("+node", () => {
      isRedirected = true;
    });
    client.get(KEY).catch(() => {
      // Whether it is tried again is not what this is about.
    });
    leave(client);
    await waitUntil("the redirection has come", () => isRedirected);
  } finally {
    for (const node of others) node.thaw();
  }
  return client;
}

/** To the next node. Returns the one that served it. */
async function moveSlot() {
  const [from, to] = [nodes[owner], nodes[(owner + 1) % nodes.length]];
  if (from === undefined || to === undefined) throw new Error("the slot has no owner");
  const slot = String(await slotOf());
  await to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
  for (const node of [to, ...nodes.filter((other) => other !== to)])
    await node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id);
  owner = (owner + 1) % nodes.length;
  return from;
}

async function slotOf(): Promise<number> {
  return Number(await nodes[0]?.ask("CLUSTER", "KEYSLOT", KEY));
}
