/**
 * The shapes of what goes into the ledger's scripts and comes out as JSON. Numbers in hashes are read as strings, as
 * Redis keeps them; the readers (records.ts) give them their types.
 */

import type { DrainKind } from "@muster/domain/drain";
import type { EjectionReason } from "@muster/domain/ejection";

export interface SessionFacts {
  agent: string;
  type: string;
  deployment: string;
  version: string;
  /** ParticipantPermission as JSON; empty when the worker sent none. */
  permissions: string;
  client_ip: string;
  /** It is known to report, before it does. */
  reports?: 1;
  /** The API key that the worker authenticated with; its tokens are minted with it. */
  api_key: string;
  /** Load that one more job is taken to cost, 0–1. */
  cost: number;
  /** Projected load at which no more is offered, 0–1. */
  max_load: number;
  /** Jobs held and reserved, at most; 0 = no bound. */
  cap: number;
  /** As encodeLabels (domain/preferences) writes them; absent: none. */
  labels?: string;
  /** How long it may take to answer an offer, in ms; absent: OFFER_TIMEOUT_MS (domain/timing). */
  answer_ms?: number;
}

export interface LoadSample {
  session: string;
  status: "available" | "full";
  draining: boolean;
  /** 0–1; -1 when what the worker sent was refused, so that the last good one stands. */
  load: number;
  job_count: number;
}

export interface OrderFacts {
  agent: string;
  deployment: string;
  metadata: string;
  /** JSON object of strings. */
  attributes: string;
  /** 0–1000, higher first. */
  priority: number;
  restart_policy: "on_failure" | "never";
  /** "room", or a Target as JSON. */
  target: string;
  /** Makes a job for each participant that matches, as they come, and ends with the room. */
  open?: 1;
  /** Of an open order's jobs: starts that may fail, and how long each may wait, as the order may for its room; always there. */
  max_attempts?: number;
  wait_ms?: number;
  /**
   * Sid of the life of its room that it is bound to, where that is known when it is made; otherwise it is bound to the first
   * that is heard of. With `one_life` it is for that one alone.
   */
  room_sid?: string;
  one_life?: 1;
  /** It waits on when its callers have left and their room has closed, for the room's next life. */
  keep_waiting?: 1;
  /** Who is asked when nobody takes its jobs, as encodeFallback writes it; absent: nobody else. */
  fallback?: string;
  /** On hold from the start. */
  held?: 1;
  /** Merged into the live order that its agent has in the room: 1, or 0 where it is not whatever the policy says. */
  one_per_room?: 0 | 1;
  /** Whom its jobs would rather have, as encodePreferences (domain/preferences) writes it. */
  prefer?: string;
  loosens?: string;
  sticky?: string;
}

/** What of an order may be different from now on. Absent members stay as they are. */
export type OrderChanges = Partial<
  Pick<OrderFacts, "priority" | "wait_ms" | "metadata" | "attributes" | "max_attempts" | "restart_policy">
>;

export interface NewJob {
  id: string;
  type: string;
  pool: string;
  room_sid: string;
  /** Room message, base64, and when that was said; absent when not known, and where the script is told of the room itself. */
  room_info?: string;
  room_info_at?: number;
  /** ParticipantInfo message, base64; empty for a room job. */
  participant_info: string;
  /** When that was said, as the room book has it. */
  participant_info_at?: number;
  /** Starts that may fail before the job does. */
  max_attempts: number;
}

/** What is said of one participant of a room. Absent members were not said. */
export interface RoomChange {
  sid: string;
  identity: string;
  kind?: string;
  attributes?: Record<string, string>;
  /** ParticipantInfo message, base64. */
  info?: string;
  publishes?: 1;
  joined_at?: number;
  left_at?: number;
  left_reason?: string;
}

/** One participant as the room book has it: all that was ever said of it, merged. */
export interface RoomPerson {
  sid: string;
  identity: string;
  /** Absent while only thin events spoke of it, and so are attributes and info. */
  kind?: string;
  attributes?: Record<string, string>;
  info?: string;
  publishes?: 1;
  joined_at?: number;
  /** Present once it is gone, for good. */
  left_at?: number;
  left_reason?: string;
  /** When attributes and info were said, by the clock of who said so; -1 while they were not. */
  said_at: number;
  /** When we last heard of it, by the ledger's clock. */
  heard_at: number;
  /** Of callers (all but agents and recorders): 1 while it counts among those who are there, 0 since it left. */
  counted?: 0 | 1;
}

/** One life of a room as the room book has it. A caller is everybody but agents and recorders. */
export interface RoomLife {
  sid: string;
  over: 0 | 1;
  /** How many are there. */
  callers: number;
  /** When one was last known to be there, by the ledger's clock; 0 = nobody ever was. */
  seen_at: number;
}

/** A job that a worker says it still runs. */
export interface MigrateClaim {
  job: string;
  /** The id as the worker wrote it. */
  wire: string;
}

/** A job whose holder the session that asked now is, and the epoch under which it is. */
export interface MovedJob {
  job: string;
  wire: string;
  epoch: number;
}

/** A half-open session: lost in the ledger, and to be closed by the gateway that still has its socket. */
export interface ClosedSession {
  session: string;
  gateway: string;
}

/** A running job as the gateway that holds its socket knows it, for a Redis that has forgotten it. */
export interface RestoredJob {
  id: string;
  session: string;
  epoch: number;
  wire: string;
  /** Order id; empty for a simulated job. */
  order: string;
  type: string;
  room_sid: string;
  room_info: string;
  participant_info: string;
  agent_identity: string;
  max_attempts: number;
  /** What its order was, as far as the offer told. */
  facts: OrderFacts;
}

/** A job that was assigned on a session: only after its acceptance was committed, never an open offer. */
export interface HeldJob {
  job: string;
  session: string;
  epoch: number;
  wire: string;
}

/** Somebody to be told to stop a job: the session, the gateway that has its socket, and the job id as it knows it. */
export interface Stop {
  job: string;
  session: string;
  gateway: string;
  wire: string;
  reason?: string;
  /** Where LiveKit can be asked: whom to look for in which room, until when, and how often that was done. */
  room?: string;
  identity?: string;
  ends_at?: number;
  looks?: number;
}

/** A session that is offered nothing for a while, for what it did. */
export interface Ejection {
  session: string;
  /** Name of its agent; empty when it has none. */
  agent: string;
  reason: EjectionReason;
  until_ms: number;
  /** How many times it was ejected since it last was well; this one counts. */
  ejections: number;
  /** No other session of its pool can take work, so that it is not ejected: `until_ms` is now. */
  last_of_pool: boolean;
}

/** A job that came to nothing with several workers: it is taken to be at fault, and tried last from now on. */
export interface SuspectJob {
  suspect: string;
  room: string;
  /** Name of the agent that was asked; empty when it has none. */
  agent: string;
  /** What the last of them made of it. */
  reason: EjectionReason;
}

/** Whose fault it was that a job came to nothing, where that has consequences. */
export type Blame = Ejection | SuspectJob;

/** A drain as it is kept: whom it covers, and since when. */
export interface StoredDrain {
  id: string;
  kind: DrainKind;
  /** Session id, node id, deployment or address. */
  value: string;
  /** Agent name of a deployment; else empty. */
  agent: string;
  reason: string;
  created_at: number;
}

/** Of a page of a pool; what each means is in domain/scaling. */
export interface PoolCounts {
  used: number;
  leaving: number;
  free: number;
  available: number;
  full: number;
  cooling: number;
  draining: number;
  drained: number;
  drained_busy: number;
  /** On the first page alone, both. */
  queued: number;
  /** Waiting jobs that are suspect, beside these; 0 where no worker is. */
  suspect: number;
  /** In ms. */
  oldest_wait: number;
}

/**
 * What a claim, or a look at a waiting job, finds of a session. `chosen` and `behind` (somebody who stands before this job can
 * have it) are of claims; `another` of a simulated job, which only its own session may have; `left_out`, `not_favourite` and
 * `labels` of the job's own preferences. Else why it has no room: `full`: it says so; `cooling`: it was ejected; `probation`: it
 * is tried, with one job; `load`, `cap`: its projected load or its jobs are at a bound; `reserved`: what it has left is for jobs
 * of high priority.
 */
export const VERDICTS = [
  "chosen",
  "room",
  "behind",
  "excluded",
  "gateway_gone",
  "gone",
  "left_out",
  "not_favourite",
  "labels",
  "another",
  "full",
  "cap",
  "load",
  "reserved",
  "draining",
  "drained",
  "cooling",
  "probation",
  "suspect_job",
  "entering",
  "unknown_load",
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** How a session of its pool stands to a waiting job. */
export interface Standing {
  session: string;
  /** Projected, 0–1. */
  load: number;
  verdict: Verdict;
  /** 1: what it says is far below what its jobs cost its peers; `load` is by these. */
  below_count?: 1;
}

/** How jobs are placed. Absent members are as the gateways' configuration has them, or mean none. */
export interface PlacementPolicy {
  /** Absent: spread. */
  strategy?: "spread" | "pack" | "weighted";
  /** Projected load at which a worker is offered no more, above 0, up to 1. */
  max_load?: number;
  /** Jobs that a worker holds at most. */
  max_jobs?: number;
  /** Load that one more job is taken to cost, 0–1, until it is learnt. */
  job_load?: number;
  /** Of max_jobs and max_load, what is left to jobs of at least the priority `reserved_from`. */
  reserved_jobs?: number;
  reserved_load?: number;
  reserved_from?: number;
  /** An order for an agent that has a live one in the room is merged into that. */
  one_per_room?: boolean;
}

/** How the jobs of an agent whose orders name no deployment are divided. Deployments are escaped as in the names of pools. */
export interface DeploymentSplit {
  stable: string;
  candidate: string;
  /** What share the candidate has, from so long after the split began; ascending. Before the first: none. */
  steps: readonly { after_ms: number; percent: number }[];
  /** It is over when of so many of the candidate's outcomes, or more, a larger share was bad. */
  rollback: { max_bad_percent: number; min_jobs: number };
  /** Absent: that a job of the candidate was short says nothing of it. */
  short_jobs?: "bad";
}

export interface StoredSplit extends DeploymentSplit {
  /** Of each split that was ever set for the agent another. */
  id: number;
  /** Digest of what was set. */
  given: string;
  started_at: number;
  /** Absent until it was rolled back; then also what of the candidate had been counted, and how the last one went badly. */
  rolled_back_at?: number;
  bad_jobs?: number;
  counted_jobs?: number;
  why?: string;
}

/** Jobs that a split placed at a deployment, and what came of them. */
export interface SplitCounts {
  jobs: number;
  good: number;
  bad: number;
}

export interface SplitRecord {
  /** Escaped as in the names of pools. */
  agent: string;
  split: StoredSplit;
  stable: SplitCounts;
  candidate: SplitCounts;
  /** Of the candidate: what it is judged by now. */
  lately_good: number;
  lately_bad: number;
  /** What share the candidate has now. */
  percent: number;
  /** By the ledger's clock. */
  at: number;
}

/** A worker that for several samples said to run so many jobs more than we know of; fewer when negative; 0: it agrees again. */
export interface Miscount {
  session: string;
  surplus: number;
}

export interface OrderWithJobs {
  order: Record<string, string>;
  /** `{}` when Redis wrote an empty list; readers use `Object.values`. */
  jobs: Record<string, string>[];
}

/** A pool that a namespace knows, with or without workers. */
export interface KnownPool {
  /** Its name, as poolName of domain/pool writes it. */
  pool: string;
  /** When a worker registered last, and when the last one left; 0: somebody is there, or that is not known. */
  registered_at: number;
  left_at: number;
  /** Connected now. */
  sessions: number;
  /** Jobs that wait in it. */
  parked: number;
  /** 1: no worker stayed so far, and it is forgotten a few minutes after the last one left. */
  brief: 0 | 1;
}

/** A worker that for several samples said a load far below what its jobs cost its peers, `floor` by their cost; 0: it fits again. */
export interface Misfit {
  session: string;
  load: number;
  floor: number;
}
