/**
 * Starts the Redis of a test cluster, whichever it is. All keep an append-only file, fsynced at each write.
 */
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import { type RedisCluster, startRedisCluster } from "../kit/redis-cluster.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { ClusterNodes } from "./cluster-nodes.js";
import { moveSlot } from "./move-slot.js";
import { startSentinelStore } from "./sentinel-store.js";
import type { Store } from "./store.js";

export type StoreKind = "single" | "cluster" | "sentinel";

export interface StoreOptions {
  kind: StoreKind;
  /** Of a Cluster: without them there is no failover. */
  hasReplicas: boolean;
  /** Of a Cluster; see RedisClusterOptions. */
  nodeTimeoutMs?: number;
}

export async function startStore({ kind, ...options }: StoreOptions): Promise<Store> {
  switch (kind) {
    case "single":
      return singleStore(await startRedis({ appendOnly: true }));
    case "cluster":
      return await clusterStore(await startRedisCluster({ appendOnly: true, ...options }));
    case "sentinel":
      return await startSentinelStore();
  }
}

function singleStore(server: RedisServer): Store {
  const { url, port } = server;
  return {
    address: { url, ports: [port] },
    shards: 1,
    client: () => server.client(),
    flush: () => server.flush(),
    kill: () => server.kill(),
    restart: () => server.restart(),
    freeze: async () => server.freeze(),
    thaw: async () => server.thaw(),
    untilReplaceable: async () => {},
    // In place of the one that runs, which is killed.
    failover: () => server.restart(),
    reshard: () => Promise.reject(new Error("a single Redis has no slots to move; start a Cluster")),
    stop: () => server.stop(),
  };
}

async function clusterStore(cluster: RedisCluster): Promise<Store> {
  const nodes = await ClusterNodes.of(cluster);
  /** Those that cannot be asked who they are. */
  const away = new Map<number, RedisServer>();
  const leave = async (shard: number, how: (server: RedisServer) => void | Promise<void>) => {
    const { server } = await nodes.masterOf(shard);
    away.set(shard, server);
    await how(server);
  };
  const comeBack = async (shard: number, how: (server: RedisServer) => void | Promise<void>) => {
    const server = away.get(shard);
    if (server === undefined) throw new Error(`shard ${shard} was not away`);
    await how(server);
    away.delete(shard);
    await nodes.untilWhole();
  };
  return {
    address: { url: cluster.url, ports: cluster.nodes.map(({ port }) => port) },
    shards: cluster.shards,
    client: () => cluster.client(),
    flush: () => cluster.flush(),
    kill: (shard) => leave(shard, (server) => server.kill()),
    restart: (shard) => comeBack(shard, (server) => server.restart()),
    freeze: (shard) => leave(shard, (server) => server.freeze()),
    thaw: (shard) => comeBack(shard, (server) => server.thaw()),
    untilReplaceable: (shard) => nodes.untilReplaceable(shard),
    failover: (shard) => nodes.handOver(shard),
    async reshard(namespaces) {
      for (const namespace of namespaces) await moveSlot(nodes, namespaceTag(namespace));
    },
    stop: () => cluster.stop(),
  };
}
