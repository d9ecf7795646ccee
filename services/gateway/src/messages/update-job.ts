/** UpdateJobStatus: the worker says how a job stands. Python sends it, Node never does. */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { JobStatus, type UpdateJobStatus } from "@muster/wire/generated/livekit";
import type { MessageDeps } from "../message-deps.js";
import type { Report } from "../reports.js";
import type { Registration, Session } from "../session.js";

export function handleUpdateJob(
  session: Session,
  { namespace }: Registration,
  update: UpdateJobStatus,
  { reports }: MessageDeps,
): void {
  if (!isId(update.jobId)) throw new DispatchError("invalid_argument", "is no job id", "update_job.job_id");
  const status = reportStatus(update.status);
  if (status !== undefined)
    reports.take(session, namespace, { wire: update.jobId, status, error: update.error });
}

/** undefined: says nothing about a job that was accepted. A status of a newer protocol is one of these. */
function reportStatus(status: number): Report["status"] | undefined {
  switch (status) {
    case JobStatus.JS_RUNNING:
      return "running";
    case JobStatus.JS_SUCCESS:
      return "success";
    case JobStatus.JS_FAILED:
      return "failed";
    default:
      return undefined;
  }
}
