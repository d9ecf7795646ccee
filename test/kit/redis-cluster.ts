/**
 * Owns real Redis Clusters for tests: masters on 127.0.0.1, joined by commands of our own. No replicas: what the tests
 * ask of a Cluster is its slots, its redirections and its refusals.
 */
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { freePort } from "./ports.js";
import { type RedisServer, startRedis } from "./redis-server.js";
import { waitUntil } from "./wait-until.js";

export interface RedisCluster {
  /** `redis+cluster://…` with every node. */
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  /** A new Cluster connection, closed by stop(). */
  client(): RedisClient;
  /** Empties every node, and with it the script caches. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const silent = createLog({ level: "silent", service: "test" });

/** Returns once every node says that the cluster is whole. */
export async function startRedisCluster({ masters = 3 }: { masters?: number } = {}): Promise<RedisCluster> {
  const started = await Promise.all(Array.from({ length: masters }, startNode));
  const nodes = started.map((node) => node.server);
  const stopNodes = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    await join(started);
  } catch (error) {
    await stopNodes();
    throw error;
  }
  const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  const clients: RedisClient[] = [];
  return {
    url,
    nodes,
    client() {
      const created = connectRedis({ url, name: "test", log: silent });
      clients.push(created);
      return created;
    },
    flush: async () => void (await Promise.all(nodes.map((node) => node.flush()))),
    async stop() {
      await Promise.all(clients.splice(0).map(closeRedis));
      await stopNodes();
    },
  };
}

interface Node {
  server: RedisServer;
  busPort: number;
}

async function startNode(): Promise<Node> {
  // By default the bus listens on the port + 10000, which may be out of the range that tests keep to.
  const busPort = await freePort();
  const args = [
    "--cluster-enabled",
    "yes",
    "--cluster-port",
    String(busPort),
    "--cluster-node-timeout",
    "2000",
  ];
  return { server: await startRedis({ args }), busPort };
}

async function join(nodes: Node[]): Promise<void> {
  const clients = nodes.map(({ server }) => server.client());
  // A node gives up its slots in a conflict of epochs, so each starts with one of its own.
  for (const [index, client] of clients.entries()) {
    await client.call("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    const first = Math.floor((index * SLOTS) / nodes.length);
    const last = Math.floor(((index + 1) * SLOTS) / nodes.length) - 1;
    await client.call("CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
  }
  for (const { server, busPort } of nodes) {
    await clients[0]?.call("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(busPort));
  }
  for (const [index, client] of clients.entries()) {
    await waitUntil(
      `node ${index} sees a whole cluster`,
      async () => {
        const info = String(await client.call("CLUSTER", "INFO"));
        const isWhole =
          info.includes("cluster_state:ok") &&
          info.includes(`cluster_slots_ok:${SLOTS}`) &&
          info.includes(`cluster_known_nodes:${nodes.length}`);
        if (!isWhole) throw new Error(info);
        return true;
      },
      { deadlineMs: 20_000, everyMs: 20 },
    );
  }
  await Promise.all(clients.map(closeRedis));
}
