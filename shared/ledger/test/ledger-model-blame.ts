/**
 * Owns the ledger's model where it is about whose fault it is that a job came to nothing, its worker's or its own. As plainly
 * as lua/includes/blaming can be said.
 */
import type { EjectionReason } from "@muster/domain/ejection";
import type { ModelBook, ModelJob, ModelStrike } from "./ledger-model-types.js";
import { modelRoomOf } from "./model-places.js";

const MOST_STRUCK = 16;
const MOST_DOUBTS = 8;
const SPARED_MS = 30_000;

function isUnfit(state: ModelBook, id: string, earlyMs: number): boolean {
  const job = state.jobs.get(id);
  if (job === undefined || job.suspectAt === 0) return false;
  return !(job.state === "running" && job.runningAt > 0 && job.runningAt + earlyMs <= state.nowMs);
}

export function heldAgainst(
  state: ModelBook,
  struck: readonly ModelStrike[],
  reason: EjectionReason,
  earlyMs: number,
): number {
  const orders = new Set<string>();
  const rooms = new Set<string>();
  for (const strike of struck) {
    const isNew = !orders.has(strike.order) && !rooms.has(strike.room);
    if (strike.reason !== reason || !isNew || isUnfit(state, strike.job, earlyMs)) continue;
    orders.add(strike.order);
    rooms.add(strike.room);
  }
  return orders.size;
}

export function struckWith(
  struck: readonly ModelStrike[],
  reason: EjectionReason,
  job: string,
): ModelStrike[] {
  const order = job.split("-")[0] ?? job;
  return [...struck, { reason, job, order, room: modelRoomOf(job) }].slice(-MOST_STRUCK);
}

export function hasTakenAnother(state: ModelBook, session: string, job: ModelJob, since: number): boolean {
  const taken = [...state.held(session).values()].filter((at) => at > since && Number.isFinite(at)).length;
  return taken > (job.session === session && job.state !== "offered" ? 1 : 0);
}

/** Those with whom it came to nothing before, and whether it is suspect by this and that is told. */
export function doubtJob(
  state: ModelBook,
  job: ModelJob,
  session: string,
  reason: EjectionReason,
  offeredAt: number,
): { others: string[]; isTold: boolean } {
  const others = job.doubts.map((doubt) => doubt.session).filter((other) => other !== session);
  const since = job.doubts.find((doubt) => doubt.session === session)?.at;
  if (since === undefined && others.length < MOST_DOUBTS)
    job.doubts.push({ session, at: state.nowMs, reason });
  const from = since ?? (reason === "silent" ? offeredAt : undefined);
  const tookAnother = from !== undefined && hasTakenAnother(state, session, job, from);
  const isNew = job.suspectAt === 0 && (others.length > 0 || tookAnother);
  if (isNew) job.suspectAt = state.nowMs;
  // Of one that was declined it is told when nobody is left to ask.
  const isTold = isNew && (reason === "fails_early" || reason === "never_starts");
  if (isTold) job.isSuspectTold = true;
  return { others, isTold };
}

/** A worker took it. */
export function clearByAcceptance(job: ModelJob): void {
  const left = job.doubts.filter(({ reason }) => reason !== "silent" && reason !== "rejects");
  if (left.length === job.doubts.length) return;
  job.doubts = left;
  if (left.length < 2) Object.assign(job, { suspectAt: 0, isSuspectTold: false });
}

export function clearJob(job: ModelJob): void {
  if (job.doubts.length === 0) return;
  Object.assign(job, { doubts: [], suspectAt: 0, isSuspectTold: false });
}

/** On probation, and not tried with what others failed. */
export function isSpared(state: ModelBook, id: string, job: ModelJob): boolean {
  const { ejectedAt = 0, coolingUntil = 0 } = state.sessions.get(id) ?? {};
  return job.suspectAt > 0 && ejectedAt > 0 && state.nowMs < coolingUntil + SPARED_MS;
}
