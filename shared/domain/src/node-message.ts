/**
 * What processes tell each other through node inboxes. Every message is a hint: what it says is in the ledger, with a
 * timer behind it, so that a lost one costs time and a repeated one costs nothing.
 */

import type { JobType } from "./pool.js";

export interface FirstDispatch {
  /** When the job was made, by the ledger's clock. */
  createdAtMs: number;
  /** direct: this is the first worker that is asked, and the job did not have to wait for it. */
  path: "direct" | "waited";
}

/** Dispatcher to gateway: ask this session whether it takes this job. Holds all that the request needs. */
export interface OfferMessage {
  kind: "offer";
  namespace: string;
  session: string;
  job: string;
  /** The job id as this worker is to know it. */
  wire: string;
  epoch: number;
  /** Dispatch id; empty for a simulated job. */
  order: string;
  type: JobType;
  room: string;
  roomSid: string;
  /** LiveKit's Room and ParticipantInfo messages, base64; empty when unknown. */
  roomInfo: string;
  participantInfo: string;
  metadata: string;
  attributes: Record<string, string>;
  agentName: string;
  deployment: string;
  /** These three are for a ledger that forgot the job, and is told of it by the gateway whose worker runs it. */
  priority: number;
  maxAttempts: number;
  restartPolicy: "on_failure" | "never";
  /** True when the job ran before, elsewhere. */
  resuming: boolean;
  /** When the offer was made, by the ledger's clock. */
  offeredAtMs: number;
  /** Of a job that no worker had yet, for the time that its dispatch takes. A dispatcher of an older version does not say it. */
  first?: FirstDispatch;
}

/** To a gateway: tell this session to stop this job. */
export interface StopMessage {
  kind: "stop";
  namespace: string;
  session: string;
  job: string;
  wire: string;
}

/** To a gateway: this session is half-open, since its worker came back on another; close its socket. */
export interface CloseMessage {
  kind: "close";
  namespace: string;
  session: string;
}

export type GatewayMessage = OfferMessage | StopMessage | CloseMessage;

/** To the dispatcher that hosts the namespace. */
export type NamespaceMessage =
  /** Entries were added to the intake queue. */
  | { kind: "intake"; count: number }
  /** This job wants a worker now: its offer was refused, or it was requeued. */
  | { kind: "admit"; job: string }
  /** This pool got room and jobs wait for it. */
  | { kind: "serve"; pool: string }
  /** The session that held this job is gone; ask whether its agent is still in the room. */
  | { kind: "orphan"; job: string }
  /** A timer was set for this time, by the ledger's clock: a job that failed is tried again then. */
  | { kind: "due"; atMs: number };
