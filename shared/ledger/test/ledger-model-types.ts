/** What the ledger's model remembers of a job, a session and a stop. */
import type { EjectionReason, HealthState } from "@muster/domain/ejection";
import type { JobState } from "@muster/domain/job";
import type { Learning } from "./placement-model.js";
import type { DividedJob } from "./split-model.js";

export interface ModelJob extends DividedJob {
  state: JobState;
  epoch: number;
  offers: number;
  session: string;
  /** Who is asked, its order's own first, and where it stands. */
  steps: readonly { pool: string; afterMs: number }[];
  step: number;
  /** Of its order, which has this one job; and its own. */
  isOnHold: boolean;
  isHeld: boolean;
  excluded: Set<string>;
  /** Whose answer to its newest offer is late. */
  lateBy: string;
  priority: number;
  restarts: boolean;
  /** Its order was made for one life of the room. */
  oneLife: boolean;
  createdAt: number;
  offeredAt: number;
  startedAt: number;
  runningAt: number;
  /** When its agent, which nobody saw, is to be looked for; 0 = never. */
  seekAt: number;
  waitUntil: number;
  /** Until when it waits for callers who left; 0 while it need not. */
  aloneUntil: number;
  waitMs: number;
  maxAttempts: number;
  notBefore: number;
  orphanedAt: number;
  graceUntil: number;
  unseenUntil: number;
  holderReports: boolean;
  /** Whose guard is its own, as an orphan. */
  holderPool: string;
  attempts: number;
  rounds: number;
  /** Whom it came to nothing with, and how, since it was last taken or did well; and since when it is suspect, 0 while not. */
  doubts: { session: string; at: number; reason: EjectionReason }[];
  suspectAt: number;
  isSuspectTold: boolean;
  /** One that declined it in this round may have been full. */
  metFull: boolean;
  refusedEpoch: number;
  /** Of the newest offer that a worker took; 0 = none. */
  acceptedEpoch: number;
  resumedEpoch: number;
  withdrawnEpoch: number;
  failedWire: string;
  /** Whether it is known as whom its agent joins: from its first acceptance on. */
  isNamed: boolean;
  /** Its agent was seen to join the room, under the present attempt. */
  isJoined: boolean;
  /** Its worker reported success, and presence is asked. */
  isDoubted: boolean;
  due: number;
  outcome: string;
  cause: string;
}

/** What an order says of its job; without steps its own agent is the only one. */
export type ModelTerms = Pick<ModelJob, "priority" | "restarts"> &
  Partial<Pick<ModelJob, "oneLife" | "steps">>;

export interface ModelStop {
  due: number;
  session: string;
  place: string;
  /** Of one whose agent is looked for in its room: until when, how often that was done, and whether it was there once. */
  endsAt: number;
  looks: number;
  isSeen: boolean;
  /** Of one that is looked for in its room: should it be there, it was slow to come. */
  slow?: { pool: string; startedAt: number };
}

export interface ModelSession extends ModelHealth {
  gateway: string;
  pool: string;
  cap: number;
  connectedAt: number;
  /** When the loss was that it made good (ledger-model-guards). */
  madeGood: number | undefined;
  status: "available" | "full";
  load: number;
  sampledAt: number;
  coolingUntil: number;
  enteringUntil: number;
  /** Which state of the drains it follows, and whether one holds it there. */
  followed: number;
  isDrained: boolean;
  reports: boolean;
  /** How long it is given for an answer, once it is known to need longer. */
  answerMs: number | undefined;
  /** What a job costs here, once it was learnt; and from what. */
  learntCost: number | undefined;
  learning: Learning;
  /** It was learnt from its own jobs. */
  isTaught: boolean;
  /** What its word is taken for while it does not fit (ledger-model-weights); undefined while it does. */
  weight: { floor: number; cost: number } | undefined;
  misfits: number;
  counts: boolean;
  miscount: number;
  miscounts: number;
  surplus: number;
}

export interface ModelHealth {
  health: HealthState;
  /** 0 while it is well. */
  ejectedAt: number;
  ejections: number;
  /** When the last of its jobs failed at once, or never began; 0 when none did. */
  failedAt: number;
  struck: ModelStrike[];
  /** When it was last said of the last of its pool; 0 when never. */
  lastToldAt: number;
}

export interface ModelStrike {
  reason: EjectionReason;
  job: string;
  order: string;
  room: string;
}

/** What of the model's state the rules of sick workers need. */
export interface ModelBook {
  readonly nowMs: number;
  readonly jobs: ReadonlyMap<string, ModelJob>;
  readonly sessions: ReadonlyMap<string, ModelSession>;
  readonly leases: ReadonlyMap<string, number>;
  readonly timers: Map<string, number>;
  held(session: string): ReadonlyMap<string, number>;
  place(session: string): void;
}

/** One answer of several. */
export const words = (...parts: string[]) => parts.filter((part) => part !== "").join(" ");
