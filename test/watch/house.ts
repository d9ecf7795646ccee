/**
 * Owns a house of Muster that is watched: Redis, a LiveKit, services as processes of their own under names that Prometheus
 * sees, and what hears of job events. Knows no load.
 */
import { createServer, type Server } from "node:http";
import { adminToken } from "../kit/access-tokens.js";
import { type LivekitStandIn, startLivekitStandIn } from "../kit/livekit-stand-in.js";
import { freePort } from "../kit/ports.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { type Scraper, startScraper } from "./scraper.js";

/** Those of the runbook. */
export const KEY = "devkey";
export const SECRET = "secret";

/** Short, since a minute has to do for what takes hours. */
const TIMES: Partial<Record<ServiceName, Record<string, number>>> = {
  gateway: {
    MUSTER_LEASE_MS: 1_000,
    MUSTER_GRACE_MS: 3_000,
    MUSTER_OFFER_TIMEOUT_MS: 700,
    MUSTER_OFFER_TIMEOUT_MAX_MS: 1_400,
    MUSTER_START_DEADLINE_MS: 4_000,
    MUSTER_MAX_JOBS_PER_WORKER: 4,
    MUSTER_PING_INTERVAL_MS: 1_000,
    MUSTER_SILENCE_MS: 4_000,
    MUSTER_DRAIN_MS: 500,
    MUSTER_RETENTION_MS: 8_000,
  },
  dispatcher: {
    MUSTER_LEASE_MS: 1_000,
    MUSTER_GRACE_MS: 3_000,
    MUSTER_START_DEADLINE_MS: 4_000,
    MUSTER_OFFER_DEADLINE_MS: 1_700,
    MUSTER_HOLD_MS: 1_000,
    MUSTER_PRESENCE_RECHECK_MS: 1_000,
    MUSTER_RETENTION_MS: 8_000,
  },
  api: { MUSTER_DRAIN_MS: 100, MUSTER_RETENTION_MS: 8_000 },
};

export class WatchedHouse {
  readonly redis: RedisServer;
  readonly livekit: LivekitStandIn;
  readonly scraper: Scraper;
  readonly #services = new Map<string, ServiceProcess>();
  readonly #receivers: Server[];
  readonly #hooks: string;

  private constructor(parts: {
    redis: RedisServer;
    livekit: LivekitStandIn;
    scraper: Scraper;
    receivers: Server[];
    hooks: string;
  }) {
    this.redis = parts.redis;
    this.livekit = parts.livekit;
    this.scraper = parts.scraper;
    this.#receivers = parts.receivers;
    this.#hooks = parts.hooks;
  }

  static async start(): Promise<WatchedHouse> {
    const apiPort = await freePort();
    const [redis, livekit, scraper, well, broken] = await Promise.all([
      startRedis(),
      startLivekitStandIn({
        ...{ apiKey: KEY, apiSecret: SECRET },
        webhookUrl: `http://127.0.0.1:${apiPort}/webhook`,
      }),
      startScraper(),
      startReceiver(200),
      startReceiver(500),
    ]);
    const hooks = `${well.url}\n${broken.url}`;
    const receivers = [well.server, broken.server];
    const house = new WatchedHouse({ redis, livekit, scraper, receivers, hooks });
    await Promise.all([
      house.add("gateway-1"),
      house.add("gateway-2"),
      house.add("dispatcher-1"),
      house.add("dispatcher-2"),
      house.add("api-1", { MUSTER_PORT: String(apiPort) }),
      // Orders that come through it wait for somebody else to make their room.
      house.add("api-2", { MUSTER_CREATE_ROOMS: "false" }),
    ]);
    return house;
  }

  /** Resolves once it is ready; Prometheus finds it within a second. */
  async add(name: string, more: Record<string, string> = {}): Promise<void> {
    const kind = kindOf(name);
    const times = Object.entries(TIMES[kind] ?? {}).map(([key, value]) => [key, String(value)]);
    const service = await startService(kind, {
      MUSTER_REDIS_URL: this.redis.url,
      MUSTER_KEYS: `${KEY}: ${SECRET}`,
      MUSTER_LOG_LEVEL: "info",
      ...(kind !== "gateway" && { MUSTER_LIVEKIT_URL: this.livekit.url }),
      ...(kind === "api" && { MUSTER_WEBHOOK_URLS: this.#hooks }),
      ...Object.fromEntries(times),
      ...more,
    });
    this.#services.set(name, service);
    this.#tellScraper();
  }

  async kill(name: string): Promise<void> {
    const service = this.of(name);
    this.#services.delete(name);
    this.#tellScraper();
    await service.kill();
  }

  of(name: string): ServiceProcess {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`no ${name} runs, but ${[...this.#services.keys()]}`);
    return service;
  }

  /** In the order in which they were started. */
  gateways(): ServiceProcess[] {
    return [...this.#services.values()].filter(({ name }) => name === "gateway");
  }

  /** A call to the REST API of an api, as whoever runs all of it. */
  async call(api: string, method: string, path: string, body?: object): Promise<Response> {
    return await fetch(`${this.of(api).url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminToken(KEY, SECRET)}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
  }

  /** What services wrote about something. */
  trace(word: string): string[] {
    return [...this.#services].flatMap(([name, service]) =>
      service
        .output()
        .split("\n")
        .filter((line) => line.includes(word))
        .map((line) => `${name}: ${line}`),
    );
  }

  async end(): Promise<void> {
    await this.scraper.stop();
    await Promise.all([...this.#services.values()].map((service) => service.kill()));
    for (const server of this.#receivers) {
      server.closeAllConnections();
      server.close();
    }
    await this.livekit.stop();
    await this.redis.stop();
  }

  #tellScraper(): void {
    this.scraper.scrape(
      [...this.#services].map(([instance, { port }]) => ({
        ...{ job: `muster-${kindOf(instance)}`, instance, port },
      })),
    );
  }
}

const kindOf = (name: string): ServiceName => name.replace(/-\d+$/, "") as ServiceName;

async function startReceiver(status: number): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    request.resume();
    request.once("end", () => response.writeHead(status).end());
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${port}/hook` };
}
