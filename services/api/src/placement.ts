/**
 * Where an order goes: the namespace that it names, or the namespaces of the project that know its agent (LiveKit's
 * meaning of a dispatch without a namespace: one job in each), else the default one. Owns the directory entry, and that
 * a repeated call goes where the first one went, also when a worker registered elsewhere in between; and that of two
 * contents that come at once under one key, one is refused, wherever they would go.
 */

import { DispatchError } from "@muster/domain/errors";
import { namespaceName } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import type { KnownNamespaces } from "./known-namespaces.js";
import type { NewOrder } from "./order-request.js";
import type { OrderPolicy } from "./policy.js";
import { askedDigest, refuseAnother, refuseOther } from "./same-order.js";

export interface PlacementDeps {
  ledger: Pick<Ledger, "enterOrder" | "findOrder" | "findCall" | "takeKey" | "keepAgent">;
  known: KnownNamespaces;
  policy: Pick<OrderPolicy, "keepEntryMs" | "waitMs" | "maxNamespacesPerOrder">;
}

/** Longer than a call lasts; what it made, or was merged into, says from then on whose the key is. */
const KEY_TAKEN_MS = 60_000;

type Placed = Pick<NewOrder, "project" | "agent" | "namespace" | "fallback">;

export interface Choice {
  namespaces: readonly string[];
  /** When the list was read that they come from, by the clock of KnownNamespaces; undefined: they come from none. */
  listedAtMs?: number;
  /** The agent in the list that is remembered there for minutes only. */
  briefAgent?: string;
}

export class Placement {
  readonly #deps: PlacementDeps;

  constructor(deps: PlacementDeps) {
    this.#deps = deps;
  }

  /** @throws DispatchError `already_exists`, `too_many_namespaces`, before anything is written */
  async place(order: NewOrder, id: string): Promise<Choice> {
    const fallback = namespaceName(order.project, "");
    const chosen = await this.#choose(order);
    const isPlain = isOnly(chosen.namespaces, fallback);
    // Also where it would go to the default one alone: its key may stand for something elsewhere.
    const isKeyed = order.repeat?.by === "idempotency_key";
    if (isPlain && !isKeyed) return chosen;
    const earlier = order.repeat === undefined ? [] : await this.#earlierChoice(order, fallback, id);
    // A repeat takes its first call's choice, however old.
    if (order.namespace === undefined && earlier.length > 0)
      return this.#enter(order, id, { namespaces: earlier });
    this.#refuseTooMany(order, chosen);
    return await this.#enter(order, id, chosen);
  }

  /**
   * Whether the order has been made, or merged, under this id and with this content. For ids that orders do not get any more.
   * Writes nothing.
   */
  async isRepeat(order: NewOrder, id: string): Promise<boolean> {
    const { ledger } = this.#deps;
    const { project } = order;
    const fallback = namespaceName(project, "");
    const find = async (namespace: string) => {
      const call = await ledger.findCall({ namespace, order: id });
      return call.status === "found" && (call.asked === "" || call.asked === askedDigest(order));
    };
    const elsewhere = async () => {
      const { namespaces } = await ledger.findOrder({ project, order: id, room: "" });
      const found = await Promise.all(namespaces.filter((one) => one !== fallback).map(find));
      return found.includes(true);
    };
    const [isInDefault, isElsewhere] = await Promise.all([find(fallback), elsewhere()]);
    return isInDefault || isElsewhere;
  }

  /**
   * Once more, in the same call: the list that its choice came from lacked a namespace. Also in those that were chosen before,
   * where it may have been made.
   */
  async placeAnew(order: NewOrder, id: string, before: readonly string[]): Promise<Choice> {
    const { namespaces, ...listed } = await this.#choose(order, { anew: true });
    const both = [...new Set([...before, ...namespaces])].sort();
    this.#refuseTooMany(order, { namespaces: both });
    return await this.#enter(order, id, { namespaces: both, ...listed });
  }

  async #enter(order: NewOrder, id: string, choice: Choice): Promise<Choice> {
    const { namespaces } = choice;
    if (isOnly(namespaces, namespaceName(order.project, ""))) return choice;
    await this.#keep(order, choice);
    // All of them, also the default one if it is among them: the entry is what a repeat takes its choice from.
    const { project, room } = order;
    const { ledger, policy } = this.#deps;
    const keepMs = policy.keepEntryMs + (order.waitMs ?? 0);
    await ledger.enterOrder({ project, order: id, room, namespaces, keepMs });
    return choice;
  }

  /** What waits where no worker stayed so far is waited with: the orders that follow go to the same. */
  async #keep({ project, waitMs }: NewOrder, { namespaces, briefAgent: agent }: Choice): Promise<void> {
    const { ledger, policy } = this.#deps;
    if (agent === undefined) return;
    await ledger.keepAgent({ project, agent, names: [...namespaces], keepMs: waitMs ?? policy.waitMs });
  }

  /** One order is one job in each, and each waits by itself. The default one comes on top, as it does for workers. */
  #refuseTooMany({ agent, project }: Placed, { namespaces }: Choice): void {
    const most = this.#deps.policy.maxNamespacesPerOrder;
    const fallback = namespaceName(project, "");
    const named = namespaces.filter((namespace) => namespace !== fallback).length;
    if (most === 0 || named <= most) return;
    throw new DispatchError(
      "too_many_namespaces",
      `${JSON.stringify(agent)} is known in ${named} namespaces, and an order goes to ${most} at most: name one (\`namespace\` of POST /v1/orders), have those forgotten that are no more (GET and DELETE /v1/pools), or raise MUSTER_MAX_NAMESPACES_PER_ORDER`,
    );
  }

  /** Where a first call would go now; where nobody knows its agent, to those who know the next one. Writes nothing. */
  async choose(order: Placed): Promise<readonly string[]> {
    return (await this.#choose(order)).namespaces;
  }

  async #choose(
    { project, agent, namespace, fallback: steps }: Placed,
    how: { anew?: boolean } = {},
  ): Promise<Choice> {
    if (namespace !== undefined) return { namespaces: [namespaceName(project, namespace)] };
    for (const asked of new Set([agent, ...steps.map((step) => step.agentName)])) {
      const { namespaces, readAtMs, isBrief } = await this.#deps.known.of(project, asked, how);
      if (namespaces.length > 0)
        return { namespaces, listedAtMs: readAtMs, ...(isBrief && { briefAgent: asked }) };
    }
    return { namespaces: [namespaceName(project, "")] };
  }

  /**
   * Where an earlier call that this one repeats went, if there was one; a merged one is one too.
   * @throws DispatchError `already_exists`
   */
  async #earlierChoice(order: NewOrder, fallback: string, id: string): Promise<readonly string[]> {
    const { ledger } = this.#deps;
    const [{ entered, asked }, inDefault] = await Promise.all([
      this.#entered(order, id),
      ledger.findCall({ namespace: fallback, order: id }),
    ]);
    const isInDefault = inDefault.status === "found";
    if (isInDefault) refuseOther(order, inDefault.asked);
    const elsewhere = entered.filter((namespace) => namespace !== fallback);
    const isElsewhere = await refuseAnother(ledger, order, id, elsewhere);
    // Nothing was made yet: whoever took the key may be about to.
    if (!isInDefault && !isElsewhere) refuseOther(order, asked);
    if (entered.length > 0) return entered;
    return isInDefault ? [fallback] : [];
  }

  async #entered(order: NewOrder, id: string): Promise<{ entered: readonly string[]; asked: string }> {
    const { ledger } = this.#deps;
    const { project } = order;
    if (order.repeat?.by !== "idempotency_key") {
      const { namespaces } = await ledger.findOrder({ project, order: id, room: "" });
      return { entered: namespaces.sort(), asked: "" };
    }
    const mine = { asked: askedDigest(order), keepMs: KEY_TAKEN_MS };
    const { namespaces, asked } = await ledger.takeKey({ project, order: id, ...mine });
    return { entered: namespaces.sort(), asked };
  }
}

function isOnly(namespaces: readonly string[], fallback: string): boolean {
  return namespaces.length === 1 && namespaces[0] === fallback;
}
