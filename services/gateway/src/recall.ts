/**
 * Owns learning what a job is that came with a migration: its offer was made to another socket, maybe of another
 * gateway. Read from the ledger, a few at a time and in no hurry; a job whose facts could not be read runs on, and only
 * a Redis that forgets it would not learn of it again.
 */

import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord, orderRecord } from "@muster/ledger/records";
import { factsOf } from "./restored-job.js";
import type { Session } from "./session.js";

interface MovedJob {
  job: string;
  wire: string;
}

/** Begins to read and returns. Never rejects. */
export function recall(
  ledger: Ledger,
  session: Session,
  namespace: string,
  moved: readonly MovedJob[],
): void {
  void recallAll(ledger, session, namespace, moved).catch((error: unknown) =>
    session.log.warn({ jobs: moved.length, err: error }, "what migrated jobs are could not be read"),
  );
}

async function recallAll(
  ledger: Ledger,
  session: Session,
  namespace: string,
  moved: readonly MovedJob[],
): Promise<void> {
  for (const { job: id, wire } of moved) {
    if (session.phase === "closed") return;
    const found = await ledger.readRecord({ namespace, kind: "job", id });
    if (found.status !== "found") continue;
    const job = jobRecord(found.record);
    const order =
      job.order === "" ? undefined : await ledger.readRecord({ namespace, kind: "order", id: job.order });
    if (order?.status === "unknown") continue;
    session.held.remember(wire, factsOf(namespace, job, order && orderRecord(order.record)));
  }
}
