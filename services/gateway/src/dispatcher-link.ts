/**
 * Owns what a gateway tells the dispatcher that hosts a namespace. These are hints: the facts are in the ledger with a
 * timer behind each, so one that reaches nobody is counted and dropped, and nobody waits for one.
 */

import type { ActorLink } from "@muster/actor/actor-link";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { ByteBudget } from "@muster/runtime/byte-budget";
import type { Log } from "@muster/runtime/log";
import type { GatewayMetrics } from "./gateway-metrics.js";

/** What a hint takes in memory until it is sent, and what all of them may. */
const HINT_BYTES = 1_024;
const MOST_BYTES = 16 * 1024 * 1024;

export interface DispatcherLinkDeps {
  actors: ActorLink<NamespaceMessage>;
  metrics: GatewayMetrics;
  log: Log;
}

export interface DispatcherLink {
  /** Begins to send and returns. */
  tell(namespace: string, message: NamespaceMessage): void;
  /** The pools to serve that a script answered; "" is none. */
  serve(namespace: string, ...pools: string[]): void;
}

export function createDispatcherLink({ actors, metrics, log }: DispatcherLinkDeps): DispatcherLink {
  const underWay = new ByteBudget(MOST_BYTES);

  async function deliver(namespace: string, message: NamespaceMessage): Promise<void> {
    if (!underWay.take(HINT_BYTES)) {
      metrics.hintDropped("unavailable");
      return;
    }
    try {
      if ((await actors.tell(namespace, message)) === "sent") return;
      metrics.hintDropped("no_dispatcher");
      log.debug({ namespace, kind: message.kind }, "no dispatcher to tell");
    } catch (error) {
      metrics.hintDropped("unavailable");
      log.warn({ namespace, kind: message.kind, err: error }, "a dispatcher could not be told");
    } finally {
      underWay.give(HINT_BYTES);
    }
  }

  return {
    tell: (namespace, message) => void deliver(namespace, message),
    serve(namespace, ...pools) {
      for (const pool of pools) if (pool !== "") void deliver(namespace, { kind: "serve", pool });
    },
  };
}
