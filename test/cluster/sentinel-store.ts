/**
 * Owns the Sentinel set as the Redis of a test cluster: one master, which can die once, and a replica, which the
 * sentinel then promotes. A replica lags behind: what the master acknowledged last dies with it, unless nobody writes.
 */
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { startRedisSentinel } from "../kit/redis-sentinel.js";
import { waitUntil } from "../kit/wait-until.js";
import type { Store } from "./store.js";

const REPLICAS = "1";
const CATCH_UP_MS = "5000";
const PROMOTION_MS = 15_000;

export async function startSentinelStore(): Promise<Store> {
  const { url, master, replica, stop } = await startRedisSentinel();
  const clients: RedisClient[] = [];
  const refuse = () =>
    Promise.reject(new Error("a Sentinel set only fails over here; start a single Redis or a Cluster"));
  return {
    address: { url, ports: [master.port, replica.port] },
    shards: 1,
    client() {
      const created = connectRedis({
        url,
        name: "test",
        log: createLog({ level: "silent", service: "test" }),
      });
      clients.push(created);
      return created;
    },
    flush: refuse,
    kill: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    reshard: refuse,
    async untilReplaceable() {
      const client = master.client();
      // WAIT is for what was written before the last command of its connection.
      await client.ping();
      const caughtUp = await client.call("WAIT", REPLICAS, CATCH_UP_MS);
      client.disconnect();
      if (String(caughtUp) !== REPLICAS) throw new Error("the replica lags behind its master");
    },
    async failover() {
      await master.kill();
      const after = replica.client();
      const isMaster = async () => String(await after.call("ROLE")).startsWith("master");
      await waitUntil("the replica is promoted", isMaster, { deadlineMs: PROMOTION_MS });
    },
    async stop() {
      await Promise.all(clients.splice(0).map(closeRedis));
      await stop();
    },
  };
}
