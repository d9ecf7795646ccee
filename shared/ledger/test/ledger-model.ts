/**
 * Owns the ledger once more, in memory and without Redis: what each script should answer, as plainly as it can be said.
 * The oracle of model.test.ts. Knows two pools, room orders of one job each, and one namespace: ids of jobs stand for
 * orders too. What happens to jobs whose worker was lost is in ledger-model-recovery.ts; when a timer is due, in
 * ledger-model-timers.ts; to orders that are open, in ledger-model-orders.ts.
 */
import type { PlacementPolicy } from "@muster/ledger/shapes";
import { doubtJob, hasTakenAnother } from "./ledger-model-blame.js";
import { follow } from "./ledger-model-drains.js";
import {
  accepted,
  blameWords,
  excuse,
  strike,
  wasGivenSome,
  wentWell,
  wentWrong,
} from "./ledger-model-health.js";
import { LONGEST_JOIN_MS, SLOW_MS } from "./ledger-model-joins.js";
import { awaitLateAnswer, endLateWait, lengthen, waitsLonger } from "./ledger-model-lateness.js";
import { dueTimes, isLeftAlone, ModelState, NEVER_DUE, poolOf, rank } from "./ledger-model-state.js";
import { TimersModel } from "./ledger-model-timers.js";
import { type ModelJob, type ModelTerms, words } from "./ledger-model-types.js";
import { modelAddressOf } from "./model-places.js";
import { compareCounts } from "./placement-model.js";
import * as ms from "./scene.js";

export type ModelChanges = Partial<Pick<ModelJob, "priority" | "waitMs" | "maxAttempts" | "restarts">>;

export class LedgerModel {
  readonly state = new ModelState();
  readonly timers = new TimersModel(this.state);

  register(id: string, gateway: string, pool: string, cap: number): string {
    const { state } = this;
    if (!state.sessions.has(id)) {
      const session = state.newSession(gateway, pool, cap);
      state.sessions.set(id, session);
      state.guards.countReturn(id, pool);
      if ([...state.jobs.values()].some((job) => job.state === "orphaned" && poolOf(job) === pool)) {
        session.enteringUntil = state.nowMs + ms.ENTERING_MS;
        state.timers.set(id, session.enteringUntil);
      }
    }
    state.leases.set(gateway, Math.max(state.leases.get(gateway) ?? 0, state.nowMs + ms.LEASE_MS));
    follow(state, id);
    state.place(id);
    return "registered";
  }

  sample(id: string, gateway: string, load: number, status: "available" | "full", jobCount: number): string {
    const session = this.state.sessions.get(id);
    if (session?.gateway !== gateway) return "sampled unknown";
    const jobs = [...this.state.held(id).values()].filter((at) => at <= this.state.nowMs).length;
    const isMisfitTold = load >= 0 && this.state.weights.weigh(id, session, jobs, load);
    if (load >= 0 && load < 1) this.state.learnCost(id, session, jobs, load);
    session.counts ||= jobCount > 0;
    const miscounted = session.counts && compareCounts(session, jobCount - jobs);
    Object.assign(session, { status, enteringUntil: 0 });
    if (load >= 0) Object.assign(session, { load, sampledAt: this.state.nowMs });
    if (status === "full") excuse(this.state, id);
    follow(this.state, id);
    this.state.place(id);
    return words(
      "sampled",
      miscounted ? `miscounted ${session.miscount}` : "",
      isMisfitTold ? `misfit ${session.weight?.floor ?? 0}` : "",
    );
  }

  /** For the whole namespace; everybody stands where it puts them at once. */
  setPlacement(policy: PlacementPolicy): string {
    this.state.policy = policy;
    for (const id of this.state.sessions.keys()) this.state.place(id);
    return "set";
  }

  order(id: string, terms: ModelTerms): string {
    const { state } = this;
    if (state.jobs.has(id)) return "exists";
    state.jobs.set(id, state.newJob(terms, ms.POOL));
    return "created";
  }

  admit(id: string): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "idle unknown";
    if (job.state !== "queued" && job.state !== "parked") return `idle ${job.state}`;
    if (state.nowMs < job.notBefore || job.isHeld || isLeftAlone(job, state.nowMs))
      return `idle ${job.state}`;
    if (job.isOnHold) {
      state.suspend(job);
      return "held";
    }
    if (state.nowMs >= job.waitUntil) {
      state.end(id, job, "expired", "waited_too_long");
      return "ended";
    }
    const chosen = state.splits.pick(id, job);
    if (chosen !== undefined) {
      const ahead = state.line(poolOf(job)).filter(([, other]) => other !== job && isBefore(other, job));
      if (!ahead.some(([, other]) => !other.excluded.has(chosen))) return state.offer(id, job, chosen);
      state.move(job, "parked");
      job.due = state.nextLook(job);
      return "parked 1";
    }
    if (job.state === "parked" && job.due < dueTimes(job).last) return "parked 0";
    const superseded = job.state === "queued" ? this.timers.supersede(id, job) : 0;
    const isRefused = job.excluded.size > 0 || job.suspectAt > 0;
    const rounds = job.metFull ? 0 : Math.min(10, job.rounds);
    const backOff = Math.min(30_000, ms.RETRY_MS * 2 ** rounds);
    if (isRefused && !job.metFull) job.rounds++;
    if (isRefused) job.metFull = false;
    state.move(job, "parked");
    job.due = isRefused ? Math.min(dueTimes(job).last, state.nowMs + backOff) : state.nextLook(job);
    const isNews = job.suspectAt > 0 && !job.isSuspectTold;
    if (isNews) job.isSuspectTold = true;
    const told = isNews ? blameWords({ suspect: id, reason: job.doubts.at(-1)?.reason ?? "rejects" }) : "";
    return superseded > 0 ? `superseded ${superseded}` : words("parked 0", told);
  }

  serve(pool: string): string {
    const { state } = this;
    const line = state.line(pool);
    if (line.length === 0) return "empty";
    if (!state.hasRoom(pool)) return "no_room";
    for (const [id, job] of line.slice(0, ms.HEADS)) {
      if (state.nowMs >= job.waitUntil || isLeftAlone(job, state.nowMs)) continue;
      const chosen = state.splits.pick(id, job);
      if (chosen !== undefined) return state.offer(id, job, chosen);
      if (job.state === "queued") Object.assign(job, { state: "parked", due: state.nextLook(job) });
    }
    return "no_room";
  }

  accept(id: string, session: string, epoch: number): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "stale unknown";
    if (job.session !== session || job.epoch !== epoch) return `stale ${job.state}`;
    if (job.state === "starting" || job.state === "running") {
      job.isNamed = true;
      return "started";
    }
    const live = state.sessions.get(session);
    if (job.state !== "offered" || live === undefined || isLeftAlone(job, state.nowMs))
      return `stale ${job.state}`;
    state.move(job, "starting");
    accepted(live, job);
    job.acceptedEpoch = epoch;
    if (live.ejectedAt > 0 && live.coolingUntil <= state.nowMs) state.timers.set(session, state.nowMs);
    const due = state.nowMs + ms.START_MS;
    Object.assign(job, { attempts: job.attempts + 1, startedAt: state.nowMs, due, isNamed: true });
    state.held(session).set(`${id}#${epoch}`, state.nowMs);
    return "started";
  }

  reject(id: string, session: string, epoch: number, reason: string, terminate: boolean): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "stale unknown";
    if (job.epoch === epoch && job.refusedEpoch === epoch)
      return job.state === "ended" ? "ended" : "requeued";
    const isOpen = job.state === "offered" && job.session === session && job.epoch === epoch;
    if (!isOpen) return `stale ${job.state}`;
    if (reason === "slow" && waitsLonger(state, session, job)) return "extended";
    job.refusedEpoch = epoch;
    const why = reason === "silent" ? "silent" : reason === "rejected" && !terminate ? "rejects" : undefined;
    const ejection = why === undefined ? "" : strike(state, session, id, job, why);
    if (terminate) {
      state.end(id, job, "success", "terminated_by_worker");
      return `ended ${ejection}`.trim();
    }
    if (reason === "slow") {
      job.lateBy = session;
      if (hasTakenAnother(state, session, job, job.offeredAt))
        doubtJob(state, job, session, "silent", job.offeredAt);
      if (job.suspectAt === 0) awaitLateAnswer(state, session, state.nowMs + ms.LATE_MS);
    }
    job.excluded.add(session);
    if (reason === "rejected" && wasGivenSome(state, session)) job.metFull = true;
    state.splits.noteRefusal(id, job, reason);
    state.release(id, job);
    state.requeue(job, state.nowMs + ms.GUARD_MS);
    return `requeued ${ejection}`.trim();
  }

  settleLate(id: string, session: string, epoch: number, answer: "yes" | "no" | "none"): string {
    const { state } = this;
    const job = state.jobs.get(id);
    const isSame = job?.epoch === epoch;
    if (isSame && job.session === session && (job.state === "starting" || job.state === "running"))
      return "started";
    const live = state.sessions.get(session);
    const noted = `noted ${job?.state ?? "unknown"}`;
    if (live === undefined) return noted;
    const waits = isSame && (job.state === "queued" || job.state === "parked") && job.lateBy === session;
    if (answer === "none") {
      const isCleared = job === undefined || job.state === "ended" || job.acceptedEpoch >= epoch;
      const ejection = strike(state, session, id, job, "silent", { offeredAt: state.nowMs, isCleared });
      if (waits && job.splitState === "placed") state.splits.note(id, job, false);
      return `${noted} ${ejection}`.trim();
    }
    lengthen(state, live, ms.ANSWER_MS);
    endLateWait(state, session);
    state.place(session);
    if (answer === "no" || !waits || poolOf(job) !== live.pool) return noted;
    if (job.isHeld || job.isOnHold || state.nowMs < job.notBefore || state.nowMs >= job.waitUntil)
      return noted;
    if (isLeftAlone(job, state.nowMs)) return noted;
    // FULL can be said of the very place that is kept for this job.
    if (state.measure(session, { ...live, status: "available" })?.room !== "pool") return noted;
    state.move(job, "starting");
    accepted(live, job);
    job.acceptedEpoch = epoch;
    const due = state.nowMs + ms.START_MS;
    job.excluded.clear();
    const marks = { refusedEpoch: Number.NaN, lateBy: "", isNamed: true };
    Object.assign(job, { session, attempts: job.attempts + 1, startedAt: state.nowMs, due, ...marks });
    state.held(session).set(`${id}#${epoch}`, state.nowMs);
    state.place(session);
    return "started";
  }

  seen(id: string, session: string, epoch: number): string {
    const job = this.state.jobs.get(id);
    if (job === undefined) return "stale unknown";
    const isHolder = job.session === session && job.epoch === epoch;
    if (!isHolder || (job.state !== "running" && job.state !== "starting")) return `stale ${job.state}`;
    if (job.state === "running") return "running";
    this.state.splits.note(id, job, true);
    Object.assign(job, { state: "running", runningAt: this.state.nowMs, due: NEVER_DUE });
    return "running";
  }

  /** What LiveKit says: the agent of the job is in its room. */
  agentJoins(id: string): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "ignored unknown_job";
    if (!["starting", "running", "orphaned"].includes(job.state)) return `ignored ${job.state}`;
    if (!job.isNamed) return "ignored another_identity";
    if (!job.isJoined) state.joins.learn(poolOf(job), state.nowMs - job.startedAt);
    job.isJoined = true;
    if (job.state === "running" && !job.isDoubted) job.due = NEVER_DUE;
    if (job.state === "starting") state.runsAgain(id, job);
    return "running";
  }

  report(id: string, from: string, wire: string, status: string): string {
    const { state } = this;
    if (status !== "running" && state.stops.has(`${from}|${wire}`)) {
      state.finishStop(`${from}|${wire}`);
      return "released";
    }
    const session = state.sessions.get(from);
    const job = state.jobs.get(id);
    const isWire = state.wire(id) === wire;
    const holds = job?.session === from && isWire;
    if (session === undefined && !holds) return "refused unknown_session";
    if (job === undefined) return "refused unknown_job";
    if (job.state === "ended") {
      const said = job.cause === "reported" ? job.outcome : job.isDoubted ? "success" : "";
      return said === status && isWire ? "ended" : "refused ended";
    }
    if (status !== "running" && job.failedWire === wire) return "retrying";
    if (!isWire || (!holds && session?.pool !== poolOf(job))) return "refused held_elsewhere";
    if (!["starting", "running", "orphaned"].includes(job.state)) return `refused ${job.state}`;
    const isThere = state.sessions.has(job.session);
    const isOfAnother = isThere && modelAddressOf(from) !== modelAddressOf(job.session);
    if (!holds && job.state !== "orphaned" && isOfAnother) return "refused another_worker";
    if (job.isDoubted) return status === "success" ? `checking ${job.due}` : "refused ended";
    if (status === "success" && state.mustDoubt(job)) {
      if (session !== undefined) session.reports = true;
      state.doubt(id, job);
      return `checking ${job.due}`;
    }
    const counts = holds && session !== undefined && job.state !== "orphaned";
    if (counts && status === "success") wentWell(state, job);
    const { ejection, atOnce } =
      counts && status === "failed" ? wentWrong(state, id, job) : { ejection: "", atOnce: false };
    if (session !== undefined) session.reports = true;
    if (status === "running") {
      if (!holds || session === undefined) {
        return job.state === "orphaned" ? "refused orphaned" : "refused held_elsewhere";
      }
      state.runsAgain(id, job);
      if (state.mustDoubt(job)) job.due = job.seekAt = job.startedAt + LONGEST_JOIN_MS;
      return "running";
    }
    if (status === "success" || !job.restarts || job.attempts >= job.maxAttempts) {
      state.end(id, job, status, "reported");
      return `ended ${ejection}`.trim();
    }
    this.timers.retry(id, job, job.session, atOnce);
    job.failedWire = wire;
    return `retrying ${ejection}`.trim();
  }

  /** By terminate and by deleting the job's order, which have the same effect on the job. */
  terminate(id: string, canAsk: boolean): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return `final ${job.outcome}`;
    const isLookedFor = canAsk && job.isNamed;
    const isHeld = (job.state === "starting" || job.state === "running") && !job.isDoubted;
    const isOrphan = job.state === "orphaned" && isLookedFor;
    if (isHeld) state.stop(job.session, state.wire(id), `${id}#${job.epoch}`, isLookedFor ? job : undefined);
    else if (isOrphan) state.stopOrphan(id, job, ms.REMOVE_MS);
    else if (isLookedFor) state.stopFormer(id, job);
    state.end(id, job, "canceled", "", isHeld || isOrphan);
    return isHeld || isOrphan ? "terminated stop" : "terminated";
  }

  change(id: string, changes: ModelChanges): string {
    const job = this.state.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return "closed";
    if (job.state !== "queued" && job.state !== "parked" && job.state !== "offered") return "changed";
    const backsOff = job.due < dueTimes(job).last;
    const waitUntil = job.waitUntil - job.waitMs + (changes.waitMs ?? job.waitMs);
    Object.assign(job, { ...changes, waitUntil });
    const { last } = dueTimes(job);
    if (job.state === "parked" && !job.isHeld)
      job.due = backsOff ? Math.min(job.due, last) : this.state.nextLook(job);
    return "changed";
  }

  hold(id: string): string {
    const job = this.state.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return "closed";
    job.isOnHold = true;
    if ((job.state === "queued" || job.state === "parked") && !job.isHeld) this.state.suspend(job);
    return "held";
  }

  release(id: string): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return "closed";
    job.isOnHold = false;
    if (!job.isHeld) return "released";
    state.letGo(job);
    const isInLine = job.state === "parked";
    return isInLine && state.hasRoom(poolOf(job)) ? `released ${poolOf(job)}` : "released";
  }

  endJob(id: string): string {
    const job = this.state.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return `final ${job.outcome}`;
    this.state.end(id, job, "success", "room_finished");
    return "ended";
  }

  endRoom(id: string): string {
    const job = this.state.jobs.get(id);
    if (job === undefined) return "unknown";
    if (!job.oneLife) return "other_life";
    if (job.state === "ended") return "closed";
    return words("ended", this.endOfRoom(id, job));
  }

  /** Answers its outcome; "" of one that is left to its timer. */
  endOfRoom(id: string, job: ModelJob): string {
    const { state } = this;
    if (job.isDoubted) {
      job.restarts = false;
      return "";
    }
    const runs = job.state === "starting" || job.state === "running";
    const isStarted = runs || job.state === "orphaned";
    const isMissed = isStarted && state.mustDoubt(job);
    const isSlow = isMissed && state.nowMs - job.startedAt > SLOW_MS;
    const outcome = isStarted && !isMissed ? "success" : "canceled";
    if (isSlow) state.splits.note(id, job, false);
    if (runs) state.stop(job.session, state.wire(id), `${id}#${job.epoch}`);
    state.end(id, job, outcome, isSlow ? "never_joined" : "room_finished", runs);
    return isSlow ? "never_joined" : outcome;
  }
}

function isBefore(a: ModelJob, b: ModelJob): boolean {
  return rank(a) < rank(b);
}
