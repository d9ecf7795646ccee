/**
 * Owns the ledger's model where it is about sick workers: what is held against a session, when it is ejected, and what brings
 * it back. As plainly as lua/includes/ejecting can be said; the words of an ejection are those of `ejectionWords`.
 */
import { EJECTION_REASONS, type EjectionReason } from "@muster/domain/ejection";
import type { Ejection } from "../src/shapes.js";
import type { ModelBook, ModelHealth, ModelJob } from "./ledger-model-types.js";
import * as ms from "./scene.js";

const ENOUGH: Record<EjectionReason, number> = { silent: 1, rejects: 5, fails_early: 3, never_starts: 2 };
const LONGEST_MS = 300_000;

export function wellHealth(): ModelHealth {
  const strikes = { silent: 0, rejects: 0, fails_early: 0, never_starts: 0 };
  return { health: "ok", ejectedAt: 0, ejections: 0, failedAt: 0, strikes };
}

export function ejectionWords(ejection: Omit<Ejection, "agent"> | null | undefined): string {
  if (!ejection) return "";
  const { session, reason, until_ms, ejections, last_of_pool } = ejection;
  return `${session} ${reason} until ${until_ms}, ${ejections}${last_of_pool ? ", the last" : ""}`;
}

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

export function recover(state: ModelBook, id: string): void {
  const session = state.sessions.get(id);
  if (session === undefined) return;
  Object.assign(session, wellHealth(), { coolingUntil: 0 });
  if (session.enteringUntil > state.nowMs) state.timers.set(id, session.enteringUntil);
  else state.timers.delete(id);
  state.place(id);
}

export function strike(
  state: ModelBook,
  id: string,
  job: Pick<ModelJob, "offeredAt">,
  reason: EjectionReason,
): string {
  const session = state.sessions.get(id);
  if (session === undefined) return "";
  const { ejectedAt, strikes } = session;
  if (ejectedAt > 0 && (session.coolingUntil > state.nowMs || job.offeredAt <= ejectedAt)) return "";
  if (reason === "fails_early" || reason === "never_starts") {
    const isNewRow = session.failedAt > 0 && ejectedAt === 0;
    if (isNewRow && isPast(state, proofAt(state, id, session.failedAt)))
      Object.assign(strikes, { fails_early: 0, never_starts: 0 });
    session.failedAt = state.nowMs;
  }
  const given = [...state.held(id).values()].filter((at) => at >= session.sampledAt && at <= state.nowMs);
  if (reason === "rejects" && given.length > 0) return "";
  strikes[reason]++;
  const isEnough = strikes[reason] >= ENOUGH[reason] || (ejectedAt > 0 && reason !== "rejects");
  if (!isEnough) return "";
  const last_of_pool = !somebodyElse(state, id, session.pool);
  const ejections = session.ejections + 1;
  const doublings = last_of_pool ? 0 : Math.min(10, ejections - 1);
  const until_ms = state.nowMs + Math.min(LONGEST_MS, ms.COOL_MS * 2 ** doublings);
  Object.assign(session, { health: "ejected", ejectedAt: state.nowMs, ejections, coolingUntil: until_ms });
  state.timers.set(id, until_ms);
  state.place(id);
  return ejectionWords({ session: id, reason, until_ms, ejections, last_of_pool });
}

export function wentWell(state: ModelBook, job: ModelJob): void {
  const session = state.sessions.get(job.session);
  if (session === undefined) return;
  const { ejectedAt, failedAt } = session;
  if (ejectedAt > 0) {
    if (session.coolingUntil <= state.nowMs && job.startedAt >= ejectedAt) recover(state, job.session);
  } else if (failedAt > 0 && job.startedAt >= failedAt) {
    Object.assign(session.strikes, { fails_early: 0, never_starts: 0 });
    session.failedAt = 0;
  }
}

export function wentWrong(state: ModelBook, job: ModelJob): { ejection: string; atOnce: boolean } {
  const isBelieved = state.sessions.get(job.session)?.reports !== true;
  const began = job.runningAt || (isBelieved ? job.startedAt : 0);
  if (began > 0 && state.nowMs - began >= ms.EARLY_MS) {
    wentWell(state, job);
    return { ejection: "", atOnce: false };
  }
  return { ejection: strike(state, job.session, job, "fails_early"), atOnce: true };
}

export function excuse(state: ModelBook, id: string): void {
  const session = state.sessions.get(id);
  if (session === undefined || session.strikes.rejects === 0) return;
  session.strikes.rejects = 0;
  if (session.ejectedAt > 0 && !hasStrikes(session)) recover(state, id);
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
  if (!hasStrikes(session) || isPast(state, proof)) {
    recover(state, id);
    return;
  }
  session.health = "probation";
  if (proof !== undefined) state.timers.set(id, proof);
}

function hasStrikes({ strikes }: ModelHealth): boolean {
  return EJECTION_REASONS.some((reason) => strikes[reason] > 0);
}
