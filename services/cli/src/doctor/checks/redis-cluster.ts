/**
 * Whether a Redis Cluster is whole, and each node can be reached by the address that it tells its clients: inside a
 * container network that is often another one than theirs.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";
import type { RedisHost } from "@muster/runtime/redis/url";
import type { Check } from "../check.js";
import { type Finding, fail, ok, Skip, warn } from "../finding.js";
import { whyUnreachable } from "../reach-port.js";
import type { RedisAccess } from "../redis-access.js";
import { infoOf } from "../redis-info.js";
import { redisOf } from "../surroundings.js";

const SLOTS = 16_384;
const REACH_MS = 2_000;

export const redisCluster: Check = {
  name: "redis-cluster",
  looksAt:
    "All slots of the Cluster are served, and its nodes are reached by the addresses that they announce.",
  async run(surroundings) {
    const redis = redisOf(surroundings);
    if (redis.target.kind === "sentinel") throw new Skip("Redis is behind Sentinel");
    if (redis.target.kind === "single") return [await single(redis)];
    const { seed, client, silent } = await firstThatAnswers(redis);
    const findings = silent.map(({ host, port, problem }) =>
      warn(
        `${host}:${port} of MUSTER_REDIS_URL does not answer: ${problem}`,
        "leave it out of the url, or start it",
      ),
    );
    return [...findings, ...(await stateOf(client)), ...(await addressesOf(client, seed))];
  },
};

/** A node of a Cluster that is taken for all of it sends whoever asks elsewhere. */
async function single(redis: RedisAccess): Promise<Finding> {
  const info = await infoOf(await redis.client(), "cluster");
  if (info.get("cluster_enabled") !== "1") throw new Skip("Redis is one server");
  const hosts = redis.target.hosts.map(({ host, port }) => `${host}:${port}`).join(",");
  return fail(
    "this Redis is a node of a Cluster, and holds a part of the keys",
    `MUSTER_REDIS_URL=redis+cluster://${hosts}`,
  );
}

async function firstThatAnswers(redis: RedisAccess) {
  const silent: (RedisHost & { problem: string })[] = [];
  for (const host of redis.target.hosts) {
    const reached = await redis.node(host);
    if ("client" in reached) return { seed: host, client: reached.client, silent };
    silent.push({ ...host, problem: reached.problem });
  }
  throw new Skip("no node of the Cluster answers; redis-reach says why");
}

async function stateOf(client: RedisClient): Promise<Finding[]> {
  const text = String(await client.call("CLUSTER", "INFO"));
  const state = /cluster_state:(\w+)/.exec(text)?.[1] ?? "unknown";
  const served = Number(/cluster_slots_ok:(\d+)/.exec(text)?.[1] ?? 0);
  if (state === "ok" && served === SLOTS) return [ok(`all ${SLOTS} slots are served`)];
  return [
    fail(
      `the Cluster is in the state "${state}", and serves ${served} of ${SLOTS} slots`,
      "redis-cli --cluster check <host>:<port> says what is missing; redis-cli --cluster fix <host>:<port> mends it",
    ),
  ];
}

async function addressesOf(client: RedisClient, seed: RedisHost): Promise<Finding[]> {
  const announced = addressesIn(await client.call("CLUSTER", "SLOTS"), seed);
  const answers = await Promise.all(
    announced.map(async (address) => ({ ...address, problem: await whyUnreachable(address, REACH_MS) })),
  );
  const lost = answers.filter(({ problem }) => problem !== undefined);
  if (lost.length === 0)
    return [ok(`its ${announced.length} nodes are reached by the addresses that they announce`)];
  return lost.map(({ host, port, problem }) =>
    fail(
      `a node tells its clients to go to ${host}:${port}, which is not reached from here (${problem})`,
      "have each node announce one that is: cluster-announce-ip or cluster-announce-hostname, and cluster-announce-port",
    ),
  );
}

/** As `[from, to, [host, port, id, …], …]`; a host that is not said is the one that was asked. */
function addressesIn(slots: unknown, seed: RedisHost): RedisHost[] {
  const found = new Map<string, RedisHost>();
  for (const range of Array.isArray(slots) ? slots : []) {
    for (const node of Array.isArray(range) ? range.slice(2) : []) {
      const [host, port] = node as [unknown, unknown];
      const address = {
        host: typeof host === "string" && host !== "" ? host : seed.host,
        port: Number(port),
      };
      found.set(`${address.host}:${address.port}`, address);
    }
  }
  return [...found.values()];
}
