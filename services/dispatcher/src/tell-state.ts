/**
 * What a dispatcher says of itself whenever its metrics are read: its actors, their mail, the nodes it knows, what it last
 * saw in its intake queues. All of it from memory: a reader costs Redis nothing.
 */

import type { ActorHost } from "@muster/actor/actor-host";
import type { NodeLease } from "@muster/actor/node-lease";
import type { NamespaceMessage } from "@muster/domain/node-message";
import type { DispatcherMetrics } from "./metrics.js";
import type { PoolGauges } from "./pool-gauges.js";

export interface TellStateDeps {
  host: ActorHost<NamespaceMessage>;
  lease: NodeLease;
  gauges: PoolGauges;
  /** Entries that were seen in the queue of each namespace here, where there were some. */
  queued: ReadonlyMap<string, number>;
  metrics: Pick<DispatcherMetrics, "beforeRead">;
}

export function tellState({ host, lease, gauges, queued, metrics }: TellStateDeps): void {
  metrics.beforeRead(() => {
    const { turns, failures, refused, coalesced, activated, rested, handedOver } = host.counts;
    return {
      actors: host.hostedNames().length,
      mailboxMessages: host.waitingMessages(),
      counts: {
        ...{ turn: turns, failed: failures, handed_over: handedOver },
        ...{ refused, coalesced, activated, rested },
      },
      liveNodes: lease.liveNodes().length,
      intakeQueued: [...queued.values()].reduce((sum, count) => sum + count, 0),
      figuresAgeMs: gauges.read(),
    };
  });
}
