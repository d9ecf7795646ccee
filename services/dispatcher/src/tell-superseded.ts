/** Tells of jobs that ended because their caller ordered the agent again (shared/ledger/lua/includes/superseding.lua). */

import type { Log } from "@muster/runtime/log";
import type { DispatcherMetrics } from "./metrics.js";

export interface TellSupersededDeps {
  namespace: string;
  metrics: Pick<DispatcherMetrics, "jobEnded">;
  log: Log;
}

/** `job` is the later one. */
export function tellSuperseded(
  { namespace, metrics, log }: TellSupersededDeps,
  job: string,
  count: number,
): void {
  for (let ended = 0; ended < count; ended++) metrics.jobEnded("unknown");
  log.info(
    { namespace, job, count },
    "earlier jobs of workers that report nothing ended, since their caller ordered the agent again",
  );
}
