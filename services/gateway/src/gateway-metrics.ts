/**
 * What the gateway counts, as verbs of its domain. The port that the rest of the gateway sees; names, help and labels
 * are in prometheus-metrics.ts. No argument is ever a room, job, worker or participant: those are not labels.
 */

import type { DispatchErrorCode } from "@muster/domain/errors";
import type { BlameMetrics } from "@muster/ledger/tell-blame";
import type { WorkBound } from "./work-memory.js";

export const UPGRADE_REFUSALS = ["no_token", "bad_token", "no_agent_grant", "room_token", "browser"] as const;
export type UpgradeRefusal = (typeof UPGRADE_REFUSALS)[number];

export const OFFER_OUTCOMES = [
  "accepted",
  "rejected",
  "terminated",
  "slow",
  "silent",
  "undelivered",
  "stale",
  "failed",
] as const;
export type OfferOutcome = (typeof OFFER_OUTCOMES)[number];

export const REPORT_OUTCOMES = [
  "running",
  "ended",
  "retrying",
  "checking",
  "released",
  "refused",
  "failed",
] as const;
export type ReportOutcome = (typeof REPORT_OUTCOMES)[number];

/** The registered sessions by what their workers said last, and the jobs that all of them hold. */
export interface GatewayPopulation {
  available: number;
  full: number;
  jobs: number;
}

export interface GatewayMetrics extends BlameMetrics {
  socketOpened(): void;
  socketClosed(): void;
  upgradeRefused(reason: UpgradeRefusal): void;
  sessionRegistered(): void;
  /** Written to the ledger anew, after a lapse of the lease or a loss of the ledger. */
  sessionsRegisteredAgain(count: number): void;
  messageReceived(kind: string): void;
  /** A message that cost its sender the socket. */
  messageRefused(code: DispatchErrorCode): void;
  /** What waits for the ledger passed a bound, and cost the worker with most of it the socket. */
  overworked(bound: WorkBound): void;
  /** More simulated jobs than a worker may ask for in a while; it cost the socket. */
  simulationsRefused(): void;
  /** What this gateway has to send and its peers do not read passed the bound of all together. */
  unreadCut(): void;
  /** A socket closed because the token that opened it is over. */
  tokenExpired(): void;
  /** A load that was no number from 0 to 1. One above is taken for a worker that is full. */
  loadRefused(kind: "not_finite" | "negative" | "above_one"): void;
  /** A numbered load report that is older than one that was read already. */
  reportStale(): void;
  samplesWritten(count: number): void;
  /** It said, in several reports, to run more or fewer jobs than the ledger knows of. */
  workerMiscounted(how: "more" | "fewer"): void;
  /** It says a load far below what its jobs cost others. */
  workerMisfit(): void;
  offerMade(): void;
  offerEnded(outcome: OfferOutcome): void;
  /** An offer that waits for a lease to be held again. */
  offerHeld(): void;
  /** A yes that came when the job was no longer this worker's to take. */
  staleAnswer(): void;
  /** What came of an offer that was not answered in its time: its yes was taken, came too late, it was a no, or nothing came. */
  answeredLate(how: "taken" | "too_late" | "no" | "never"): void;
  /** An answer to no open offer. */
  answerIgnored(): void;
  /** `first`: of a job that no worker had before, from when it was made to its start, by the ledger's clock. */
  assignmentSent(first?: { path: "direct" | "waited"; tookMs: number }): void;
  /** offer: until the worker's yes; assign: from it to the assignment; first_status: from that to the first report. */
  stageTook(stage: "offer" | "assign" | "first_status", ms: number): void;
  /** A load from 0 to 1, as a worker reported it. */
  loadReported(load: number): void;
  /** Accepted, but the answer was too old, or the socket gone. */
  assignmentWithheld(reason: "late" | "socket_gone"): void;
  /** Accepted, not assigned, and taken back. */
  startWithdrawn(): void;
  /** `failed`: what the worker said of a job that ended. */
  reportTaken(outcome: ReportOutcome, failed: boolean): void;
  /** `reason` is the ledger's word. */
  reportRefused(reason: string): void;
  stopSent(): void;
  /** A message for a session that is not here, or no message. */
  messageUnroutable(kind: "offer" | "stop" | "close" | "malformed"): void;
  jobSimulated(): void;
  /** Jobs named in migrate messages. */
  migrationAsked(jobs: number): void;
  migrated(jobs: { moved: number; stopped: number; refused: number }): void;
  /** A worker said that it runs what is over or runs elsewhere. */
  ghostFound(): void;
  /** A socket whose worker came back on another. */
  halfOpenClosed(): void;
  /** A socket is gone: its jobs that wait for their fate, and those that ended well with a goodbye. */
  sessionRemoved(jobs: { orphaned: number; ended: number }): void;
  /** That many sessions vanished at once that nothing is resumed for want of knowledge. */
  guardRaised(): void;
  /** Run when somebody wants to read the metrics: who is here, and what they hold. */
  beforeRead(look: () => GatewayPopulation): void;
  /** Told to a Redis that had lost it. */
  jobRestored(): void;
  /** Lost with Redis, and not remembered here. */
  jobNotRestored(): void;
  /** Held here, and the ledger has never heard of them. */
  heldUnknown(count: number): void;
  leaseRenewed(): void;
  leaseLapsed(): void;
  leaseFailed(): void;
  hintDropped(reason: "no_dispatcher" | "no_gateway" | "unavailable"): void;
}
