/**
 * Owns the second half of the ledger's model: what should become of jobs whose session is gone, half-open or back.
 */
import { endDrainOfWorker } from "./ledger-model-drains.js";
import { type ModelState, poolOf, stepAt } from "./ledger-model-state.js";
import type { ModelJob } from "./ledger-model-types.js";
import { modelAddressOf } from "./model-places.js";
import * as ms from "./scene.js";

const isSameWorker = (session: string, other: string) => modelAddressOf(session) === modelAddressOf(other);

type Verdict = "absent" | "present" | "unknown";
interface Settling {
  unproven: boolean;
  deserted: boolean;
  removeMs: number;
}
export interface ModelClaim {
  job: string;
  session: string;
  epoch: number;
  wire: string;
}

export class RecoveryModel {
  readonly #state: ModelState;

  constructor(state: ModelState) {
    this.#state = state;
  }

  deregister(id: string, goodbye: boolean): string {
    if (!this.#state.sessions.has(id)) return "unknown";
    endDrainOfWorker(this.#state, id);
    return `deregistered ${this.#state
      .lose(id, goodbye ? "goodbye" : "counted")
      .sort()
      .join()}`;
  }

  expireGateway(gateway: string, awakeSinceMs: number): string {
    const state = this.#state;
    const lease = state.leases.get(gateway) ?? 0;
    if (lease > state.nowMs) return "idle";
    if (lease < awakeSinceMs && state.nowMs < awakeSinceMs + ms.HOLD_MS) return "idle";
    const lost = [...state.sessions].filter(([, session]) => session.gateway === gateway);
    const fates = [...new Set(lost.flatMap(([id]) => state.lose(id, "counted")))];
    state.leases.delete(gateway);
    return `lost ${fates.sort().join()}`;
  }

  assert(gateway: string, held: readonly ModelClaim[]): string {
    const state = this.#state;
    if ((state.leases.get(gateway) ?? 0) <= state.nowMs) return "lapsed";
    state.leases.set(gateway, state.nowMs + ms.LEASE_MS);
    const answers = held.map((claim) => {
      const job = state.jobs.get(claim.job);
      if (job === undefined) return "unknown";
      const isResumed = job.session === "" && job.resumedEpoch === job.epoch;
      const isTheirs = job.epoch === claim.epoch && (job.session === claim.session || isResumed);
      if (job.cause === "superseded" && isTheirs) return "over";
      if (job.state === "ended" || job.isDoubted || !isTheirs) return "stop";
      if (state.sessions.get(claim.session)?.gateway !== gateway) return "stands";
      if (job.state === "offered" || isResumed) {
        if (stepAt(job, state.sessions.get(claim.session)?.pool ?? "") === undefined) return "stop";
        state.takeOver(claim.job, job, claim.session, claim.epoch, claim.wire);
      } else if (job.state === "orphaned") state.runsAgain(claim.job, job);
      return "stands";
    });
    return `renewed ${answers.join()}`;
  }

  migrate(session: string, wires: readonly string[]): string {
    const state = this.#state;
    const live = state.sessions.get(session);
    if (live === undefined) return "unknown_session";
    const moved = new Map<string, number>();
    const [stops, refused, kept, closed, fates]: string[][] = [[], [], [], [], []];
    for (const wire of wires) {
      const [id = "", number = "1"] = wire.split(".");
      const job = state.jobs.get(id);
      const isStopped = state.stops.has(`${session}|${wire}`);
      const isOver = job?.state === "ended" || (job?.isDoubted && Number(number) === job.offers);
      if (job === undefined || stepAt(job, live.pool) === undefined) refused?.push(wire);
      else if (isStopped || isOver || Number(number) < job.offers || job.failedWire === wire) {
        stops?.push(wire);
        if (isStopped) continue;
        state.stop(session, wire, `${id}#${wire}`);
        state.held(session).set(`${id}#${wire}`, state.nowMs);
      } else {
        const holder = job.session;
        const isHeld = (job.state === "starting" || job.state === "running") && !job.isDoubted;
        if (isHeld && holder !== session && !isSameWorker(session, holder)) {
          kept?.push(wire);
          continue;
        }
        if (isHeld && holder === session && state.wire(id) === wire) state.runsAgain(id, job);
        else {
          if (isHeld && holder !== session) {
            closed?.push(holder);
            fates?.push(...state.lose(holder, "half-open"));
            state.guards.forgetArrival(session, live.pool);
          }
          state.takeOver(id, job, session, job.epoch + 1, wire);
        }
        moved.set(wire, job.epoch);
      }
    }
    live.enteringUntil = 0;
    if (moved.size > 0) live.reports = true;
    state.place(session);
    const isMoved = (fate: string) =>
      [...moved.keys()].some((wire) => fate.startsWith(wire.split(".")[0] ?? ""));
    const left = (fates ?? []).filter((fate) => !fate.endsWith("orphaned") || !isMoved(fate));
    const held = [...moved].map(([wire, epoch]) => `${wire}@${epoch}`);
    return ["migrated", held, stops, refused, kept, closed, left.sort()]
      .map((list) => list?.toString())
      .join(" ");
  }

  settle(id: string, epoch: number, verdict: Verdict, { unproven, deserted, removeMs }: Settling): string {
    const state = this.#state;
    const job = state.jobs.get(id);
    if (job === undefined) return "stale unknown";
    if (job.state !== "orphaned" || job.epoch !== epoch) {
      const waits = job.state === "queued" || job.state === "parked";
      return waits && job.resumedEpoch === epoch ? "resumed" : `stale ${job.state}`;
    }
    const canAsk = removeMs > 0 && job.isNamed;
    if (verdict === "absent") {
      const joinsUntil = job.isJoined ? 0 : state.joins.deadline(job, poolOf(job));
      const unseenUntil = Math.max(job.unseenUntil, joinsUntil);
      return state.nowMs < unseenUntil
        ? this.#keep(id, job, unseenUntil, 0)
        : this.#resume(id, job, deserted, 0, canAsk);
    }
    const recheckAt = state.nowMs + ms.RECHECK_MS;
    if (verdict === "present") {
      job.graceUntil = Math.max(job.graceUntil, recheckAt);
      return this.#keep(id, job, recheckAt, 0);
    }
    const until = state.guards.until(job.holderPool, job.orphanedAt);
    if (state.nowMs < until) return this.#keep(id, job, Math.min(until, recheckAt), 1);
    const graceEnds =
      until > job.orphanedAt ? Math.max(job.graceUntil, until + ms.RECHECK_MS) : job.graceUntil;
    if (state.nowMs < graceEnds) return this.#keep(id, job, graceEnds, 0);
    if (job.holderReports || unproven) return this.#resume(id, job, deserted, removeMs, canAsk);
    return this.#keep(id, job, recheckAt, 0);
  }

  #keep(id: string, job: ModelJob, until: number, guard: number): string {
    const guardEnds = this.#state.guards.until(job.holderPool, job.orphanedAt);
    const isGuarded = guardEnds > job.orphanedAt;
    const bound = Math.max(job.orphanedAt + ms.SILENT_MS, isGuarded ? guardEnds + 2 * ms.RECHECK_MS : 0);
    if (this.#state.nowMs >= bound) {
      this.#state.end(id, job, "unknown", "worker_lost");
      return "ended unknown";
    }
    job.due = Math.min(until, bound);
    return `kept ${job.due} ${guard}`;
  }

  #resume(id: string, job: ModelJob, deserted: boolean, removeMs: number, canAsk: boolean): string {
    const state = this.#state;
    if (deserted) {
      this.#endStopped(id, job, "success", "nobody_left", canAsk);
      return "ended success";
    }
    if (state.guards.until(job.holderPool, job.orphanedAt) <= state.nowMs) state.splits.note(id, job, false);
    if (!job.restarts) {
      this.#endStopped(id, job, "failed", "worker_lost", canAsk);
      return "ended failed";
    }
    const holder = job.session;
    state.release(id, job);
    state.requeueStarted(job, state.nowMs + removeMs);
    state.forgetRefusals(job);
    if (state.sessions.has(holder)) job.excluded.add(holder);
    Object.assign(job, { resumedEpoch: job.epoch, attempts: job.attempts - 1 });
    return "resumed";
  }

  /** Its agent may live on, and is looked for at once. */
  #endStopped(id: string, job: ModelJob, outcome: string, cause: string, canAsk: boolean): void {
    if (canAsk) this.#state.stopOrphan(id, job, 0);
    this.#state.end(id, job, outcome, cause, canAsk);
  }

  withdraw(id: string, session: string, epoch: number): string {
    const state = this.#state;
    const job = state.jobs.get(id);
    if (job === undefined) return "stale unknown";
    const waits = job.state === "queued" || job.state === "parked";
    if (waits && job.withdrawnEpoch === epoch) return "requeued";
    const isOpen = job.state === "starting" || job.state === "orphaned";
    if (!isOpen || job.session !== session || job.epoch !== epoch) return `stale ${job.state}`;
    state.release(id, job);
    state.requeueStarted(job, state.nowMs + ms.GUARD_MS);
    Object.assign(job, { withdrawnEpoch: epoch, attempts: job.attempts - 1 });
    return "requeued";
  }

  restore(id: string, session: string, epoch: number, wire: string): string {
    const state = this.#state;
    const live = state.sessions.get(session);
    if (live === undefined) return "unknown_session";
    const known = state.jobs.get(id);
    if (known !== undefined) {
      const isSame = known.session === session && known.epoch === epoch && state.wire(id) === wire;
      return isSame && known.state === "running" ? "restored" : `exists ${known.state}`;
    }
    const job = { ...state.newJob({ priority: 0, restarts: true }, live.pool), attempts: 1, isNamed: true };
    state.jobs.set(id, job);
    state.takeOver(id, job, session, epoch, wire);
    return "restored";
  }
}
