/**
 * The token with which an agent joins its room: livekit-server's (protocol/agent/token.go, BuildAgentToken), claim for
 * claim, plus the attributes `muster.job` and `muster.epoch`, by which Muster knows an agent of its own in a room. Signed with the key that this worker used, since Python's dev mode decodes it with its own secret.
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { ParticipantPermission } from "./generated/livekit.js";
import { signJwt } from "./jwt.js";

/** Set by the server over whatever the worker said, also when empty (livekit pkg/agent/worker.go). */
export const AGENT_NAME_ATTRIBUTE = "lk.agent_name";
/** Of all that Muster itself writes. */
export const ATTRIBUTE_PREFIX = "muster.";
/** The job that this participant is an agent of: its worker may have given it any identity. */
export const JOB_ATTRIBUTE = "muster.job";
/** Which holder of the job this participant is; one with an older epoch is a ghost. */
export const EPOCH_ATTRIBUTE = "muster.epoch";

const TTL_S = 3600;

export interface AgentTokenFacts {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly room: string;
  readonly identity: string;
  /** These three as the worker's answer gave them; empty is left out of the token. */
  readonly name: string;
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** From registration; null = `defaultPermissions()`. */
  readonly permissions: Partial<ParticipantPermission> | null;
  readonly agentName: string;
  readonly job: string;
  readonly epoch: number;
  readonly nowMs: number;
}

/** What a worker that asked for nothing may do (livekit pkg/agent/worker.go, HandleRegister). */
export function defaultPermissions(): ParticipantPermission {
  return ParticipantPermission.create({
    canSubscribe: true,
    canPublish: true,
    canPublishData: true,
    canUpdateMetadata: true,
  });
}

/**
 * Of the permissions, can_publish_sources, recorder and can_manage_agent_session are not carried over, as in
 * livekit-server; `agent` is always granted.
 * @throws DispatchError `invalid_argument` without an identity: LiveKit would refuse the token
 */
export function mintAgentToken(facts: AgentTokenFacts): string {
  if (facts.identity === "") {
    throw new DispatchError("invalid_argument", "an agent cannot join without one", "participant_identity");
  }
  const nowS = Math.floor(facts.nowMs / 1000);
  return signJwt(
    {
      iss: facts.apiKey,
      sub: facts.identity,
      exp: nowS + TTL_S,
      nbf: nowS,
      iat: nowS,
      identity: facts.identity,
      ...(facts.name !== "" && { name: facts.name }),
      kind: "agent",
      video: videoGrant(facts.room, facts.permissions ?? defaultPermissions()),
      ...(facts.metadata !== "" && { metadata: facts.metadata }),
      attributes: {
        ...facts.attributes,
        [AGENT_NAME_ATTRIBUTE]: facts.agentName,
        [JOB_ATTRIBUTE]: facts.job,
        [EPOCH_ATTRIBUTE]: String(facts.epoch),
      },
    },
    facts.apiSecret,
  );
}

/** What a participant's attributes say of whose agent it is; undefined for one that is none of Muster's. */
export function agentMarks(
  attributes: Readonly<Record<string, string>>,
): { job: string; epoch: number } | undefined {
  const { [JOB_ATTRIBUTE]: job = "", [EPOCH_ATTRIBUTE]: epoch = "" } = attributes;
  return isId(job) && /^\d{1,15}$/.test(epoch) ? { job, epoch: Number(epoch) } : undefined;
}

/** The can* claims are written also when false: an absent one means "allowed" for publish, subscribe and data. */
function videoGrant(room: string, permissions: Partial<ParticipantPermission>): Record<string, unknown> {
  return {
    roomJoin: true,
    ...(room !== "" && { room }),
    canPublish: permissions.canPublish ?? false,
    canSubscribe: permissions.canSubscribe ?? false,
    canPublishData: permissions.canPublishData ?? false,
    canUpdateOwnMetadata: permissions.canUpdateMetadata ?? false,
    ...(permissions.hidden === true && { hidden: true }),
    agent: true,
    canSubscribeMetrics: permissions.canSubscribeMetrics ?? false,
  };
}
