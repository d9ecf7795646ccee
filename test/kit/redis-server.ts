/**
 * Owns real Redis servers for tests: each with a port and a directory of its own, on 127.0.0.1, gone with the process
 * that started it. Can be killed, frozen and brought back, since that is what the tests are about.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { startRedisProcess } from "./redis-process.js";

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** A new connection, closed by stop(). */
  client(): RedisClient;
  /** Empties it, and with it the script cache. */
  flush(): Promise<void>;
  /** Ends it for good, and every client() of it, and removes its files. */
  stop(): Promise<void>;
  /** SIGKILL; restart() brings it back with what its append-only file holds. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files, after kill() or in place of the one that runs. */
  restart(): Promise<void>;
  /** SIGSTOP: sockets stay open and nothing answers, until thaw(). */
  freeze(): void;
  thaw(): void;
}

export interface RedisServerOptions {
  /** Keeps what was written over kill() and restart(), fsynced at each write. */
  appendOnly?: boolean;
  /** Further configuration, as redis-server's own arguments: ["--requirepass", "secret"]. */
  args?: string[];
}

const silent = createLog({ level: "silent", service: "test" });

export async function startRedis({
  appendOnly = false,
  args = [],
}: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "muster-redis-"));
  const durability = ["--save", "", "--appendonly", appendOnly ? "yes" : "no", "--appendfsync", "always"];
  const server = await startRedisProcess(directory, (port) => [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", directory],
    ...durability,
    ...args,
  ]);
  const url = `redis://127.0.0.1:${server.port}`;
  const clients: RedisClient[] = [];
  return {
    url,
    port: server.port,
    kill: server.kill,
    restart: server.restart,
    freeze: () => server.signal("SIGSTOP"),
    thaw: () => server.signal("SIGCONT"),
    client() {
      const created = connectRedis({ url, name: "test", log: silent });
      clients.push(created);
      return created;
    },
    async flush() {
      const own = connectRedis({ url, name: "test-flush", log: silent });
      await own.flushall();
      await own.script("FLUSH");
      await closeRedis(own);
    },
    async stop() {
      await Promise.all(clients.splice(0).map(closeRedis));
      await server.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
