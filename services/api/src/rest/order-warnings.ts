/**
 * What a caller is told of an order that was taken and may still not do what was meant. A worker registers for one type of
 * job, and an order's target says which type it needs: where no such worker was ever seen, its jobs wait, in silence. Reads
 * only.
 */

import { JOB_TYPES, type JobType, type Pool, poolName, poolOf } from "@muster/domain/pool";
import { knownTarget } from "@muster/domain/target";
import type { Ledger } from "@muster/ledger/ledger";
import type { OrderPart } from "../room-orders.js";

type KnownPools = Pick<Ledger, "knownPools">;

/** The type of worker that each target is made for. */
const TYPE_OF = { room: "room", publishers: "publisher", participants: "participant" } as const;

/** Of an order for which no worker was ever seen, in any namespace where it has a part: a misspelt name, a worker of another type. */
export async function orderWarnings(
  ledger: KnownPools,
  parts: readonly Pick<OrderPart, "namespace" | "order">[],
): Promise<string[]> {
  const [first] = parts;
  const target = first && knownTarget(first.order.target);
  if (first === undefined || target === undefined) return [];
  const { agent, deployment, fallback } = first.order;
  const asked = [{ agentName: agent, deployment }, ...fallback];
  const namespaces = parts.map(({ namespace }) => namespace);
  return await warningsOf(ledger, { namespaces, asked, agent, type: TYPE_OF[target.for] });
}

/** Of a job that waits for a pool of which no worker was ever seen. */
export async function jobWarnings(ledger: KnownPools, namespace: string, pool: string): Promise<string[]> {
  const { type, ...who } = poolOf(pool);
  return await warningsOf(ledger, { namespaces: [namespace], asked: [who], agent: who.agentName, type });
}

interface Asked {
  namespaces: readonly string[];
  /** Who may take it: its agent, and those of its fallback. */
  asked: readonly Omit<Pool, "type">[];
  agent: string;
  type: JobType;
}

async function warningsOf(ledger: KnownPools, { namespaces, asked, agent, type }: Asked): Promise<string[]> {
  const names = JOB_TYPES.flatMap((one) => asked.map((who) => poolName({ ...who, type: one })));
  const known = await Promise.all(namespaces.map((namespace) => ledger.knownPools({ namespace, names })));
  const seen = new Set(known.flatMap((reply) => reply.names.map((name) => poolOf(name).type)));
  return seen.has(type) ? [] : [warningOf(agent, type, [...seen].sort())];
}

function warningOf(agent: string, type: JobType, others: readonly JobType[]): string {
  const who = agent === "" ? "the agent without a name" : `agent ${JSON.stringify(agent)}`;
  const but = others.length === 0 ? "" : `, only of type ${others.join(" and ")}`;
  return `no worker of type ${type} is known for ${who}${but}; a job of this type waits until such a worker registers`;
}
