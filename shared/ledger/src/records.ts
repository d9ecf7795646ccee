/**
 * The ledger's hashes with their types: what `HGETALL` gave as strings, as readers outside of Lua want it.
 * Fields and their meaning are written by the scripts. Empty texts and zeros are not kept for a job.
 */

import type { EjectionReason, HealthState } from "@muster/domain/ejection";
import { decodeFallback, type FallbackStep } from "@muster/domain/fallback";
import type { JobOutcome, JobState } from "@muster/domain/job";
import type { JobType } from "@muster/domain/pool";
import { decodeLabels, decodePreferences, type Preferences } from "@muster/domain/preferences";
import { type Hash, jobType, number, text } from "./hash.js";

export interface JobRecord {
  id: string;
  /** Order id; empty for a simulated job. */
  order: string;
  state: JobState;
  outcome: JobOutcome | "";
  /** Why it ended, one word; empty while it has not. */
  cause: string;
  error: string;
  epoch: number;
  offers: number;
  attempts: number;
  maxAttempts: number;
  /** The id that the newest offer carried. */
  wire: string;
  /** Its own, where that of its order was changed after it had started; else empty. */
  restartPolicy: "on_failure" | "never" | "";
  type: JobType;
  pool: string;
  /** Parked because its order is on hold; it stands in no line then. */
  isHeld: boolean;
  /** Fallback steps that it has gone. */
  fallbackStep: number;
  room: string;
  roomSid: string;
  roomInfo: string;
  participantInfo: string;
  /** Holder, or the session that is asked; empty while the job waits. */
  session: string;
  gateway: string;
  agentIdentity: string;
  /** The epoch that its newest holder's token was minted for, whatever session it came back on since; 0 when not known. */
  acceptedEpoch: number;
  /** Sid under which the agent was seen to join; empty before. */
  participantSid: string;
  priority: number;
  createdAtMs: number;
  updatedAtMs: number;
  /** Until when it may wait for a worker. */
  waitUntilMs: number;
  /** Until when it waits for callers who have left; 0 while one is there, or none ever was. */
  aloneUntilMs: number;
  /** Of one that waits: when its next fallback step is due, its wait for callers who left, or its waiting time is over. */
  patienceEndsAtMs: number;
  /** Of the newest offer; 0 until there was one. */
  offeredAtMs: number;
  /** 0 until a worker accepted. */
  startedAtMs: number;
  runningAtMs: number;
  /** Since when it is suspect: several workers could not do it; 0 while it is not. */
  suspectAtMs: number;
  /** When its holder was lost, the last time; 0 when never. */
  orphanedAtMs: number;
  /** When it was sent to be resumed elsewhere, the last time; 0 when never. */
  resumedAtMs: number;
  endedAtMs: number;
}

/** All of its jobs ended; the life of its room did; its callers left before anybody came; it waited too long for one; a caller took it back. */
export const ORDER_CAUSES = [
  "jobs_ended",
  "room_finished",
  "caller_left",
  "waited_too_long",
  "deleted",
] as const;
export type OrderCause = (typeof ORDER_CAUSES)[number];

export interface OrderRecord {
  id: string;
  room: string;
  agent: string;
  deployment: string;
  metadata: string;
  attributes: Record<string, string>;
  priority: number;
  restartPolicy: "on_failure" | "never";
  /** "room", or a Target as JSON. */
  target: string;
  /** True when it makes a job for each participant that matches, as they come. */
  isOpen: boolean;
  /** Sid of the life of the room that it is bound to; empty before. */
  roomSid: string;
  /** It was made for that life alone: an adopted dispatch, or a rule's. */
  isOneLife: boolean;
  /** Of an open order's jobs; 0 for others. */
  maxAttempts: number;
  waitMs: number;
  fallback: readonly FallbackStep[];
  preferences: Preferences | undefined;
  /** On hold: none of its jobs is offered to anybody. */
  isHeld: boolean;
  /** It waits on when its callers have left and their room has closed. */
  keepsWaiting: boolean;
  /** Expired: its room did not open in the time that it may wait. */
  state: "live" | "ended" | "expired" | "deleted";
  /** Why it ended; empty while it has not. */
  cause: "" | OrderCause;
  createdAtMs: number;
  deletedAtMs: number;
  endedAtMs: number;
}

export interface SessionRecord {
  id: string;
  gateway: string;
  agent: string;
  type: JobType;
  deployment: string;
  version: string;
  clientIp: string;
  labels: Record<string, string>;
  pool: string;
  status: "available" | "full";
  draining: boolean;
  /** Ids of the drains that hold it. */
  drainedBy: readonly string[];
  load: number;
  jobCount: number;
  /** 0 until the first load sample. */
  sampledAtMs: number;
  coolingUntilMs: number;
  health: HealthState;
  /** What is held against it: offers and jobs since it last was well; and what the newest of them was, empty when none. */
  strikes: number;
  why: EjectionReason | "";
  connectedAtMs: number;
}

export function jobRecord(hash: Hash): JobRecord {
  return {
    id: text(hash, "id"),
    order: text(hash, "order"),
    state: text(hash, "state") as JobState,
    outcome: text(hash, "outcome") as JobOutcome | "",
    cause: text(hash, "cause"),
    error: text(hash, "error"),
    epoch: number(hash, "epoch"),
    offers: number(hash, "offers"),
    attempts: number(hash, "attempts"),
    maxAttempts: number(hash, "max_attempts"),
    wire: text(hash, "wire"),
    restartPolicy: text(hash, "restart_policy") as JobRecord["restartPolicy"],
    type: jobType(hash),
    pool: text(hash, "pool"),
    isHeld: hash.held === "1",
    fallbackStep: number(hash, "fallback_step"),
    room: text(hash, "room"),
    roomSid: text(hash, "room_sid"),
    roomInfo: text(hash, "room_info"),
    participantInfo: text(hash, "participant_info"),
    session: text(hash, "session"),
    gateway: text(hash, "gateway"),
    agentIdentity: text(hash, "agent_identity"),
    acceptedEpoch: number(hash, "accepted_epoch"),
    participantSid: text(hash, "participant_sid"),
    priority: number(hash, "priority"),
    createdAtMs: number(hash, "created_at"),
    updatedAtMs: number(hash, "updated_at"),
    waitUntilMs: number(hash, "wait_until"),
    aloneUntilMs: number(hash, "alone_until"),
    patienceEndsAtMs: patienceEndsAtMs(hash),
    offeredAtMs: number(hash, "offered_at"),
    startedAtMs: number(hash, "started_at"),
    runningAtMs: number(hash, "running_at"),
    suspectAtMs: number(hash, "suspect_at"),
    orphanedAtMs: number(hash, "orphaned_at"),
    resumedAtMs: number(hash, "resumed_at"),
    endedAtMs: number(hash, "ended_at"),
  };
}

/** As `patience_ends` in lua/includes/waiting has it. */
function patienceEndsAtMs(hash: Hash): number {
  const waitUntil = number(hash, "wait_until");
  const fallbackAfter = number(hash, "fallback_after");
  const began = Math.max(waitUntil - number(hash, "wait_ms"), number(hash, "not_before"));
  const aloneUntil = number(hash, "alone_until") || waitUntil;
  return Math.min(waitUntil, aloneUntil, fallbackAfter === 0 ? waitUntil : began + fallbackAfter);
}

export function orderRecord(hash: Hash): OrderRecord {
  return {
    id: text(hash, "id"),
    room: text(hash, "room"),
    agent: text(hash, "agent"),
    deployment: text(hash, "deployment"),
    metadata: text(hash, "metadata"),
    attributes: JSON.parse(hash.attributes ?? "{}") as Record<string, string>,
    priority: number(hash, "priority"),
    restartPolicy: text(hash, "restart_policy") as OrderRecord["restartPolicy"],
    target: text(hash, "target"),
    isOpen: hash.open === "1",
    roomSid: text(hash, "room_sid"),
    isOneLife: text(hash, "one_life") === "1",
    maxAttempts: number(hash, "max_attempts"),
    waitMs: number(hash, "wait_ms"),
    fallback: decodeFallback(text(hash, "fallback")),
    preferences: decodePreferences(text(hash, "prefer")),
    isHeld: hash.held === "1",
    keepsWaiting: hash.keep_waiting === "1",
    state: text(hash, "state") as OrderRecord["state"],
    cause: text(hash, "cause") as OrderRecord["cause"],
    createdAtMs: number(hash, "created_at"),
    deletedAtMs: number(hash, "deleted_at"),
    endedAtMs: number(hash, "ended_at"),
  };
}

export function sessionRecord(hash: Hash): SessionRecord {
  const strikes = text(hash, "struck").split(";").length - 1;
  return {
    id: text(hash, "id"),
    gateway: text(hash, "gateway"),
    agent: text(hash, "agent"),
    type: jobType(hash),
    deployment: text(hash, "deployment"),
    version: text(hash, "version"),
    clientIp: text(hash, "client_ip"),
    labels: decodeLabels(text(hash, "labels")),
    pool: text(hash, "pool"),
    status: text(hash, "status") as SessionRecord["status"],
    draining: hash.draining === "1",
    drainedBy: text(hash, "drained").split(",").filter(Boolean),
    load: number(hash, "load"),
    jobCount: number(hash, "job_count"),
    sampledAtMs: number(hash, "sampled_at"),
    coolingUntilMs: number(hash, "cooling_until"),
    health: (text(hash, "health") || "ok") as HealthState,
    strikes,
    why: strikes === 0 ? "" : (text(hash, "why") as SessionRecord["why"]),
    connectedAtMs: number(hash, "connected_at"),
  };
}
