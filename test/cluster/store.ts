/**
 * The Redis of a test cluster and what can befall it: a single server, a Cluster or a Sentinel set. Faults of the network
 * between it and a service are the members'.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import type { RedisAddress } from "./way-to-redis.js";

export interface Store {
  /** Where services find it. */
  readonly address: RedisAddress;
  /** How many parts it has that can fail by themselves: the masters of a Cluster. Else 1. */
  readonly shards: number;
  client(): RedisClient;
  flush(): Promise<void>;
  /** SIGKILL of a shard's master; resolves when it is gone. */
  kill(shard: number): Promise<void>;
  /** Brings it back with what its append-only file holds; resolves when all is served again. */
  restart(shard: number): Promise<void>;
  /** SIGSTOP of a shard's master. Its replica does not take over. */
  freeze(shard: number): Promise<void>;
  /** Resolves when all is served again. */
  thaw(shard: number): Promise<void>;
  /** Resolves when another process could take a shard over. */
  untilReplaceable(shard: number): Promise<void>;
  /** It does, with all that was acknowledged; resolves when it serves. */
  failover(shard: number): Promise<void>;
  /** Moves the slot of each namespace to another node, key by key, under whatever load there is. */
  reshard(namespaces: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}
