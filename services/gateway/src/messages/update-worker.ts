/**
 * UpdateWorkerStatus: a load sample. Ignored before registration, where stock Node workers send it too. A bad load is
 * counted and never ends the socket: the jobs on it are worth more than one number.
 */

import type { UpdateWorkerStatus } from "@muster/wire/generated/livekit";
import { isStale, readReport, withLastLoad } from "../load-sample.js";
import type { MessageDeps } from "../message-deps.js";
import type { Session } from "../session.js";
import { asToldOf } from "../token-ends.js";

export function handleUpdateWorker(
  session: Session,
  report: UpdateWorkerStatus,
  { samples, metrics, clock }: MessageDeps,
): void {
  const { registration, worker } = session;
  if (registration === undefined || session.phase !== "registered") return;
  if (isStale(report, worker)) {
    metrics.reportStale();
    return;
  }
  const nowMs = clock.now();
  const { state, sample, problem } = readReport(report, worker, nowMs, session.isStarting(nowMs));
  if (problem !== undefined) metrics.loadRefused(problem);
  if (sample.load >= 0) metrics.loadReported(sample.load);
  session.worker = state;
  const isUrgent = state.status !== worker.status || state.draining !== worker.draining;
  if (isUrgent) session.log.info({ status: state.status, draining: state.draining }, "worker status");
  const told = asToldOf(session, { ...sample, session: session.id });
  session.sample = withLastLoad(told, session.sample);
  samples.add(registration.namespace, told, isUrgent);
}
