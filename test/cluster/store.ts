/**
 * Owns the Redis of a test cluster and what can befall it: a single server that keeps an append-only file, fsynced at
 * each write, or a Cluster whose slots move. Faults of the network between it and a service are the members'.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import { startRedisCluster } from "../kit/redis-cluster.js";
import { startRedis } from "../kit/redis-server.js";
import { moveSlot } from "./move-slot.js";

export interface Store {
  /** Where services find it. */
  readonly address: { port: number } | { url: string };
  client(): RedisClient;
  flush(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Brings it back with what its append-only file holds. */
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Moves the slot of each namespace to another node, key by key, under whatever load there is. */
  reshard(namespaces: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export type StoreKind = "single" | "cluster";

export async function startStore(kind: StoreKind): Promise<Store> {
  return kind === "single" ? startSingle() : startCluster();
}

async function startSingle(): Promise<Store> {
  const server = await startRedis({ appendOnly: true });
  return {
    address: { port: server.port },
    client: () => server.client(),
    flush: () => server.flush(),
    kill: () => server.kill(),
    restart: () => server.restart(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    reshard: () => Promise.reject(new Error("a single Redis has no slots to move; start a Cluster")),
    stop: () => server.stop(),
  };
}

async function startCluster(): Promise<Store> {
  const cluster = await startRedisCluster();
  const refuse = () => {
    throw new Error("the nodes of a test Cluster keep no file to come back with; use a single Redis");
  };
  return {
    address: { url: cluster.url },
    client: () => cluster.client(),
    flush: () => cluster.flush(),
    kill: async () => refuse(),
    restart: async () => refuse(),
    freeze: refuse,
    thaw: refuse,
    async reshard(namespaces) {
      for (const namespace of namespaces) await moveSlot(cluster, namespaceTag(namespace));
    },
    stop: () => cluster.stop(),
  };
}
