/**
 * Owns the Muster under attack: a Redis, a livekit-server without media, and gateway, dispatcher and api as processes of
 * their own with the usual settings. Each lives as in a container of 512 MiB: what has more is killed, and counts as fallen.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type LivekitStandIn, startLivekitStandIn } from "../../test/kit/livekit-stand-in.js";
import { startRedis } from "../../test/kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../../test/kit/service-process.js";
import { memoryOf } from "../../test/sizing/process-readings.js";
import { KEY, SECRET } from "./tokens.js";

const LIMIT_MIB = 512;
const SERVICES = ["gateway", "dispatcher", "api"] as const satisfies ServiceName[];
export type Part = (typeof SERVICES)[number];

const WATCH_EVERY_MS = 25;
const ENV = {
  MUSTER_KEYS: `${KEY}: ${SECRET}`,
  // A lost job is given to another while the attack is still on.
  MUSTER_GRACE_MS: "3s",
  MUSTER_CREATE_ROOMS: "false",
  // An attacker may come from another address than the honest.
  MUSTER_TRUSTED_PROXIES: "127.0.0.0/8",
  // Of Node's heap: the rest of the 512 MiB is for what is outside of it, buffers above all.
  NODE_OPTIONS: "--max-old-space-size=360",
};

export interface House {
  readonly gateway: ServiceProcess;
  readonly dispatcher: ServiceProcess;
  readonly api: ServiceProcess;
  readonly redis: RedisClient;
  readonly livekit: LivekitStandIn;
  /** Those that are gone, with why. */
  readonly fallen: ReadonlyMap<Part, string>;
  /** The most that each had since it was last asked for. */
  takePeaks(): Record<Part, number>;
  /** Bytes that all of them have written to their logs. */
  logged(): number;
  /** Lines of the logs that say that something is broken in Muster itself. */
  bugs(): string[];
  stop(): Promise<void>;
}

export async function startHouse(): Promise<House> {
  const server = await startRedis();
  const livekit = await startLivekitStandIn({ apiKey: KEY, apiSecret: SECRET });
  const env = { ...ENV, MUSTER_REDIS_URL: server.url };
  const [gateway, dispatcher, api] = await Promise.all([
    startService("gateway", env),
    // Without LiveKit nobody can say whether a lost worker's agent is there: it is given up after the grace, unless a guard is up.
    startService("dispatcher", env),
    startService("api", { ...env, MUSTER_LIVEKIT_URL: livekit.url }),
  ]);
  const services = { gateway, dispatcher, api };
  const fallen = new Map<Part, string>();
  const peaks = { gateway: 0, dispatcher: 0, api: 0 };
  let isStopping = false;
  for (const name of SERVICES)
    void services[name].exited.then((code) => {
      if (!isStopping && !fallen.has(name)) fallen.set(name, `ended by itself with ${code ?? "a signal"}`);
    });
  const watch = setInterval(() => {
    for (const name of SERVICES) {
      if (fallen.has(name)) continue;
      const mib = rssMib(services[name].pid);
      peaks[name] = Math.max(peaks[name], mib);
      if (mib <= LIMIT_MIB) continue;
      fallen.set(name, `killed at ${Math.round(mib)} MiB`);
      void services[name].kill();
    }
  }, WATCH_EVERY_MS);
  return {
    ...services,
    redis: server.client(),
    livekit,
    fallen,
    takePeaks() {
      const taken = { ...peaks };
      for (const name of SERVICES) peaks[name] = 0;
      return taken;
    },
    logged: () => SERVICES.reduce((sum, name) => sum + services[name].written(), 0),
    bugs: () => SERVICES.flatMap((name) => bugsIn(services[name].output())),
    async stop() {
      isStopping = true;
      clearInterval(watch);
      await Promise.all(SERVICES.map((name) => services[name].kill()));
      await livekit.stop();
      await server.stop();
    },
  };
}

/** 0 when it is gone. */
function rssMib(pid: number): number {
  try {
    return memoryOf(pid).rssKiB / 1_024 || 0;
  } catch {
    return 0;
  }
}

/** pino's level of errors, which are for a human to look at: nothing that comes from outside may make one. */
const ERROR = /^\{"level":(?:50|60|"error"|"fatal")/;

function bugsIn(output: string): string[] {
  return output.split("\n").filter((line) => ERROR.test(line));
}
