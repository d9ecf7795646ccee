/**
 * Says that a worker was taken for sick, in the words of whoever's call to the ledger brought it to light: counted, and in
 * the log; with what to do where it was the last that could take work. Changes nothing.
 */

import type { EjectionReason } from "@muster/domain/ejection";
import type { Log } from "@muster/runtime/log";
import type { Ejection } from "./shapes.js";

export interface EjectionMetrics {
  /** `isLast`: no other worker of its agent could take work. */
  workerEjected(reason: EjectionReason, isLast: boolean): void;
}

const DID: Readonly<Record<EjectionReason, string>> = {
  silent: "worker does not answer offers and is offered nothing for a while",
  rejects: "worker refuses whatever it is offered and is offered nothing for a while",
  fails_early: "worker's jobs fail at once and it is offered nothing for a while",
  never_starts: "worker accepts jobs that never start and is offered nothing for a while",
};

/** null: nobody was. */
export function tellEjection(
  { log, metrics }: { log: Log; metrics: EjectionMetrics },
  namespace: string,
  ejection: Ejection | null,
): void {
  if (ejection === null) return;
  const { session, agent, reason, ejections, until_ms: untilMs, last_of_pool: isLast } = ejection;
  metrics.workerEjected(reason, isLast);
  const fields = { namespace, session, agent, reason, ejections, untilMs };
  log.warn(fields, DID[reason]);
  if (!isLast) return;
  log.warn(
    fields,
    "that was the last worker of its agent that could take work, so its jobs wait for it: look at its log, start " +
      "another worker, or reinstate this one through POST /v1/workers/{id}/reinstate once it is well",
  );
}
