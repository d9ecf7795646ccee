/**
 * Owns moving one slot of a test Cluster to another node as `redis-cli --cluster reshard` does: a few keys at a time,
 * while the slot is served.
 */
import type { ClusterNode, ClusterNodes } from "./cluster-nodes.js";

const KEYS_A_STEP = 10;
const MIGRATE_LIMIT_MS = "5000";

/** To the next master. */
export async function moveSlot(cluster: ClusterNodes, keyOfSlot: string): Promise<void> {
  const masters = await cluster.masters();
  const slot = String(await masters[0]?.ask("CLUSTER", "KEYSLOT", keyOfSlot));
  const owners = await Promise.all(masters.map((node) => ownsSlot(node, Number(slot))));
  const index = owners.indexOf(true);
  const from = masters[index];
  const to = masters[(index + 1) % masters.length];
  if (from === undefined || to === undefined) throw new Error(`no node owns slot ${slot}`);
  await to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
  await from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
  for (;;) {
    const keys = (await from.ask("CLUSTER", "GETKEYSINSLOT", slot, String(KEYS_A_STEP))) as string[];
    if (keys.length === 0) break;
    const target = ["127.0.0.1", String(to.server.port), "", "0", MIGRATE_LIMIT_MS];
    await from.ask("MIGRATE", ...target, "KEYS", ...keys);
  }
  // The new owner first: until the old one hears of it, it asks for redirects to one that knows.
  for (const node of [to, from, ...masters.filter((other) => other !== to && other !== from)]) {
    await node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id);
  }
}

async function ownsSlot(node: ClusterNode, slot: number): Promise<boolean> {
  const own = String(await node.ask("CLUSTER", "NODES"))
    .split("\n")
    .find((line) => line.includes("myself"));
  const ranges = (own ?? "").split(" ").slice(8);
  return ranges.some((range) => {
    const [first = "", last = first] = range.split("-");
    return !range.startsWith("[") && slot >= Number(first) && slot <= Number(last);
  });
}
