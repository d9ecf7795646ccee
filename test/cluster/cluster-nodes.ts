/**
 * Owns what the nodes of a test Cluster say of themselves, and the change of a master on command. A shard is a master
 * and its replica, which change places; shards keep their numbers.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import type { RedisCluster } from "../kit/redis-cluster.js";
import type { RedisServer } from "../kit/redis-server.js";
import { type WaitOptions, waitUntil } from "../kit/wait-until.js";

export interface ClusterNode {
  readonly server: RedisServer;
  readonly id: string;
  ask(...command: [string, ...string[]]): Promise<unknown>;
}

const LIMITS: WaitOptions = { deadlineMs: 30_000, everyMs: 20 };
/**
 * In node timeouts: how long after it was elected a node may not stand for election again. Told to all the same, it
 * keeps its master from serving for 5 s, and gives up.
 */
const ELECTED_AGAIN = 4;

export class ClusterNodes {
  readonly shards: number;
  readonly #nodes: readonly ClusterNode[];
  readonly #nodeTimeoutMs: number;
  readonly #electedAtMs = new Map<ClusterNode, number>();

  private constructor(nodes: readonly ClusterNode[], { shards, nodeTimeoutMs }: RedisCluster) {
    this.#nodes = nodes;
    this.shards = shards;
    this.#nodeTimeoutMs = nodeTimeoutMs;
  }

  static async of(cluster: RedisCluster): Promise<ClusterNodes> {
    const nodes = cluster.nodes.map(async (server) => {
      const client: RedisClient = server.client();
      const ask = (...command: [string, ...string[]]) => client.call(...command);
      return { server, ask, id: String(await ask("CLUSTER", "MYID")) };
    });
    return new ClusterNodes(await Promise.all(nodes), cluster);
  }

  async masters(): Promise<ClusterNode[]> {
    return await Promise.all(Array.from({ length: this.shards }, (_, shard) => this.masterOf(shard)));
  }

  async masterOf(shard: number): Promise<ClusterNode> {
    return await this.#inRole(shard, "master");
  }

  /** The replica of the shard has what its master has, and every node would let it take over. */
  async untilReplaceable(shard: number): Promise<void> {
    await this.untilWhole();
    const [master, replica] = await Promise.all([this.masterOf(shard), this.#inRole(shard, "slave")]);
    const electedAtMs = this.#electedAtMs.get(replica) ?? Number.NEGATIVE_INFINITY;
    const isKnownTo = async ({ ask }: ClusterNode) =>
      String(await ask("CLUSTER", "NODES"))
        .split("\n")
        .map((line) => line.split(" "))
        .some(([id, _address, _flags, replicated]) => id === replica.id && replicated === master.id);
    const isReplaceable = async () =>
      performance.now() - electedAtMs > ELECTED_AGAIN * this.#nodeTimeoutMs &&
      String(await replica.ask("INFO", "replication")).includes("link_status:up") &&
      (await Promise.all(this.#nodes.map(isKnownTo))).every(Boolean);
    await waitUntil("the replica could take over", isReplaceable, LIMITS);
  }

  /** The replica becomes the master with all that was acknowledged, and the master its replica. */
  async handOver(shard: number): Promise<void> {
    const [master, replica] = await Promise.all([this.masterOf(shard), this.#inRole(shard, "slave")]);
    await replica.ask("CLUSTER", "FAILOVER");
    const haveChanged = async () =>
      (await roleOf(replica)) === "master" && (await roleOf(master)) === "slave";
    await waitUntil("master and replica have changed places", haveChanged, LIMITS);
    this.#electedAtMs.set(replica, performance.now());
  }

  /** Every node serves: none misses another. */
  async untilWhole(): Promise<void> {
    for (const { server, ask } of this.#nodes) {
      const isWhole = async () => String(await ask("CLUSTER", "INFO")).includes("cluster_state:ok");
      await waitUntil(`node ${server.port} says that the cluster is whole`, isWhole, LIMITS);
    }
  }

  async #inRole(shard: number, role: "master" | "slave"): Promise<ClusterNode> {
    const pair = this.#nodes.filter((_, index) => index % this.shards === shard);
    const roles = await Promise.all(pair.map(roleOf));
    const found = pair[roles.indexOf(role)];
    if (found === undefined) throw new Error(`shard ${shard} has no ${role} among ${roles}`);
    return found;
  }
}

async function roleOf({ ask }: ClusterNode): Promise<string> {
  const [role] = (await ask("ROLE")) as [string];
  return role;
}
