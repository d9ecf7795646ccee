/**
 * Which namespaces of a project know an agent. Owns a small cache of positive answers, so that a steady stream of orders
 * for one agent asks the directory rarely. Never remembers that nobody knows an agent: its first worker may register
 * the moment after, and the next order must see it. A list that lacks a newcomer is found out where the order is made
 * (lua/create-order.lua), which is why each says how old it is, and is read again then.
 */

import { BRIEF_MEMORY_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";

const REMEMBER_MS = 5_000;
const MAX_AGENTS = 10_000;

export interface KnownNamespacesDeps {
  ledger: Pick<Ledger, "listAgent">;
  clock: Clock;
  maxAgents?: number;
}

export interface KnownList {
  /** Sorted; empty when no worker of that agent was seen. */
  namespaces: readonly string[];
  /** No worker of it stayed in any of them: they forget it soon. */
  isBrief: boolean;
  /** When it was asked for, by the clock given. */
  readAtMs: number;
}

export class KnownNamespaces {
  readonly #deps: KnownNamespacesDeps;
  /** In the order of reading, the oldest first. */
  readonly #known = new Map<string, KnownList>();
  /** How often a list was forgotten: what was asked for before may still have what is no more. */
  #timesForgotten = 0;

  constructor(deps: KnownNamespacesDeps) {
    this.#deps = deps;
  }

  /** At most 5 s old; `anew`: none that was remembered. */
  async of(project: string, agent: string, { anew = false } = {}): Promise<KnownList> {
    const { ledger, clock } = this.#deps;
    const name = nameOf(project, agent);
    const timesForgotten = this.#timesForgotten;
    const nowMs = clock.now();
    const cached = this.#known.get(name);
    if (cached !== undefined && !anew && nowMs - cached.readAtMs < REMEMBER_MS) return cached;
    const { brief, ...reply } = await ledger.listAgent({ project, agent, briefMs: BRIEF_MEMORY_MS });
    const namespaces = reply.namespaces.sort();
    this.#known.delete(name);
    const list = { namespaces, isBrief: brief === 1, readAtMs: nowMs };
    if (namespaces.length > 0 && timesForgotten === this.#timesForgotten) this.#remember(name, list);
    return list;
  }

  /** Somebody changed the list: the next call reads it. Other processes remember theirs until it is old. */
  forget(project: string, agent: string): void {
    this.#timesForgotten += 1;
    this.#known.delete(nameOf(project, agent));
  }

  #remember(name: string, known: KnownList): void {
    this.#known.set(name, known);
    if (this.#known.size <= (this.#deps.maxAgents ?? MAX_AGENTS)) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }
}

function nameOf(project: string, agent: string): string {
  return `${project}\0${agent}`;
}
