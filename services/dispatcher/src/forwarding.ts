/**
 * Sends on what reached this node and belongs to another: hints for namespaces that moved, or that are handed over while
 * this node stops. They are hints, so nothing waits for them but the end of the process.
 */

import type { ActorLink } from "@muster/actor/actor-link";
import { within } from "@muster/actor/timing";
import type { NamespaceMessage } from "@muster/domain/node-message";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";

export interface ForwardingDeps {
  link: ActorLink<NamespaceMessage>;
  clock: Clock;
  log: Log;
}

const SETTLE_LIMIT_MS = 1_000;

export class Forwarding {
  readonly #deps: ForwardingDeps;
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: ForwardingDeps) {
    this.#deps = deps;
  }

  send(namespace: string, message: NamespaceMessage): void {
    const { link, log } = this.#deps;
    const sending = link
      .tell(namespace, message)
      .then(() => undefined)
      .catch((error: unknown) => log.warn({ namespace, err: error }, "hint could not be forwarded"))
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  /** Resolves when all that was sent has arrived, or at a limit: without Redis it would take for ever. */
  async settled(): Promise<void> {
    await within(this.#deps.clock, SETTLE_LIMIT_MS, Promise.all(this.#underWay));
  }
}
