/** Owns the ledger's model where it is about answers that come late: who is given longer, and who is waited for. */
import type { ModelBook, ModelJob, ModelSession } from "./ledger-model-types.js";
import * as ms from "./scene.js";

interface Lessons extends ModelBook {
  readonly taught: Map<string, number>;
  poolOf(job: ModelJob): string;
}

/** True when its pool is known to need longer than the offer is old: then it stays open. */
export function waitsLonger(state: Lessons, id: string, job: ModelJob): boolean {
  const waited = state.nowMs - job.offeredAt;
  const longer = Math.min(state.taught.get(state.poolOf(job)) ?? 0, waited + ms.LATE_MS);
  const session = state.sessions.get(id);
  if (longer <= waited || session === undefined) return false;
  session.answerMs = longer;
  job.due = job.offeredAt + longer + ms.ANSWER_MARGIN_MS;
  return true;
}

export function awaitLateAnswer(state: ModelBook, id: string, untilMs: number): void {
  const session = state.sessions.get(id);
  if (session === undefined || session.ejectedAt > 0 || session.coolingUntil >= untilMs) return;
  session.coolingUntil = untilMs;
  state.timers.set(id, Math.max(untilMs, session.enteringUntil));
}

export function endLateWait(state: ModelBook, id: string): void {
  const session = state.sessions.get(id);
  if (session === undefined || session.ejectedAt > 0 || session.coolingUntil <= state.nowMs) return;
  session.coolingUntil = 0;
  if (session.enteringUntil > state.nowMs) state.timers.set(id, session.enteringUntil);
  else state.timers.delete(id);
}

export function lengthen(state: Lessons, session: ModelSession, answerMs: number): void {
  session.answerMs = Math.max(session.answerMs ?? 0, answerMs);
  state.taught.set(session.pool, Math.max(state.taught.get(session.pool) ?? 0, answerMs));
}
