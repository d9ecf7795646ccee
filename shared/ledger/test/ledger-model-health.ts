/**
 * Owns the ledger's model where it is about sick workers: what is held against a session, when it is ejected, and what brings
 * it back. As plainly as lua/includes/ejecting can be said; the words of a blame are those of `blameWords`.
 */
import type { EjectionReason } from "@muster/domain/ejection";
import type { Ejection, SuspectJob } from "../src/shapes.js";
import { clearByAcceptance, clearJob, doubtJob, heldAgainst, struckWith } from "./ledger-model-blame.js";
import type { ModelBook, ModelHealth, ModelJob, ModelSession, ModelStrike } from "./ledger-model-types.js";
import * as ms from "./scene.js";

const ENOUGH: Record<EjectionReason, number> = { silent: 1, rejects: 5, fails_early: 3, never_starts: 2 };
const LONGEST_MS = 300_000;
const TOLD_AGAIN_MS = 60_000;

export function wellHealth(): ModelHealth {
  return { health: "ok", ejectedAt: 0, ejections: 0, failedAt: 0, struck: [], lastToldAt: 0 };
}

type Told = Omit<Ejection, "agent"> | Pick<SuspectJob, "suspect" | "reason">;

export function blameWords(blame: Told | null | undefined): string {
  if (!blame) return "";
  if ("suspect" in blame) return `suspect ${blame.suspect} ${blame.reason}`;
  const { session, reason, until_ms, ejections, last_of_pool } = blame;
  return `${session} ${reason} until ${until_ms}, ${ejections}${last_of_pool ? ", the last" : ""}`;
}

const isOfJobs = ({ reason }: ModelStrike) => reason === "fails_early" || reason === "never_starts";

export function somebodyElse(state: ModelBook, id: string, pool: string): boolean {
  return [...state.sessions].some(([other, session]) => {
    const isLive = (state.leases.get(session.gateway) ?? 0) > state.nowMs;
    const isOpen = !session.isDrained && session.coolingUntil <= state.nowMs;
    return other !== id && session.pool === pool && isLive && isOpen;
  });
}

/** When a job given since then will have run for long enough. */
function proofAt(state: ModelBook, id: string, since: number): number | undefined {
  const { nowMs } = state;
  const began = [...state.held(id)].flatMap(([place, givenAt]) => {
    const [jobId = "", epoch] = place.split("#");
    const job = state.jobs.get(jobId);
    const isHeld = job?.session === id && `${job.epoch}` === epoch;
    if (!isHeld || givenAt < since || givenAt === Number.POSITIVE_INFINITY) return [];
    if (job.state === "running") return [Math.max(job.runningAt, givenAt)];
    return job.state === "starting" ? [state.sessions.get(id)?.reports ? nowMs : givenAt] : [];
  });
  return began.length === 0 ? undefined : Math.min(...began) + ms.EARLY_MS;
}

const isPast = (state: ModelBook, at: number | undefined) => at !== undefined && at <= state.nowMs;

export function recover(state: ModelBook, id: string, keepsStrikes = false): void {
  const session = state.sessions.get(id);
  if (session === undefined) return;
  const { struck, failedAt, lastToldAt } = session;
  Object.assign(session, wellHealth(), { coolingUntil: 0 });
  if (keepsStrikes) Object.assign(session, { struck, failedAt, lastToldAt });
  if (session.enteringUntil > state.nowMs) state.timers.set(id, session.enteringUntil);
  else state.timers.delete(id);
  state.place(id);
}

/** Asked for another job, or with one that it took, since its last report: it may be full. */
export function wasGivenSome(state: ModelBook, id: string): boolean {
  const sampledAt = state.sessions.get(id)?.sampledAt ?? 0;
  return [...state.held(id).values()].filter((at) => at >= sampledAt).length > 1;
}

/** `isCleared`: somebody took the job since. */
export function strike(
  state: ModelBook,
  id: string,
  jobId: string,
  job: ModelJob | undefined,
  reason: EjectionReason,
  { offeredAt = job?.offeredAt ?? 0, isCleared = job === undefined } = {},
): string {
  const session = state.sessions.get(id);
  if (session === undefined) return "";
  if (reason === "rejects" && wasGivenSome(state, id)) return "";
  const earlyMs = reason === "silent" || reason === "rejects" ? 0 : ms.EARLY_MS;
  const { others, isTold } =
    job === undefined || isCleared
      ? { others: [], isTold: false }
      : doubtJob(state, job, id, reason, offeredAt);
  for (const other of others) reconsider(state, other, earlyMs);
  const suspicion = isTold ? blameWords({ suspect: jobId, reason }) : "";
  const { ejectedAt } = session;
  if (ejectedAt > 0 && (session.coolingUntil > state.nowMs || offeredAt <= ejectedAt)) return suspicion;
  if (reason === "fails_early" || reason === "never_starts") {
    const isNewRow = session.failedAt > 0 && ejectedAt === 0;
    if (isNewRow && isPast(state, proofAt(state, id, session.failedAt)))
      session.struck = session.struck.filter((struck) => !isOfJobs(struck));
    session.failedAt = state.nowMs;
  }
  session.struck = struckWith(session.struck, reason, jobId);
  const isSuspect = !isCleared && (job?.suspectAt ?? 0) > 0;
  const isTried = ejectedAt > 0 && reason !== "rejects";
  const isEnough =
    !isSuspect && (isTried || heldAgainst(state, session.struck, reason, earlyMs) >= ENOUGH[reason]);
  return (isEnough && eject(state, id, session, reason)) || suspicion;
}

function eject(state: ModelBook, id: string, session: ModelSession, reason: EjectionReason): string {
  if (!somebodyElse(state, id, session.pool)) {
    const { ejections, lastToldAt } = session;
    if (lastToldAt > 0 && state.nowMs < lastToldAt + TOLD_AGAIN_MS) return "";
    session.lastToldAt = state.nowMs;
    return blameWords({ session: id, reason, until_ms: state.nowMs, ejections, last_of_pool: true });
  }
  const ejections = session.ejections + 1;
  const until_ms = state.nowMs + Math.min(LONGEST_MS, ms.COOL_MS * 2 ** Math.min(10, ejections - 1));
  Object.assign(session, { health: "ejected", ejectedAt: state.nowMs, ejections, coolingUntil: until_ms });
  state.timers.set(id, until_ms);
  state.place(id);
  return blameWords({ session: id, reason, until_ms, ejections, last_of_pool: false });
}

function reconsider(state: ModelBook, id: string, earlyMs: number): void {
  const session = state.sessions.get(id);
  if (session === undefined || session.ejectedAt === 0) return;
  const reasons = Object.keys(ENOUGH) as EjectionReason[];
  const isStill = reasons.some(
    (reason) => heldAgainst(state, session.struck, reason, earlyMs) >= ENOUGH[reason],
  );
  if (!isStill) recover(state, id, true);
}

/** A session took a job. */
export function accepted(session: ModelSession, job: ModelJob): void {
  session.struck = session.struck.filter(isOfJobs);
  clearByAcceptance(job);
}

export function wentWell(state: ModelBook, job: ModelJob): void {
  clearJob(job);
  const session = state.sessions.get(job.session);
  if (session === undefined) return;
  const { ejectedAt, failedAt } = session;
  if (ejectedAt > 0) {
    if (session.coolingUntil <= state.nowMs && job.startedAt >= ejectedAt) recover(state, job.session);
  } else if (failedAt > 0 && job.startedAt >= failedAt) {
    session.struck = session.struck.filter((struck) => !isOfJobs(struck));
    session.failedAt = 0;
  }
}

export function wentWrong(
  state: ModelBook,
  id: string,
  job: ModelJob,
): { ejection: string; atOnce: boolean } {
  const isBelieved = state.sessions.get(job.session)?.reports !== true;
  const began = job.runningAt || (isBelieved ? job.startedAt : 0);
  if (began > 0 && state.nowMs - began >= ms.EARLY_MS) {
    wentWell(state, job);
    return { ejection: "", atOnce: false };
  }
  return { ejection: strike(state, job.session, id, job, "fails_early"), atOnce: true };
}

export function excuse(state: ModelBook, id: string): void {
  const session = state.sessions.get(id);
  const left = session?.struck.filter(({ reason }) => reason !== "rejects") ?? [];
  if (session === undefined || left.length === session.struck.length) return;
  session.struck = left;
  if (session.ejectedAt > 0 && left.length === 0) recover(state, id);
}

export function watch(state: ModelBook, id: string): void {
  const session = state.sessions.get(id);
  if (session === undefined || session.ejectedAt === 0 || session.coolingUntil > state.nowMs) return;
  state.timers.set(id, state.nowMs);
}

/** When nobody else can take work, the first of those that were ejected is tried. */
export function tryEjected(state: ModelBook, pool: string): void {
  if (somebodyElse(state, "", pool)) return;
  const ejected = [...state.sessions].filter(([, of]) => of.pool === pool && of.health === "ejected");
  const [first] = ejected.sort(([a, x], [b, y]) => x.coolingUntil - y.coolingUntil || (a < b ? -1 : 1));
  if (first === undefined || first[1].coolingUntil <= state.nowMs) return;
  first[1].coolingUntil = state.nowMs;
  state.timers.set(first[0], state.nowMs);
}

export function lookAtHealth(state: ModelBook, id: string): void {
  const session = state.sessions.get(id);
  if (session === undefined || session.ejectedAt === 0 || session.coolingUntil > state.nowMs) return;
  const proof = proofAt(state, id, session.ejectedAt);
  if (session.struck.length === 0 || isPast(state, proof)) {
    recover(state, id);
    return;
  }
  session.health = "probation";
  if (proof !== undefined) state.timers.set(id, proof);
}
