/**
 * Messages to the nodes that can act at once: the dispatcher that hosts a namespace, the gateway that has a worker's
 * socket. All of them are hints of what the ledger says already, so nobody waits for them and none of them fails a
 * request. `settled()` waits for those under way, for an orderly end.
 */

import type { ActorLink } from "@muster/actor/actor-link";
import type { Outbox } from "@muster/actor/outbox";
import type { NamespaceMessage, StopMessage } from "@muster/domain/node-message";
import type { Stop } from "@muster/ledger/shapes";
import type { Log } from "@muster/runtime/log";

export interface HintsDeps {
  actors: ActorLink<NamespaceMessage>;
  outbox: Pick<Outbox, "send">;
  log: Log;
}

export class Hints {
  readonly #deps: HintsDeps;
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: HintsDeps) {
    this.#deps = deps;
  }

  /** Tells the dispatcher that hosts the namespace, where one is live. */
  wake(namespace: string, message: NamespaceMessage): void {
    this.#track(this.#deps.actors.tell(namespace, message));
  }

  /** Tells the gateway to tell its worker. A gateway that is gone has no such worker any more. */
  stop(namespace: string, { gateway, session, job, wire }: Stop): void {
    const message: StopMessage = { kind: "stop", namespace, session, job, wire };
    this.#track(this.#deps.outbox.send(gateway, message));
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #track(sending: Promise<unknown>): void {
    const settled = sending
      .then(() => undefined)
      .catch((error: unknown) => {
        this.#deps.log.warn(
          { error: String(error) },
          "a hint was not sent; a timer in the ledger takes its place",
        );
      })
      .finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }
}
