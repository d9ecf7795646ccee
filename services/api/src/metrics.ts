/**
 * What the api counts, as verbs of its domain. Names and help are in runtime/metric-names.
 */

import type { DispatchErrorCode } from "@muster/domain/errors";
import type { Metrics } from "@muster/runtime/metrics";

export interface ApiMetrics {
  /** Not counted again when the call is repeated. */
  orderAccepted(): void;
  orderRefused(): void;
  /** Any call, by why it was refused or failed. */
  refused(reason: DispatchErrorCode): void;
}

export function apiMetrics(metrics: Metrics): ApiMetrics {
  const accepted = metrics.counter("orders_accepted_total");
  const refusedOrders = metrics.counter("orders_refused_total");
  const refusals = metrics.counter("refusals_total");
  return {
    orderAccepted: () => accepted.add({ api: "twirp" }),
    orderRefused: () => refusedOrders.add({ api: "twirp" }),
    refused: (reason) => refusals.add({ reason }),
  };
}
