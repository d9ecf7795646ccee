/**
 * Which namespaces of a project know an agent. Owns a small cache of positive answers, so that a steady stream of orders
 * for one agent asks the directory rarely. Never remembers that nobody knows an agent: its first worker may register
 * the moment after, and the next order must see it.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";

const REMEMBER_MS = 5_000;
const MAX_AGENTS = 10_000;

export interface KnownNamespacesDeps {
  ledger: Pick<Ledger, "listAgent">;
  clock: Clock;
  maxAgents?: number;
}

interface Known {
  namespaces: readonly string[];
  readAtMs: number;
}

export class KnownNamespaces {
  readonly #deps: KnownNamespacesDeps;
  /** In the order of reading, the oldest first. */
  readonly #known = new Map<string, Known>();

  constructor(deps: KnownNamespacesDeps) {
    this.#deps = deps;
  }

  /** Sorted; empty when no worker of that agent was seen. At most 5 s old. */
  async of(project: string, agent: string): Promise<readonly string[]> {
    const { ledger, clock } = this.#deps;
    const name = `${project}\0${agent}`;
    const nowMs = clock.now();
    const cached = this.#known.get(name);
    if (cached !== undefined && nowMs - cached.readAtMs < REMEMBER_MS) return cached.namespaces;
    const namespaces = (await ledger.listAgent({ project, agent })).namespaces.sort();
    this.#known.delete(name);
    if (namespaces.length > 0) this.#remember(name, { namespaces, readAtMs: nowMs });
    return namespaces;
  }

  #remember(name: string, known: Known): void {
    this.#known.set(name, known);
    if (this.#known.size <= (this.#deps.maxAgents ?? MAX_AGENTS)) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }
}
