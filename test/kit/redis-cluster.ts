/**
 * Owns real Redis Clusters for tests: nodes on 127.0.0.1, joined by commands of our own. Replicas only where asked for,
 * since each is one more process to start, and they take over only when they are told to: one that does so by itself may
 * lack what its master had acknowledged.
 */
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { freePort } from "./ports.js";
import { joinNodes } from "./redis-cluster/join-nodes.js";
import { type RedisServer, startRedis } from "./redis-server.js";

export interface RedisCluster {
  /** `redis+cluster://…` with every node. */
  readonly url: string;
  /** The first masters, then, in the same order, their replicas. */
  readonly nodes: readonly RedisServer[];
  /** How many masters there are. */
  readonly shards: number;
  readonly nodeTimeoutMs: number;
  /** A new Cluster connection, closed by stop(). */
  client(): RedisClient;
  /** Empties every node, and with it the script caches. Of a Cluster without replicas. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisClusterOptions {
  masters?: number;
  /** One for each master. */
  hasReplicas?: boolean;
  /** As of a single server: what was written is kept over kill() and restart() of a node. */
  appendOnly?: boolean;
  /** From when on the others take a silent node for failed, and with it, until it is back, the whole. */
  nodeTimeoutMs?: number;
}

const silent = createLog({ level: "silent", service: "test" });

/** Returns once every node says that the cluster is whole, and every replica that it has what its master has. */
export async function startRedisCluster({
  masters = 3,
  hasReplicas = false,
  appendOnly = false,
  nodeTimeoutMs = 2_000,
}: RedisClusterOptions = {}): Promise<RedisCluster> {
  const count = hasReplicas ? 2 * masters : masters;
  const start = () => startNode(appendOnly, nodeTimeoutMs);
  const started = await Promise.all(Array.from({ length: count }, start));
  const nodes = started.map((node) => node.server);
  const stopNodes = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    await joinNodes(started, masters);
  } catch (error) {
    await stopNodes();
    throw error;
  }
  const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  const clients: RedisClient[] = [];
  return {
    url,
    nodes,
    shards: masters,
    nodeTimeoutMs,
    client() {
      const created = connectRedis({ url, name: "test", log: silent });
      clients.push(created);
      return created;
    },
    async flush() {
      if (hasReplicas) throw new Error("a replica cannot be emptied; start a Cluster without replicas");
      await Promise.all(nodes.map((node) => node.flush()));
    },
    async stop() {
      await Promise.all(clients.splice(0).map(closeRedis));
      await stopNodes();
    },
  };
}

async function startNode(appendOnly: boolean, nodeTimeoutMs: number) {
  // By default the bus listens on the port + 10000, which may be out of the range that tests keep to.
  const busPort = await freePort();
  const args = [
    ...["--cluster-enabled", "yes"],
    ...["--cluster-port", String(busPort)],
    ...["--cluster-node-timeout", String(nodeTimeoutMs)],
    ...["--cluster-replica-no-failover", "yes"],
    // A replica that asks for all there is waits 5 s for others that may ask too.
    ...["--repl-diskless-sync-delay", "0"],
  ];
  return { server: await startRedis({ args, appendOnly }), busPort };
}
