/**
 * Where an order goes: the namespaces of the project that know its agent (LiveKit's meaning of a dispatch without a
 * namespace: one job in each), else the default one. Owns the directory entry, and that a repeated call goes where the
 * first one went, also when a worker registered elsewhere in between.
 */

import { namespaceName } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import type { KnownNamespaces } from "./known-namespaces.js";
import type { NewOrder } from "./order-request.js";
import type { OrderPolicy } from "./policy.js";

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

  async place(order: NewOrder, id: string): Promise<readonly string[]> {
    const fallback = namespaceName(order.project, "");
    const known = await this.#deps.known.of(order.project, order.agent);
    const chosen = known.length === 0 ? [fallback] : known;
    if (chosen.length === 1 && chosen[0] === fallback) return chosen;
    const earlier =
      order.requestId === undefined ? [] : await this.#earlierChoice(order.project, fallback, id);
    const namespaces = earlier.length === 0 ? chosen : earlier;
    if (namespaces.length === 1 && namespaces[0] === fallback) return namespaces;
    // All of them, also the default one if it is among them: the entry is what a repeat takes its choice from.
    const { project, room } = order;
    const { ledger, policy } = this.#deps;
    await ledger.enterOrder({ project, order: id, room, namespaces, keepMs: policy.keepEntryMs });
    return namespaces;
  }

  /** Where an earlier call with this request id went, if there was one. */
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
