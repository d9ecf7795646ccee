/** MigrateJobRequest: after a reconnect, the jobs that this worker was given on an earlier socket and still runs. */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { MAX_MIGRATED_JOBS } from "@muster/domain/limits";
import type { MigrateJobRequest } from "@muster/wire/generated/livekit";
import type { MessageDeps } from "../message-deps.js";
import type { Registration, Session } from "../session.js";

export function handleMigrateJob(
  session: Session,
  { namespace }: Registration,
  { jobIds }: MigrateJobRequest,
  { migrations }: MessageDeps,
): void {
  if (jobIds.length > MAX_MIGRATED_JOBS) throw refuse(`more than ${MAX_MIGRATED_JOBS} ids`);
  if (!jobIds.every(isId)) throw refuse("holds what is no job id");
  migrations.take(session, namespace, jobIds);
}

function refuse(problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, "migrate_job.job_ids");
}
