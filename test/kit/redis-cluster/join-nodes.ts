/**
 * Owns making one Redis Cluster of nodes that do not know each other, as `redis-cli --cluster create` does. Not what
 * becomes of it later.
 */
import { closeRedis } from "@muster/runtime/redis/connect";
import type { RedisServer } from "../redis-server.js";
import { type WaitOptions, waitUntil } from "../wait-until.js";

export interface JoiningNode {
  server: RedisServer;
  busPort: number;
}

const SLOTS = 16_384;
const LIMITS: WaitOptions = { deadlineMs: 20_000, everyMs: 20 };

/** The first `masters` of them share the slots; each of the others becomes a replica of one of these, in order. */
export async function joinNodes(nodes: readonly JoiningNode[], masters: number): Promise<void> {
  const clients = nodes.map(({ server }) => server.client());
  // A node gives up its slots in a conflict of epochs, so each starts with one of its own.
  for (const [index, client] of clients.entries()) {
    await client.call("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    if (index >= masters) continue;
    const first = Math.floor((index * SLOTS) / masters);
    const last = Math.floor(((index + 1) * SLOTS) / masters) - 1;
    await client.call("CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
  }
  for (const { server, busPort } of nodes) {
    await clients[0]?.call("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(busPort));
  }
  for (const [index, client] of clients.entries()) {
    const isWhole = async () => {
      const info = String(await client.call("CLUSTER", "INFO"));
      const wanted = ["state:ok", `slots_ok:${SLOTS}`, `known_nodes:${nodes.length}`];
      if (!wanted.every((fact) => info.includes(`cluster_${fact}`))) throw new Error(info);
      return true;
    };
    await waitUntil(`node ${index} sees a whole cluster`, isWhole, LIMITS);
  }
  for (const [index, client] of clients.entries()) {
    if (index < masters) continue;
    const master = String(await clients[index - masters]?.call("CLUSTER", "MYID"));
    await client.call("CLUSTER", "REPLICATE", master);
  }
  for (const [index, client] of clients.entries()) {
    const hasAll = async () => String(await client.info("replication")).includes("master_link_status:up");
    if (index >= masters) await waitUntil(`node ${index} has what its master has`, hasAll, LIMITS);
    // Redirects and lists of nodes are asked of any of them.
    const knowsAll = async () =>
      String(await client.call("CLUSTER", "NODES")).match(/\bslave\b/g)?.length === nodes.length - masters;
    if (nodes.length > masters) await waitUntil(`node ${index} knows who replicates`, knowsAll, LIMITS);
  }
  await Promise.all(clients.map(closeRedis));
}
