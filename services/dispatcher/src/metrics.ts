/**
 * What a dispatcher counts, as verbs of its domain. Names and help are in runtime/metric-names.
 */

import type { JobOutcome } from "@muster/domain/job";
import type { Metrics } from "@muster/runtime/metrics";

export interface DispatcherMetrics {
  jobClaimed(): void;
  jobParked(): void;
  /** Ended by a timer: expired, failed, unknown. */
  jobEnded(outcome: string): void;
  /** Ended records whose time of keeping was over. */
  forgotten(jobs: number, orders: number): void;
}

export function dispatcherMetrics(metrics: Metrics): DispatcherMetrics {
  const claimed = metrics.counter("jobs_claimed_total");
  const parked = metrics.counter("jobs_parked_total");
  const ended = metrics.counter("jobs_ended_total");
  const expirations = metrics.counter("retention_expirations_total");
  return {
    jobClaimed: () => claimed.add({}),
    jobParked: () => parked.add({}),
    jobEnded: (outcome) => ended.add({ outcome: outcome as JobOutcome }),
    forgotten(jobs, orders) {
      expirations.add({ kind: "job" }, jobs);
      expirations.add({ kind: "order" }, orders);
    },
  };
}
