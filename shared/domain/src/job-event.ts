/**
 * What the outside world hears of a job. `agent_job_started` and `agent_job_ended` are LiveKit's names; the others are
 * made after them. Every job has one `queued` and one `ended`, whatever happens in between; between them the order is the
 * order of its changes. Pure words: who writes, moves and delivers them is elsewhere.
 *
 * event         when                                                  adds to the facts of every event
 * queued        its order was accepted, or its worker asked for it    –
 * offered       one worker is asked                                   worker
 * rejected      that came to nothing                                  worker; reason: rejected, silent, undelivered, or
 *                                                                     unanswered by the deadline (its gateway was gone)
 * parked        no worker has room, or its order is on hold           position, estimatedWaitMs; or held
 * suspected     several workers could not                             worker: the last of them; reason: silent, rejects,
 *               do it: it is tried last from now on                   fails_early, never_starts
 * fallback      nobody took it in its time, and the next agent that   fromAgentName, fromDeployment
 *               its order names is asked
 * started       a worker accepted; LiveKit's JS_RUNNING from here on  worker, agentIdentity
 * redispatched  it had started, and is given to another worker        fromWorker; reason: undelivered, never_started,
 *                                                                     worker_lost, agent_left, or failed, as the worker
 *                                                                     said
 * migrated      its worker came back on another session               worker, fromWorker
 * expired       nobody took it in time; `ended` follows               reason
 * ended         final                                                 outcome, reason (the job's cause), error
 */

import type { JobOutcome, JobState } from "./job.js";
import type { JobType } from "./pool.js";

export const JOB_EVENT_NAMES = [
  "agent_job_queued",
  "agent_job_offered",
  "agent_job_rejected",
  "agent_job_parked",
  "agent_job_suspected",
  "agent_job_fallback",
  "agent_job_started",
  "agent_job_redispatched",
  "agent_job_migrated",
  "agent_job_expired",
  "agent_job_ended",
] as const;
export type JobEventName = (typeof JOB_EVENT_NAMES)[number];

export function isJobEventName(text: string): text is JobEventName {
  return (JOB_EVENT_NAMES as readonly string[]).includes(text);
}

/**
 * One event, thin: ids and states, never metadata, attributes or what a participant is, which may be large and private.
 * Texts that do not apply are empty, times and numbers 0.
 */
export interface JobEvent {
  /** `EV_…`: the same for every delivery of one event, also when it is delivered twice. */
  id: string;
  event: JobEventName;
  /** By the ledger's clock. */
  atMs: number;
  namespace: string;
  job: string;
  /** Work order; empty for a simulated job. */
  order: string;
  type: JobType;
  /** Who is asked for it, or has it: after a fallback step not the one that its order names first. */
  agentName: string;
  deployment: string;
  /** Who was asked before a fallback step. */
  fromAgentName: string;
  fromDeployment: string;
  room: string;
  roomSid: string;
  /** The state that the change led to. */
  state: JobState;
  outcome: JobOutcome | "";
  /** Why, one word. */
  reason: string;
  /** For people. */
  error: string;
  /** Session id of the worker that is asked, or that holds the job. */
  worker: string;
  /** Session id of the worker that had it until now. */
  fromWorker: string;
  agentIdentity: string;
  /** The job id as the newest offer carried it. */
  wire: string;
  epoch: number;
  /** Starts so far. */
  attempts: number;
  /** Of a parked job: how many stand before it in its pool; 0 for one that is on hold, which stands in no line. */
  position: number;
  /** Of a parked job: how long it may take at the pace of late; 0 when nothing is known. */
  estimatedWaitMs: number;
  /** Parked because its order is on hold. */
  held: boolean;
  startedAtMs: number;
  endedAtMs: number;
}

/** One that says nothing: what an event does not have is as it is here. */
const NOTHING: JobEvent = {
  id: "",
  event: "agent_job_queued",
  atMs: 0,
  namespace: "",
  job: "",
  order: "",
  type: "room",
  agentName: "",
  deployment: "",
  fromAgentName: "",
  fromDeployment: "",
  room: "",
  roomSid: "",
  state: "queued",
  outcome: "",
  reason: "",
  error: "",
  worker: "",
  fromWorker: "",
  agentIdentity: "",
  wire: "",
  epoch: 0,
  attempts: 0,
  position: 0,
  estimatedWaitMs: 0,
  held: false,
  startedAtMs: 0,
  endedAtMs: 0,
};

/**
 * An event as it lies in a feed or a lane, where a process of another version may have put it. What an older one did not
 * know is empty or 0; what a newer one knows beyond us, of fields and of names, goes on as it is to who asked for it.
 * undefined for what is no event.
 */
export function readJobEvent(text: string): JobEvent | undefined {
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof kept === "object" && kept !== null && !Array.isArray(kept)
    ? { ...NOTHING, ...kept }
    : undefined;
}
