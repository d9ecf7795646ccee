/**
 * Owns what a RegisterWorkerRequest must be, and what it becomes. Pure; each refusal names the field as the protocol
 * writes it. What is right here is kept for the life of the session.
 */

import { DispatchError } from "@muster/domain/errors";
import { MAX_AGENT_NAME_BYTES, MAX_PUBLISH_SOURCES, MAX_VERSION_BYTES } from "@muster/domain/limits";
import { isNamespacePart, namespaceName } from "@muster/domain/namespace";
import { deploymentProblem, poolName } from "@muster/domain/pool";
import { ParticipantPermission, type RegisterWorkerRequest } from "@muster/wire/generated/livekit";
import { jobTypeFromNumber } from "@muster/wire/job-message";
import type { Registration, WorkerContext } from "./session.js";

/** @throws DispatchError `invalid_argument` */
export function readRegistration(request: RegisterWorkerRequest, context: WorkerContext): Registration {
  const type = jobTypeFromNumber(request.type);
  if (type === undefined) {
    throw refuse("type", "must be 0 (room), 1 (publisher) or 2 (participant)");
  }
  const problem = deploymentProblem(request.deployment);
  if (problem !== undefined) throw refuse("deployment", problem);
  // Absent and empty mean the same: the project's own namespace.
  const field = request.namespace ?? "";
  if (field !== "" && !isNamespacePart(field)) {
    throw refuse("namespace", "must be 1 to 64 of A-Z a-z 0-9 . _ -");
  }
  refuseLong("agent_name", request.agentName, MAX_AGENT_NAME_BYTES);
  refuseLong("version", request.version, MAX_VERSION_BYTES);

  const { agentName, deployment, version, allowedPermissions } = request;
  if ((allowedPermissions?.canPublishSources.length ?? 0) > MAX_PUBLISH_SOURCES)
    throw refuse("allowed_permissions.can_publish_sources", `more than ${MAX_PUBLISH_SOURCES}`);
  return {
    namespace: namespaceName(context.project, field),
    agentName,
    type,
    deployment,
    version,
    permissions: allowedPermissions && knownOf(allowedPermissions),
    pool: poolName({ agentName, type, deployment }),
  };
}

/** Without what the frame held beside: fields that are not known here would be kept for the life of the socket. */
function knownOf(given: ParticipantPermission): ParticipantPermission {
  return ParticipantPermission.create({
    canSubscribe: given.canSubscribe,
    canPublish: given.canPublish,
    canPublishData: given.canPublishData,
    canPublishSources: given.canPublishSources,
    hidden: given.hidden,
    recorder: given.recorder,
    canUpdateMetadata: given.canUpdateMetadata,
    agent: given.agent,
    canSubscribeMetrics: given.canSubscribeMetrics,
    canManageAgentSession: given.canManageAgentSession,
  });
}

function refuseLong(field: string, text: string, maxBytes: number): void {
  if (Buffer.byteLength(text) > maxBytes) throw refuse(field, `longer than ${maxBytes} bytes`);
}

function refuse(field: string, problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, `register.${field}`);
}
