/**
 * Says that a worker was taken for sick, or a job for one that no worker can do, in the words of whoever's call to the ledger
 * brought it to light: counted, and in the log, with what to do about it. Changes nothing.
 */

import type { EjectionReason } from "@muster/domain/ejection";
import type { Log } from "@muster/runtime/log";
import type { Blame, Ejection, SuspectJob } from "./shapes.js";

export interface BlameMetrics {
  /** `isLast`: no other worker of its agent could take work, so that it was not. */
  workerEjected(reason: EjectionReason, isLast: boolean): void;
  jobSuspected(reason: EjectionReason): void;
}

const DID: Readonly<Record<EjectionReason, string>> = {
  silent: "worker does not answer offers and is offered nothing for a while",
  rejects: "worker refuses whatever it is offered and is offered nothing for a while",
  fails_early: "worker's jobs fail at once and it is offered nothing for a while",
  never_starts: "worker accepts jobs that never start and is offered nothing for a while",
};

const LAST_DOES: Readonly<Record<EjectionReason, string>> = {
  silent: "the only worker of its agent that can take work does not answer offers",
  rejects: "the only worker of its agent that can take work refuses whatever it is offered",
  fails_early: "the jobs of the only worker of its agent that can take work fail at once",
  never_starts: "the only worker of its agent that can take work accepts jobs that never start",
};

/** null: nobody is to blame. */
export function tellBlame(
  deps: { log: Log; metrics: BlameMetrics },
  namespace: string,
  blame: Blame | null,
): void {
  if (blame === null) return;
  if ("suspect" in blame) tellSuspect(deps, namespace, blame);
  else tellEjection(deps, namespace, blame);
}

function tellSuspect(
  { log, metrics }: { log: Log; metrics: BlameMetrics },
  namespace: string,
  { suspect: job, room, agent, reason }: SuspectJob,
): void {
  metrics.jobSuspected(reason);
  log.warn(
    { namespace, job, room, agent, reason },
    "several workers could not do this job, so it is tried last from now on: see what its order asks for",
  );
}

function tellEjection(
  { log, metrics }: { log: Log; metrics: BlameMetrics },
  namespace: string,
  { session, agent, reason, ejections, until_ms: untilMs, last_of_pool: isLast }: Ejection,
): void {
  metrics.workerEjected(reason, isLast);
  const fields = { namespace, session, agent, reason };
  if (isLast)
    log.warn(fields, `${LAST_DOES[reason]}: it is asked on; look at its log, or start another worker`);
  else log.warn({ ...fields, ejections, untilMs }, DID[reason]);
}
