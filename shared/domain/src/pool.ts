/**
 * The pool: the sessions of a namespace that can take the same job. Named by agent, job type and deployment, all
 * three matched exactly, as livekit-server does.
 */

/** LiveKit's JobType by its number on the wire. */
export const JOB_TYPES = ["room", "publisher", "participant"] as const;
export type JobType = (typeof JOB_TYPES)[number];

export interface Pool {
  agentName: string;
  type: JobType;
  deployment: string;
}

/** The pool's name in Redis keys. Reversible; an agent name may hold any character, so it is escaped. */
export function poolName(pool: Pool): string {
  return `${pool.type}/${serverName(pool)}`;
}

/** The pool that a name of poolName's stands for. */
export function poolOf(name: string): Pool {
  const [type, agentName = "", deployment = ""] = name.split("/").map(decodeURIComponent);
  return { type: JOB_TYPES.find((known) => known === type) ?? "room", agentName, deployment };
}

/** The same without the job type: who serves it, whatever the type is. */
export function serverName({ agentName, deployment }: Omit<Pool, "type">): string {
  return `${encodeURIComponent(agentName)}/${encodeURIComponent(deployment)}`;
}

const MAX_DEPLOYMENT_BYTES = 64;

/**
 * Why a deployment name is refused, or undefined when it is fine. The rule is livekit-server's: at most 64 bytes, no
 * underscore, whitespace or control character.
 */
export function deploymentProblem(deployment: string): string | undefined {
  if (Buffer.byteLength(deployment) > MAX_DEPLOYMENT_BYTES)
    return `longer than ${MAX_DEPLOYMENT_BYTES} bytes`;
  if (/[_\s\p{Cc}]/u.test(deployment)) return "contains an underscore, whitespace or a control character";
  return undefined;
}
