/**
 * What a caller is told of an order that was taken and may still not do what was meant. A worker registers for one type of
 * job, and an order's target says which type it needs: where no such worker was ever seen, its jobs wait, in silence. Reads
 * only.
 */

import { JOB_TYPES, type JobType, poolName, poolOf } from "@muster/domain/pool";
import { knownTarget } from "@muster/domain/target";
import type { Ledger } from "@muster/ledger/ledger";
import type { OrderPart } from "../room-orders.js";

type KnownPools = Pick<Ledger, "knownPools">;

/** The types of workers that can serve each target; the first is the one that it is made for. */
const TYPES_OF = { room: JOB_TYPES, publishers: ["publisher"], participants: ["participant"] } as const;

/** Of an order for which no worker was ever seen, in any namespace where it has a part: a misspelt name, a worker of another type. */
export async function orderWarnings(
  ledger: KnownPools,
  parts: readonly Pick<OrderPart, "namespace" | "order">[],
): Promise<string[]> {
  const [first] = parts;
  const target = first && knownTarget(first.order.target);
  if (first === undefined || target === undefined) return [];
  const types = TYPES_OF[target.for];
  const { agent, deployment, fallback } = first.order;
  const asked = [{ agentName: agent, deployment }, ...fallback];
  const names = types.flatMap((type) => asked.map((who) => poolName({ ...who, type })));
  const known = await Promise.all(parts.map(({ namespace }) => ledger.knownPools({ namespace, names })));
  return known.some((reply) => reply.names.length > 0) ? [] : [warningOf(agent, types[0])];
}

/** Of a job that waits for a pool of which no worker was ever seen. */
export async function jobWarnings(ledger: KnownPools, namespace: string, pool: string): Promise<string[]> {
  const { names } = await ledger.knownPools({ namespace, names: [pool] });
  if (names.length > 0) return [];
  const { agentName, type } = poolOf(pool);
  return [warningOf(agentName, type)];
}

function warningOf(agent: string, type: JobType): string {
  const who = agent === "" ? "the agent without a name" : `agent ${JSON.stringify(agent)}`;
  return `no worker of type ${type} is known for ${who}; a job of this type waits until such a worker registers`;
}
