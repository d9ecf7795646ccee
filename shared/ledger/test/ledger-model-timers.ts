/**
 * Owns the fourth part of the ledger's model: what follows when a timer is due, and what is decided on jobs whose agent nobody
 * saw in its room.
 */
import { endDrainOfWorker } from "./ledger-model-drains.js";
import { lookAtHealth, recover, somebodyElse, strike, wentWell } from "./ledger-model-health.js";
import { dueTimes, type ModelState, NEVER_DUE, poolOf, waitsAlone } from "./ledger-model-state.js";
import { type ModelJob, words } from "./ledger-model-types.js";
import * as ms from "./scene.js";

/** Of a room. */
const MOST_UNHEARD = 16;

export class TimersModel {
  readonly state: ModelState;
  /** Jobs that passed their start deadline unheard, the newest last. */
  #unheard: string[] = [];

  constructor(state: ModelState) {
    this.state = state;
  }

  expireJob(id: string, awakeSinceMs: number): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined || job.state === "ended" || job.due > state.nowMs) return "idle";
    if (job.state === "running") return job.isDoubted ? this.#doubted(id, job) : this.#unseen(job);
    if (waitsAlone(job, state.nowMs)) {
      state.end(id, job, "canceled", "caller_left");
      return "ended canceled";
    }
    if (job.state === "offered") {
      state.release(id, job);
      state.requeue(job, state.nowMs + ms.GUARD_MS);
      return "requeued";
    }
    if (job.state === "starting") return this.#neverSeen(id, job);
    if (job.state === "orphaned") {
      const isOurs = job.due < awakeSinceMs;
      job.due = state.nowMs + (isOurs ? ms.GRACE_MS : ms.GUARD_MS);
      if (isOurs) job.graceUntil = job.due;
      return isOurs ? "idle" : `orphaned ${job.epoch}`;
    }
    if (job.isOnHold) {
      state.suspend(job);
      return "idle";
    }
    if (state.nowMs >= job.waitUntil) {
      state.end(id, job, "expired", "");
      return "ended expired";
    }
    if (job.state === "parked" && state.nowMs >= dueTimes(job).fallback) {
      job.step++;
      if (job.splitState !== "") job.splitState = "spent";
      state.forgetRefusals(job);
      state.requeue(job, state.nowMs + ms.GUARD_MS);
      return "fell_back";
    }
    const isPlaced =
      job.splitState !== "" && job.step === 0 && job.excluded.size === 0 && job.suspectAt === 0;
    if (job.state === "parked" && isPlaced && state.splits.standsWell(id, job)) {
      job.due = state.nextLook(job);
      return "idle";
    }
    if (job.state === "parked") job.excluded.clear();
    state.requeue(job, state.nowMs + ms.GUARD_MS);
    return "requeued";
  }

  #unseen(job: ModelJob): string {
    const isAsked = this.state.mustDoubt(job);
    job.due = isAsked ? this.state.nowMs + ms.GUARD_MS : NEVER_DUE;
    return isAsked ? `unjoined ${job.epoch}` : "idle";
  }

  #doubted(id: string, job: ModelJob): string {
    if (job.isJoined) return `ended ${this.#believe(id, job)}`;
    job.due = this.state.nowMs + ms.GUARD_MS;
    return `unjoined ${job.epoch}`;
  }

  #believe(id: string, job: ModelJob): string {
    wentWell(this.state, job);
    this.state.end(id, job, "success", "reported");
    return "success";
  }

  settleUnjoined(
    id: string,
    epoch: number,
    verdict: "joined" | "never" | "unknown",
    company: boolean,
  ): string {
    const { state } = this;
    const job = state.jobs.get(id);
    if (job === undefined) return "stale unknown";
    const isDoubted = job.state === "running" && job.isDoubted;
    const isUnseen = job.state === "running" && !job.isDoubted && state.mustDoubt(job);
    const isOpen = isDoubted || isUnseen || job.state === "starting";
    if (job.epoch !== epoch || !isOpen) return `stale ${job.state}`;
    if (verdict !== "never" || job.isJoined || (isUnseen && !company)) {
      if (isDoubted) return `ended ${this.#believe(id, job)}`;
      const againMs = verdict === "joined" ? ms.SILENT_MS : ms.RECHECK_MS;
      if (isUnseen) job.due = state.nowMs + againMs;
      else job.due = Math.min(job.startedAt + ms.SILENT_MS, state.nowMs + ms.RECHECK_MS);
      return `kept ${job.due}`;
    }
    const holder = job.session;
    if (!isDoubted) state.stop(holder, state.wire(id), `${id}#${job.epoch}`, job);
    if (!company) {
      state.splits.note(id, job, false);
      state.end(id, job, "canceled", "never_joined", !isDoubted);
      return isDoubted ? "ended canceled" : "stopping";
    }
    const ejection = strike(state, holder, id, job, isDoubted ? "fails_early" : "never_starts");
    const isLast = job.attempts >= job.maxAttempts;
    if (isLast || (isDoubted && !job.restarts)) {
      state.end(id, job, "failed", isDoubted ? "never_joined" : "never_started", !isDoubted);
      return words(isDoubted ? "ended failed" : "stopping", ejection);
    }
    if (isDoubted) {
      this.retry(id, job, holder, true);
      job.failedWire = state.wire(id);
      return words("retrying", ejection);
    }
    state.splits.note(id, job, false);
    state.requeueStarted(job, state.nowMs);
    job.excluded.add(holder);
    return words("stopping", ejection);
  }

  /** It failed, and goes back after its back-off. */
  retry(id: string, job: ModelJob, holder: string, atOnce: boolean): void {
    const { state } = this;
    state.splits.note(id, job, false);
    state.release(id, job);
    const back = state.nowMs + Math.min(30_000, 1_000 * 2 ** Math.max(0, job.attempts - 1));
    state.requeueStarted(job, Math.min(back, job.aloneUntil || back));
    state.forgetRefusals(job);
    if (atOnce && somebodyElse(state, holder, poolOf(job))) job.excluded.add(holder);
    job.notBefore = back;
  }

  /** Jobs of the room that nobody heard of, which this later one shows to be over. */
  supersede(later: string, job: ModelJob): number {
    const { state } = this;
    if (state.knowsPresence || !isForRoom(later)) return 0;
    const isOver = (id: string, other: ModelJob) =>
      id !== later &&
      other.state === "starting" &&
      other.unseenUntil > 0 &&
      !other.isJoined &&
      other.unseenUntil <= job.createdAt &&
      agentOf(other) === agentOf(job) &&
      state.sessions.get(other.session)?.reports !== true;
    let count = 0;
    for (const id of this.#unheard) {
      const other = state.jobs.get(id);
      if (other === undefined || !isOver(id, other)) continue;
      state.end(id, other, "unknown", "superseded");
      count++;
    }
    return count;
  }

  #neverSeen(id: string, job: ModelJob): string {
    const { state } = this;
    const reports = state.sessions.get(job.session)?.reports === true;
    if (!reports && state.nowMs < job.startedAt + ms.SILENT_MS) {
      const isAsked = job.isNamed && state.knowsPresence;
      const joinsBy = state.joins.deadline(job, poolOf(job));
      if (isAsked && state.nowMs < joinsBy) {
        job.due = joinsBy;
        return "idle";
      }
      job.unseenUntil ||= state.nowMs;
      job.due = isAsked ? state.nowMs + ms.GUARD_MS : job.startedAt + ms.SILENT_MS;
      if (isAsked) return `unjoined ${job.epoch}`;
      const superseded = this.supersede(id, job);
      if (isForRoom(id)) {
        const others = this.#unheard.filter((other) => other !== id);
        this.#unheard = [...others, id].slice(-MOST_UNHEARD);
      }
      return superseded > 0 ? `superseded ${superseded}` : "idle";
    }
    const holder = job.session;
    state.stop(holder, state.wire(id), `${id}#${job.epoch}`);
    const ejection = reports ? strike(state, holder, id, job, "never_starts") : "";
    if (!reports) state.end(id, job, "unknown", "never_seen", true);
    else if (job.attempts >= job.maxAttempts) state.end(id, job, "failed", "never_started", true);
    else {
      state.splits.note(id, job, false);
      state.requeueStarted(job, state.nowMs);
      job.excluded.add(holder);
    }
    return `stopping ${ejection}`.trim();
  }

  expireStop(field: string): string {
    const stop = this.state.stops.get(field);
    const { nowMs } = this.state;
    if (stop === undefined || stop.due > nowMs) return "idle";
    if (nowMs < stop.endsAt) {
      stop.due = Math.min(stop.endsAt, nowMs + ms.AGAIN_MS * 2 ** Math.min(10, stop.looks++));
      return `looking ${stop.due}`;
    }
    this.state.finishStop(field);
    return "released";
  }

  confirmStop(field: string, wasThere: boolean): string {
    const stop = this.state.stops.get(field);
    if (stop === undefined) return "idle";
    const { slow } = stop;
    if (wasThere && !stop.isSeen && slow !== undefined)
      this.state.joins.learn(slow.pool, this.state.nowMs - slow.startedAt);
    if (wasThere) stop.isSeen = true;
    if (wasThere) return "seen";
    if (!stop.isSeen) return "doubted";
    this.state.finishStop(field);
    return "released";
  }

  expireSession(id: string): string {
    const { state } = this;
    if ((state.timers.get(id) ?? Number.POSITIVE_INFINITY) > state.nowMs) return "idle";
    state.timers.delete(id);
    if (!state.sessions.has(id)) {
      endDrainOfWorker(state, id);
      return "idle";
    }
    lookAtHealth(state, id);
    state.place(id);
    return "back";
  }

  reinstate(id: string): string {
    if (!this.state.sessions.has(id)) return "unknown";
    recover(this.state, id);
    return "reinstated";
  }
}

/** Jobs for participants are named by the order and the person. */
const isForRoom = (id: string) => !id.includes("-") || id.endsWith("-room");
const agentOf = (job: ModelJob) => poolOf(job).split("/")[1];
