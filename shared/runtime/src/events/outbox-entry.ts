/**
 * What a script wrote of a change, as a JobEvent. Owns the names of the fields in the outbox, which are those of the job's
 * hash where it has one; and the id of an event, which follows from where it was written, so that whoever moves it twice
 * moves the same one.
 */

import { createHash } from "node:crypto";
import { JOB_OUTCOMES, JOB_STATES } from "@muster/domain/job";
import { isJobEventName, type JobEvent } from "@muster/domain/job-event";
import { JOB_TYPES, poolOf } from "@muster/domain/pool";

/** undefined for what is no event of ours. Absent fields are empty or 0, as in the job's hash. */
export function jobEventOf(
  namespace: string,
  outboxId: string,
  fields: readonly string[],
): JobEvent | undefined {
  const given = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) given.set(fields[at] ?? "", fields[at + 1] ?? "");
  const text = (name: string): string => given.get(name) ?? "";
  const number = (name: string): number => Number(given.get(name) ?? 0) || 0;
  const event = text("event");
  const state = JOB_STATES.find((one) => one === text("state"));
  if (!isJobEventName(event) || state === undefined || text("job") === "") return undefined;
  const { agentName, deployment } = poolOf(text("pool"));
  const from = poolOf(text("from_pool"));
  return {
    id: eventId(namespace, outboxId),
    event,
    atMs: number("at"),
    namespace,
    job: text("job"),
    order: text("order"),
    type: JOB_TYPES.find((one) => one === text("type")) ?? "room",
    agentName,
    deployment,
    fromAgentName: from.agentName,
    fromDeployment: from.deployment,
    room: text("room"),
    roomSid: text("room_sid"),
    state,
    outcome: JOB_OUTCOMES.find((one) => one === text("outcome")) ?? "",
    reason: text("reason"),
    error: text("error"),
    worker: text("session"),
    fromWorker: text("from"),
    agentIdentity: text("agent_identity"),
    wire: text("wire"),
    epoch: number("epoch"),
    attempts: number("attempts"),
    position: number("position"),
    estimatedWaitMs: number("estimated_wait"),
    held: text("held") === "1",
    startedAtMs: number("started_at"),
    endedAtMs: number("ended_at"),
  };
}

function eventId(namespace: string, outboxId: string): string {
  const hash = createHash("sha256").update(`${namespace}/${outboxId}`).digest("base64url");
  return `EV_${hash.slice(0, 22)}`;
}
