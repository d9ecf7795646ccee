/**
 * MigrateJobRequest: after a reconnect, the jobs that this worker was given on an earlier socket and still runs.
 * Read, bounded and counted; the ledger has no verb yet that moves a job to this session, so none is moved here, and
 * each one's fate is decided as that of any orphan. The move belongs at the end of handleMigrateJob, in line behind the
 * reports that the worker sent first.
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { MAX_MIGRATED_JOBS } from "@muster/domain/limits";
import type { MigrateJobRequest } from "@muster/wire/generated/livekit";
import type { MessageDeps } from "../message-deps.js";
import type { Session } from "../session.js";

export function handleMigrateJob(
  session: Session,
  { jobIds }: MigrateJobRequest,
  { metrics }: MessageDeps,
): void {
  if (jobIds.length > MAX_MIGRATED_JOBS) throw refuse(`more than ${MAX_MIGRATED_JOBS} ids`);
  if (!jobIds.every(isId)) throw refuse("holds what is no job id");
  metrics.migrationAsked(jobIds.length);
  session.log.info({ jobs: jobIds.length }, "worker asked to migrate jobs; none is moved");
}

function refuse(problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, "migrate_job.job_ids");
}
