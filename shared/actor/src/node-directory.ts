/**
 * Owns what a process that needs other nodes knows of them. Read on demand and remembered for a second, so one that
 * asks nothing costs nothing. Never a promise: a node listed here may be dead for as long as its lease runs, which
 * whoever sends to it learns as "gone" and reports by forget().
 */
import type { Clock } from "@muster/runtime/clock";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript } from "@muster/runtime/redis/script";
import { leasesKey, type NodeRole } from "./keys.js";
import { loadScript, textReply } from "./lua-script.js";

const LIVE_NODES = loadScript("live-nodes", 1);
const DEFAULT_CACHE_MS = 1_000;

export interface NodeDirectoryDeps {
  redis: RedisClient;
  clock: Clock;
  cacheMs?: number;
}

export interface NodeDirectory {
  /** The live nodes of a role, at most a second old, in the order of their ids. Rejects when Redis cannot be asked. */
  live(role: NodeRole): Promise<readonly string[]>;
  /** Leaves a node out until the leases are read again. */
  forget(nodeId: string): void;
}

interface Known {
  nodes: readonly string[];
  readAtMs: number;
}

export function createNodeDirectory({
  redis,
  clock,
  cacheMs = DEFAULT_CACHE_MS,
}: NodeDirectoryDeps): NodeDirectory {
  const known = new Map<NodeRole, Known>();
  const reading = new Map<NodeRole, Promise<readonly string[]>>();
  /** Forgotten while a read was under way: that read may have seen it still. */
  const forgottenWhileReading = new Set<string>();

  async function read(role: NodeRole): Promise<readonly string[]> {
    const readAtMs = clock.now();
    try {
      const reply = await runScript(redis, LIVE_NODES, [leasesKey(role)], []);
      const listed = textReply(reply, LIVE_NODES).sort();
      const nodes = listed.filter((nodeId) => !forgottenWhileReading.has(nodeId));
      known.set(role, { nodes, readAtMs });
      return nodes;
    } finally {
      reading.delete(role);
      if (reading.size === 0) forgottenWhileReading.clear();
    }
  }

  return {
    async live(role) {
      const cached = known.get(role);
      if (cached !== undefined && clock.now() - cached.readAtMs < cacheMs) return cached.nodes;
      const running = reading.get(role) ?? read(role);
      reading.set(role, running);
      return await running;
    },
    forget(nodeId) {
      for (const [role, cached] of known) {
        known.set(role, { ...cached, nodes: cached.nodes.filter((node) => node !== nodeId) });
      }
      if (reading.size > 0) forgottenWhileReading.add(nodeId);
    },
  };
}
