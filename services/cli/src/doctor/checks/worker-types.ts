/**
 * Whether jobs wait for a type of worker that their agent has not: an order for the room where all workers serve publishers,
 * or the other way round. Such jobs look like those of an agent without workers, and no more workers of it help. Reads only.
 */

import { createDueIndex } from "@muster/actor/due-index";
import { type Pool, poolOf, serverName } from "@muster/domain/pool";
import type { PoolSize } from "@muster/domain/scaling";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import { measurePool } from "@muster/ledger/pool-size";
import type { Check } from "../check.js";
import { ok, warn } from "../finding.js";
import { redisOf } from "../surroundings.js";

/** In each of the index's 16 parts; those with jobs that wait are listed there. */
const NAMESPACES_A_PART = 4;
const POOLS = 64;
const NAMED = 3;

interface Seen {
  pool: Pool;
  size: PoolSize;
}

export const workerTypes: Check = {
  name: "worker-types",
  looksAt: "Where jobs wait, their agent has a worker of their type, or none at all (of 64 namespaces).",
  async run(surroundings) {
    const redis = await redisOf(surroundings).client();
    const ledger = createLedger(redis);
    const found: string[] = [];
    for (const namespace of await createDueIndex({ redis }).listed(NAMESPACES_A_PART)) {
      const seen = await poolsOf(ledger, namespace);
      for (const one of seen) {
        const others = seen.filter(({ pool, size }) => isSameServer(pool, one.pool) && hasWorkers(size));
        if (one.size.queued > 0 && !hasWorkers(one.size) && others.length > 0)
          found.push(misfit(namespace, one, others));
      }
    }
    if (found.length === 0) return [ok("no job waits for a type of worker that its agent has not")];
    const more = found.length > NAMED ? `; and ${found.length - NAMED} more` : "";
    return [
      warn(
        `${found.slice(0, NAMED).join("; ")}${more}`,
        "order it for what its workers serve (target), or run workers of that type; docs/TARGETS.md has which is which",
      ),
    ];
  },
};

async function poolsOf(ledger: Ledger, namespace: string): Promise<Seen[]> {
  const { names } = await ledger.listPools({ namespace, limit: POOLS, ends: POOLS });
  return await Promise.all(
    names.map(async (name) => ({ pool: poolOf(name), size: await measurePool(ledger, namespace, name) })),
  );
}

const isSameServer = (one: Pool, other: Pool) => serverName(one) === serverName(other);

const hasWorkers = (size: PoolSize) =>
  size.available + size.full + size.cooling + size.draining + size.drained > 0;

function misfit(namespace: string, { pool, size }: Seen, others: readonly Seen[]): string {
  const agent = pool.agentName === "" ? "the agent without a name" : JSON.stringify(pool.agentName);
  const types = others.map((other) => other.pool.type).join(" and ");
  const jobs = size.queued === 1 ? "1 job" : `${size.queued} jobs`;
  return `${jobs} of type ${pool.type} of ${agent} in ${namespace} wait, and it has workers of type ${types} alone`;
}
