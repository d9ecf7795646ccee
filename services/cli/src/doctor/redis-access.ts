/**
 * The ways of the checks to Redis: the client that services would have, and single nodes of a Cluster or Sentinel. One
 * that does not answer in time is an answer here, with what was wrong: services wait for it for ever, a check must not.
 * The connections are closed together at the end.
 */

import type { Log } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { parseRedisUrl, type RedisHost, type RedisTarget } from "@muster/runtime/redis/url";
import { Skip } from "./finding.js";

export interface RedisAccessDeps {
  url: string;
  log: Log;
  /** How long a connection may take to be ready. */
  patienceMs: number;
}

export type Reach = { client: RedisClient } | { problem: string };

export interface Master {
  /** "host:port", or "Redis" where there is one only. */
  name: string;
  redis: Pick<RedisClient, "info" | "config" | "ping" | "time" | "call">;
}

/** After a first error another node, or the next attempt, may still succeed. */
const SECOND_CHANCE_MS = { single: 250, sentinel: 1_500, cluster: 1_500 } as const;

export class RedisAccess {
  readonly target: RedisTarget;
  readonly #deps: RedisAccessDeps;
  readonly #open = new Set<RedisClient>();
  #reached: Promise<Reach> | undefined;

  /** @throws DispatchError for a url that is none */
  constructor(deps: RedisAccessDeps) {
    this.target = parseRedisUrl(deps.url);
    this.#deps = deps;
  }

  /** As the services are connected; asked for once, remembered either way. */
  reach(): Promise<Reach> {
    this.#reached ??= this.#connect(this.#deps.url, this.target.kind);
    return this.#reached;
  }

  /** @throws Skip when it is out of reach */
  async client(): Promise<RedisClient> {
    const reached = await this.reach();
    if ("client" in reached) return reached.client;
    throw new Skip("Redis is out of reach; redis-reach says why");
  }

  /** All that hold a part of the data: one, or the masters of a Cluster. @throws Skip */
  async masters(): Promise<Master[]> {
    const client = await this.client();
    if (!("nodes" in client)) return [{ name: "Redis", redis: client }];
    return client
      .nodes("master")
      .map((redis) => ({ name: `${redis.options.host}:${redis.options.port}`, redis }));
  }

  /** One node by itself; `as` says whose password it takes. */
  node({ host, port }: RedisHost, as: "data" | "sentinel" = "data"): Promise<Reach> {
    const { target } = this;
    const user = as === "data" ? target.username : undefined;
    const password =
      as === "data" ? target.password : target.kind === "sentinel" ? target.sentinelPassword : undefined;
    const who = user === undefined && password === undefined ? "" : `${coded(user)}:${coded(password)}@`;
    const address = host.includes(":") ? `[${host}]` : host;
    return this.#connect(`${target.tls ? "rediss" : "redis"}://${who}${address}:${port}`, "single");
  }

  async close(): Promise<void> {
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all(open.map(closeRedis));
  }

  async #connect(url: string, kind: RedisTarget["kind"]): Promise<Reach> {
    const { log, patienceMs } = this.#deps;
    const client = connectRedis({ url, name: "muster-doctor", log });
    this.#open.add(client);
    const outcome = await readyOrWhyNot(client, patienceMs, SECOND_CHANCE_MS[kind]);
    if (outcome === undefined) return { client };
    this.#open.delete(client);
    await closeRedis(client);
    return { problem: outcome };
  }
}

/** undefined when it is ready. */
function readyOrWhyNot(
  client: RedisClient,
  patienceMs: number,
  againMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let problem = `no answer within ${patienceMs} ms`;
    let timer = setTimeout(() => settle(problem), patienceMs);
    let hasFailed = false;
    const settle = (outcome: string | undefined) => {
      clearTimeout(timer);
      client.off("ready", isReady);
      client.off("error", hasError);
      client.off("node error", hasError);
      resolve(outcome);
    };
    const isReady = () => settle(undefined);
    const hasError = (error: Error & { lastNodeError?: Error }) => {
      problem = messageOf(error.lastNodeError ?? error);
      if (hasFailed) return;
      hasFailed = true;
      clearTimeout(timer);
      timer = setTimeout(() => settle(problem), Math.min(againMs, patienceMs));
    };
    client.on("ready", isReady);
    client.on("error", hasError);
    client.on("node error", hasError);
  });
}

/** Of a host that has several addresses, node's own message is empty. */
function messageOf(error: Error & { code?: unknown; errors?: Error[] }): string {
  if (error.message !== "") return error.message;
  return error.errors?.map(({ message }) => message).join(", ") || String(error.code ?? error.name);
}

const coded = (text: string | undefined): string => encodeURIComponent(text ?? "");
