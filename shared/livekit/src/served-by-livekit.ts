/**
 * Which of livekit-server's dispatches its own workers serve, by what ListDispatch and the room say. A job shows in
 * ListDispatch up to 5 s after its worker has it (the look-up of workers takes that long when it is not cached), so who is
 * in the room counts too. Pure. Never counts an agent of a Muster for one of livekit-server's workers.
 */

import { AGENT_NAME_ATTRIBUTE, agentMarks } from "@muster/wire/agent-token";
import { type AgentDispatch, type Job, JobStatus } from "@muster/wire/generated/livekit";

/** An agent in the room that no Muster sent. */
export interface ForeignAgent {
  readonly identity: string;
  /** As livekit-server wrote it into its token; undefined when it did not. */
  readonly agentName: string | undefined;
}

interface Person {
  readonly identity: string;
  readonly isAgent: boolean;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A job of this dispatch that has its agent in the room; `job` undefined: it shows in the room alone. */
export interface ServedDispatch {
  readonly dispatch: AgentDispatch;
  readonly job: Job | undefined;
}

export function foreignAgents(people: readonly Person[]): ForeignAgent[] {
  return people
    .filter(({ isAgent, attributes }) => isAgent && agentMarks(attributes) === undefined)
    .map(({ identity, attributes }) => ({ identity, agentName: attributes[AGENT_NAME_ATTRIBUTE] }));
}

/** A worker has the job, or had it. One that waits or was cancelled is nobody's: whoever comes may serve it. */
export function isTaken({ state }: Job): boolean {
  const status = state?.status ?? JobStatus.JS_PENDING;
  return status !== JobStatus.JS_PENDING && status !== JobStatus.JS_CANCELLED;
}

/** A worker of livekit-server's own has, or had, a job of it. */
export function isServed({ state }: AgentDispatch): boolean {
  return state?.jobs.some(isTaken) ?? false;
}

export function isDeleted({ state }: AgentDispatch): boolean {
  return (state?.deletedAt ?? 0n) !== 0n;
}

/**
 * Those whose agent is in the room. An agent whose job is listed is that job's. One whose job is not listed yet is of a
 * dispatch by its name, where no other dispatch of that name could be meant.
 */
export function servedInRoom(
  dispatches: readonly AgentDispatch[],
  foreign: readonly ForeignAgent[],
): ServedDispatch[] {
  const identities = new Set(foreign.map(({ identity }) => identity));
  const listed = dispatches.flatMap((dispatch) =>
    (dispatch.state?.jobs ?? [])
      .filter((job) => isTaken(job) && identities.has(job.state?.participantIdentity ?? ""))
      .map((job) => ({ dispatch, job })),
  );
  for (const { job } of listed) identities.delete(job.state?.participantIdentity ?? "");
  const open = dispatches.filter((dispatch) => !isServed(dispatch) && !isDeleted(dispatch));
  const unlisted = foreign.filter(({ identity }) => identities.has(identity));
  const byName = open.filter(({ agentName }) => {
    if (agentName === "") return false;
    const agents = unlisted.filter((agent) => agent.agentName === agentName).length;
    return agents >= open.filter((other) => other.agentName === agentName).length;
  });
  return [...listed, ...byName.map((dispatch) => ({ dispatch, job: undefined }))];
}
