/**
 * Where an order goes: the namespace that it names, or the namespaces of the project that know its agent (LiveKit's
 * meaning of a dispatch without a namespace: one job in each), else the default one. Owns the directory entry, and that
 * a repeated call goes where the first one went, also when a worker registered elsewhere in between.
 */

import { namespaceName } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import type { KnownNamespaces } from "./known-namespaces.js";
import type { NewOrder } from "./order-request.js";
import type { OrderPolicy } from "./policy.js";
import { refuseAnother } from "./same-order.js";

export interface PlacementDeps {
  ledger: Pick<Ledger, "enterOrder" | "findOrder" | "readRecord">;
  known: KnownNamespaces;
  policy: Pick<OrderPolicy, "keepEntryMs">;
}

export class Placement {
  readonly #deps: PlacementDeps;

  constructor(deps: PlacementDeps) {
    this.#deps = deps;
  }

  /** @throws DispatchError `already_exists`, before anything is written */
  async place(order: NewOrder, id: string): Promise<readonly string[]> {
    const fallback = namespaceName(order.project, "");
    const chosen = await this.choose(order);
    const isPlain = isOnly(chosen, fallback);
    // Also where it would go to the default one alone: its key may stand for something elsewhere.
    const isKeyed = order.repeat?.by === "idempotency_key";
    if (isPlain && !isKeyed) return chosen;
    const earlier = order.repeat === undefined ? [] : await this.#earlierChoice(order.project, fallback, id);
    await refuseAnother(this.#deps.ledger, order, id, earlier);
    const namespaces = order.namespace !== undefined || earlier.length === 0 ? chosen : earlier;
    if (isOnly(namespaces, fallback)) return namespaces;
    // All of them, also the default one if it is among them: the entry is what a repeat takes its choice from.
    const { project, room } = order;
    const { ledger, policy } = this.#deps;
    const keepMs = policy.keepEntryMs + (order.waitMs ?? 0);
    await ledger.enterOrder({ project, order: id, room, namespaces, keepMs });
    return namespaces;
  }

  /** Where a first call would go now; where nobody knows its agent, to those who know the next one. Writes nothing. */
  async choose(
    order: Pick<NewOrder, "project" | "agent" | "namespace" | "fallback">,
  ): Promise<readonly string[]> {
    const { project, agent, namespace, fallback: steps } = order;
    if (namespace !== undefined) return [namespaceName(project, namespace)];
    for (const asked of new Set([agent, ...steps.map((step) => step.agentName)])) {
      const known = await this.#deps.known.of(project, asked);
      if (known.length > 0) return known;
    }
    return [namespaceName(project, "")];
  }

  /** Where an earlier call that this one repeats went, if there was one. */
  async #earlierChoice(project: string, fallback: string, id: string): Promise<readonly string[]> {
    const { ledger } = this.#deps;
    const [entered, inDefault] = await Promise.all([
      ledger.findOrder({ project, order: id, room: "" }),
      ledger.readRecord({ namespace: fallback, kind: "order", id }),
    ]);
    if (entered.namespaces.length > 0) return entered.namespaces.sort();
    return inDefault.status === "found" ? [fallback] : [];
  }
}

function isOnly(namespaces: readonly string[], fallback: string): boolean {
  return namespaces.length === 1 && namespaces[0] === fallback;
}
