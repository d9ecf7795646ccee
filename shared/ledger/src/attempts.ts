/**
 * The attempts to place a job, as lua/includes/attempting keeps them: those that are over as entries, the one that goes on, or
 * was the last, in the job's own hash. Owns their reading, and the words for what became of them; decides nothing.
 */

import { type Hash, number, text } from "./hash.js";
import type { Standing, Verdict } from "./shapes.js";

/**
 * How an attempt stands or ended. While the job goes on: `parked` (nobody was found, it waits or waited), `fell_back` and `held`
 * (parked until its next fallback step, or until its order was put on hold), `rejected`, `slow` (no answer in its time),
 * `silent`, `undelivered` (its worker could not be asked, or told), `unanswered`, `never_started`, `never_joined`, `failed`, `agent_left`, `worker_lost`, `migrated` (another session has it).
 * Of the last one also: `offered`, `starting`, `running`, `lost` (its worker is waited for), and `ended` with the job.
 */
export const ATTEMPT_OUTCOMES = [
  ...["parked", "fell_back", "held", "rejected", "slow", "silent", "undelivered", "unanswered"],
  ...["never_started", "never_joined", "failed", "agent_left", "worker_lost", "migrated"],
  ...["offered", "starting", "running", "lost", "ended"],
] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

export interface Attempt {
  /** 1 for the first one; some in the middle may be left out. */
  number: number;
  /** Nobody was found; a worker was asked; or one came with the job by itself. */
  how: "parked" | "offered" | "returned";
  outcome: string;
  /** Fallback steps that the job had gone. */
  step: number;
  /** Empty when nobody was found. */
  session: string;
  epoch: number;
  /** Who was looked at, in that order, the chosen one last. */
  considered: readonly Standing[];
  consideredLeftOut: number;
  beganAtMs: number;
  /** When the worker accepted; 0 when it did not, or was not asked. */
  startedAtMs: number;
  /** When it was seen to run; 0 when not. */
  runningAtMs: number;
  /** When its worker was lost, and did not come back; 0 when not. */
  lostAtMs: number;
  /** 0 while it goes on. */
  endedAtMs: number;
}

export interface Attempts {
  attempts: readonly Attempt[];
  /** Attempts that happened and are not kept. */
  leftOut: number;
}

/** What an entry holds; absent members did not happen. */
interface Entry {
  outcome: string;
  ended_at: number;
  step: number;
  considered?: string;
  session?: string;
  epoch?: number;
  parked_at?: number;
  returned_at?: number;
  offered_at?: number;
  started_at?: number;
  running_at?: number;
  orphaned_at?: number;
}

export function readAttempts(job: Hash, entries: readonly string[]): Attempts {
  const attempts: Attempt[] = [];
  let leftOut = 0;
  const add = (entry: Entry) => attempts.push(attemptOf(entry, attempts.length + leftOut + 1));
  for (const entry of entries) {
    const kept = JSON.parse(entry) as Entry | number;
    if (typeof kept === "number") leftOut = kept;
    else add(kept);
  }
  const latest = latestOf(job);
  if (latest !== undefined) add(latest);
  return { attempts, leftOut };
}

function attemptOf(entry: Entry, number: number): Attempt {
  const { parked_at: parkedAt, returned_at: returnedAt, offered_at: offeredAt } = entry;
  return {
    number,
    how: parkedAt !== undefined ? "parked" : returnedAt !== undefined ? "returned" : "offered",
    outcome: entry.outcome,
    step: entry.step,
    session: entry.session ?? "",
    epoch: entry.epoch ?? 0,
    ...readConsidered(entry.considered ?? ""),
    beganAtMs: parkedAt ?? returnedAt ?? offeredAt ?? 0,
    startedAtMs: entry.started_at ?? 0,
    runningAtMs: entry.running_at ?? 0,
    lostAtMs: entry.orphaned_at ?? 0,
    endedAtMs: entry.ended_at,
  };
}

/** The attempt that goes on, or with which the job ended; none before the first, and between two. */
function latestOf(job: Hash): Entry | undefined {
  const at = (field: string) => (job[field] === undefined ? {} : { [field]: number(job, field) });
  const common = {
    ended_at: number(job, "ended_at"),
    step: number(job, "fallback_step"),
    ...consideredOf(job),
  };
  const isEnded = job.state === "ended";
  if (job.parked_at !== undefined)
    return { ...common, outcome: isEnded ? "ended" : "parked", ...at("parked_at") };
  if (text(job, "session") === "") return undefined;
  const placed = { ...common, session: text(job, "session"), epoch: number(job, "epoch") };
  const outcome = outcomeOf(job, isEnded);
  const began = number(job, "returned_at") || number(job, "offered_at");
  const lost =
    number(job, "orphaned_at") >= began && (isEnded || job.state === "orphaned") ? at("orphaned_at") : {};
  if (job.returned_at !== undefined) return { ...placed, outcome, ...at("returned_at"), ...lost };
  // What it says of a start may be of the one before.
  const isAccepted = job.accepted_epoch === job.epoch || (job.state !== "offered" && !isEnded);
  const started = isAccepted ? { ...at("started_at"), ...at("running_at") } : {};
  return { ...placed, outcome, ...at("offered_at"), ...started, ...lost };
}

function outcomeOf(job: Hash, isEnded: boolean): AttemptOutcome {
  if (isEnded) return job.cause === "terminated_by_worker" ? "rejected" : "ended";
  if (job.state === "orphaned") return "lost";
  return job.state === "starting" || job.state === "running" ? job.state : "offered";
}

const consideredOf = ({ considered }: Hash) => (considered === undefined ? {} : { considered });

/** As considered_text writes it. */
function readConsidered(kept: string): Pick<Attempt, "considered" | "consideredLeftOut"> {
  const parts = kept === "" ? [] : kept.split(";");
  const others = parts.find((part) => part.startsWith("+"));
  return {
    considered: parts.filter((part) => part !== others).map(standingOf),
    consideredLeftOut: Number(others ?? 0),
  };
}

function standingOf(part: string): Standing {
  const [verdict, load, session = ""] = part.split(",");
  return { session, load: Number(load), verdict: verdict as Verdict };
}
