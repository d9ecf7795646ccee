/**
 * Owns one Muster to be measured: a Redis as it is run in production (append-only file, written out every second) and
 * the services as processes of their own, with their usual settings; and readings of all of it at a moment.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { scrape, sumIn } from "./metric-readings.js";
import { cpuMsOf } from "./process-readings.js";
import { type RedisReading, readRedis } from "./redis-readings.js";

export const KEY = "sizing-key";
export const SECRET = "sizing-secret-that-is-long-enough";

/** The file must only grow, or what was written to it cannot be told from its size. */
const AS_IN_PRODUCTION = [
  "--appendonly",
  "yes",
  "--appendfsync",
  "everysec",
  "--auto-aof-rewrite-percentage",
  "0",
];
const SERVICES = ["gateway", "dispatcher", "api"] as const satisfies ServiceName[];
export type Measured = (typeof SERVICES)[number];

/** All at one moment; only differences of two mean something. */
export interface Reading {
  readonly atMs: number;
  readonly cpuMs: Readonly<Record<Measured, number>>;
  readonly redis: RedisReading;
}

export interface House {
  readonly gateway: ServiceProcess;
  readonly dispatcher: ServiceProcess;
  readonly api: ServiceProcess;
  readonly redis: RedisClient;
  read(): Promise<Reading>;
  /** Commands that the services say they issued, over all of them. */
  commands(): Promise<number>;
  another(name: Measured): Promise<ServiceProcess>;
  stop(): Promise<void>;
}

export async function startHouse(env: Record<string, string> = {}): Promise<House> {
  const server = await startRedis({ args: AS_IN_PRODUCTION });
  const redis = server.client();
  const started: ServiceProcess[] = [];
  const start = async (name: Measured) => {
    const service = await startService(name, {
      MUSTER_REDIS_URL: server.url,
      MUSTER_KEYS: `${KEY}: ${SECRET}`,
      ...env,
    });
    started.push(service);
    return service;
  };
  const [gateway, dispatcher, api] = await Promise.all([start("gateway"), start("dispatcher"), start("api")]);
  const services = { gateway, dispatcher, api };
  return {
    ...services,
    redis,
    async read() {
      const inRedis = await readRedis(redis);
      const cpuMs = { gateway: 0, dispatcher: 0, api: 0 };
      for (const name of SERVICES) cpuMs[name] = cpuMsOf(services[name].pid);
      return { atMs: performance.now(), cpuMs, redis: inRedis };
    },
    async commands() {
      const texts = await Promise.all(SERVICES.map((name) => scrape(services[name])));
      return texts.reduce((sum, text) => sum + sumIn(text, "muster_redis_commands_total"), 0);
    },
    another: start,
    async stop() {
      // Nothing is measured any more, and a drain would take its time.
      await Promise.all(started.map((service) => service.kill()));
      await server.stop();
    },
  };
}

export interface Spent {
  readonly seconds: number;
  readonly cpuMs: Readonly<Record<Measured, number>>;
  readonly redis: RedisReading;
}

export function between(before: Reading, after: Reading): Spent {
  const cpuMs = { gateway: 0, dispatcher: 0, api: 0 };
  for (const name of SERVICES) cpuMs[name] = after.cpuMs[name] - before.cpuMs[name];
  return {
    seconds: (after.atMs - before.atMs) / 1_000,
    cpuMs,
    redis: {
      cpuMs: after.redis.cpuMs - before.redis.cpuMs,
      netBytes: after.redis.netBytes - before.redis.netBytes,
      dataBytes: after.redis.dataBytes - before.redis.dataBytes,
      aofBytes: after.redis.aofBytes - before.redis.aofBytes,
    },
  };
}

/** What is spent in `seconds` of nothing in particular, by this house. */
export async function quietly(house: House, seconds: number): Promise<Spent> {
  const before = await house.read();
  await letPass(1_000 * seconds);
  return between(before, await house.read());
}

/** A window of measurement is a time, so here a time is waited for. */
export function letPass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const SETTLE_MS = 1_500;

/**
 * For what a process does only when it begins, and for what it writes a moment later: trims, and the file of Redis. Less
 * where windows are short, since figures of those mean little anyway.
 */
export function settle(windowSeconds: number): Promise<void> {
  return letPass(Math.min(SETTLE_MS, 250 * windowSeconds));
}
