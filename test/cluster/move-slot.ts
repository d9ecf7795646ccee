/**
 * Owns moving one slot of a test Cluster to another node as `redis-cli --cluster reshard` does: a few keys at a time,
 * while the slot is served.
 */
import type { RedisCluster } from "../kit/redis-cluster.js";

const KEYS_A_STEP = 10;
const MIGRATE_LIMIT_MS = "5000";

export async function moveSlot(cluster: RedisCluster, keyOfSlot: string): Promise<void> {
  const nodes = await Promise.all(
    cluster.nodes.map(async (server) => {
      const node = server.client();
      return { server, node, id: String(await node.call("CLUSTER", "MYID")) };
    }),
  );
  try {
    const slot = String(await nodes[0]?.node.call("CLUSTER", "KEYSLOT", keyOfSlot));
    const owners = await Promise.all(nodes.map(({ node }) => ownsSlot(node, Number(slot))));
    const index = owners.indexOf(true);
    const from = nodes[index];
    const to = nodes[(index + 1) % nodes.length];
    if (from === undefined || to === undefined) throw new Error(`no node owns slot ${slot}`);
    await to.node.call("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    await from.node.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    for (;;) {
      const keys = (await from.node.call("CLUSTER", "GETKEYSINSLOT", slot, String(KEYS_A_STEP))) as string[];
      if (keys.length === 0) break;
      const target = ["127.0.0.1", String(to.server.port), "", "0", MIGRATE_LIMIT_MS];
      await from.node.call("MIGRATE", ...target, "KEYS", ...keys);
    }
    // The new owner first: until the old one hears of it, it asks for redirects to one that knows.
    for (const { node } of [to, from, ...nodes.filter((other) => other !== to && other !== from)]) {
      await node.call("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    }
  } finally {
    for (const { node } of nodes) node.disconnect();
  }
}

async function ownsSlot(node: { call(...args: [string, ...string[]]): Promise<unknown> }, slot: number) {
  const own = String(await node.call("CLUSTER", "NODES"))
    .split("\n")
    .find((line) => line.includes("myself"));
  const ranges = (own ?? "").split(" ").slice(8);
  return ranges.some((range) => {
    const [first = "", last = first] = range.split("-");
    return !range.startsWith("[") && slot >= Number(first) && slot <= Number(last);
  });
}
