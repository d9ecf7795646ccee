/**
 * Owns a real Sentinel set for tests: a master, a replica and one sentinel, or several, that fail over quickly.
 * What the tests ask of it is that a client finds the master, and finds the next one.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { startRedisProcess } from "./redis-process.js";
import { type RedisServer, startRedis } from "./redis-server.js";
import { waitUntil } from "./wait-until.js";

export interface RedisSentinel {
  /** `redis+sentinel://…` of the master. */
  readonly url: string;
  /** The first master: kill it, and the replica takes its place. */
  readonly master: RedisServer;
  readonly replica: RedisServer;
  stop(): Promise<void>;
}

const MASTER_NAME = "muster";
const silent = createLog({ level: "silent", service: "test" });

export async function startRedisSentinel({
  sentinels = 1,
  sentinelPassword = "",
} = {}): Promise<RedisSentinel> {
  // It would wait 5 s for more replicas to come.
  const master = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  const watching = await Promise.all(
    Array.from({ length: sentinels }, () => startSentinel(master, sentinelPassword)),
  );
  return {
    url: `redis+sentinel://${watching.map(({ port }) => `127.0.0.1:${port}`).join(",")}/${MASTER_NAME}`,
    master,
    replica,
    async stop() {
      await Promise.all(watching.map((sentinel) => sentinel.stop()));
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

/** Returns once it knows a replica in good health. */
async function startSentinel(master: RedisServer, password: string) {
  const directory = await mkdtemp(join(tmpdir(), "muster-sentinel-"));
  const config = join(directory, "sentinel.conf");
  await writeFile(config, "");
  const sentinel = await startRedisProcess(directory, (port) => [
    ...[config, "--sentinel", "--port", String(port), "--bind", "127.0.0.1", "--dir", directory],
  ]);
  const client = connectRedis({ url: `redis://127.0.0.1:${sentinel.port}`, name: "test", log: silent });
  await client.call("SENTINEL", "MONITOR", MASTER_NAME, "127.0.0.1", String(master.port), "1");
  await client.call("SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", "500");
  await client.call("SENTINEL", "SET", MASTER_NAME, "failover-timeout", "3000");
  await waitUntil(
    "the sentinel knows a replica in good health",
    async () => {
      const replicas = await client.call("SENTINEL", "REPLICAS", MASTER_NAME);
      return JSON.stringify(replicas).includes('"master-link-status","ok"');
    },
    { deadlineMs: 20_000, everyMs: 50 },
  );
  if (password !== "") await client.call("ACL", "SETUSER", "default", "resetpass", `>${password}`);
  await closeRedis(client);
  return {
    port: sentinel.port,
    async stop() {
      await sentinel.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
