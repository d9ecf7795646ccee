/** Says on what a measurement was made. Figures without it are worth nothing. */
import { cpus, totalmem } from "node:os";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { startRedis } from "../kit/redis-server.js";

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly redis: string;
  /** Day of the measurement. */
  readonly date: string;
}

export async function describeMachine(): Promise<Machine> {
  const redis = await startRedis();
  try {
    return {
      cores: cpus().length,
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      memoryGiB: Math.round(totalmem() / 1_024 ** 3),
      node: process.version,
      redis: await versionOf(redis.client()),
      date: new Date().toISOString().slice(0, 10),
    };
  } finally {
    await redis.stop();
  }
}

async function versionOf(redis: RedisClient): Promise<string> {
  return /^redis_version:(\S+)/m.exec(await redis.info("server"))?.[1] ?? "unknown";
}
