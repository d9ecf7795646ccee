/**
 * Owns the third part of the ledger's model: orders that make jobs as participants come, while their room opens, closes, or
 * never does. Their jobs are jobs like the others, and live in the same state.
 */
import type { LedgerModel } from "./ledger-model.js";
import { waitsAlone } from "./ledger-model-state.js";
import type { ModelJob } from "./ledger-model-types.js";
import * as ms from "./scene.js";

interface ModelOrder {
  state: "live" | "ended" | "expired" | "deleted";
  /** False: it is for the room, and has not heard yet that participants are served too. */
  isOpen: boolean;
  hasRoomJob: boolean;
  isHeld: boolean;
  isBound: boolean;
  waitMs: number;
  createdMs: number;
  /** When it was made or released. */
  sinceMs: number;
  jobs: Set<string>;
}

export class OrdersModel {
  readonly orders = new Map<string, ModelOrder>();
  readonly #jobs: LedgerModel;

  constructor(jobs: LedgerModel) {
    this.#jobs = jobs;
  }

  /** The order that a slot stands for: the latest that was made there. */
  idOf(slot: string): string {
    const made = [...this.orders.keys()].filter((id) => id.startsWith(`${slot}-`));
    return made.at(-1) ?? `${slot}-0`;
  }

  /** The next to be made there: another one when the latest is over. */
  nextOf(slot: string): string {
    const id = this.idOf(slot);
    return this.#live(id) || !this.orders.has(id) ? id : `${slot}-${Number(id.split("-")[1]) + 1}`;
  }

  stateOf(id: string): ModelOrder["state"] | undefined {
    return this.#live(id) ? "live" : this.orders.get(id)?.state;
  }

  create(id: string, asked: Pick<ModelOrder, "hasRoomJob" | "isHeld" | "waitMs">): string {
    if (this.orders.has(id)) return "exists";
    const rest = { state: "live", isOpen: !asked.hasRoomJob, isBound: false } as const;
    const order: ModelOrder = {
      ...asked,
      ...rest,
      createdMs: this.#nowMs,
      sinceMs: this.#nowMs,
      jobs: new Set(),
    };
    this.orders.set(id, order);
    if (asked.hasRoomJob) this.#addJob(order, roomJobOf(id), ms.WAIT_MS);
    return "created";
  }

  opens(id: string, job: string | undefined): string {
    const order = this.orders.get(id);
    if (order === undefined) return "unknown";
    if (!this.#live(id)) return `closed ${order.state}`;
    const isNew = job !== undefined && !order.jobs.has(job);
    Object.assign(order, { isBound: true, isOpen: true });
    if (isNew) this.#addJob(order, job, order.waitMs);
    return `extended ${isNew ? 1 : 0}`;
  }

  /** `seenMs` ago a caller was last there, and none is now; undefined: one is. */
  noteCallers(id: string, seenMs: number | undefined): string {
    const order = this.orders.get(id);
    if (order === undefined) return "unknown";
    if (!this.#live(id)) return "closed";
    if (!order.isBound) return "other_life";
    const job = this.#jobs.state.jobs.get(roomJobOf(id));
    if (job === undefined || job.state === "ended") return "noted ";
    const seenAt = this.#nowMs - (seenMs ?? 0);
    const aloneUntil = seenMs === undefined || seenAt <= order.createdMs ? 0 : seenAt + ms.AWAY_MS;
    const isBack = job.aloneUntil > 0 && aloneUntil === 0;
    if (isBack && job.state === "queued" && job.notBefore > this.#nowMs) job.due = job.notBefore;
    const isNews = job.aloneUntil !== aloneUntil && aloneUntil > 0;
    job.aloneUntil = aloneUntil;
    const waits = (job.state === "queued" || job.state === "parked") && !job.isHeld;
    if (isNews && waits) job.due = Math.min(job.due, aloneUntil);
    if (!waitsAlone(job, this.#nowMs)) return "noted ";
    this.#jobs.state.end(roomJobOf(id), job, "canceled", "caller_left");
    return `noted ${roomJobOf(id)}`;
  }

  closes(id: string): string {
    const order = this.orders.get(id);
    if (order === undefined) return "unknown";
    if (!order.isBound) return "other_life";
    const isLive = this.#live(id);
    const left = this.#liveJobs(order).sort(([a], [b]) => (a < b ? -1 : 1));
    if (!isLive && left.length === 0) return "closed";
    const wasServed = [...order.jobs].some((job) => (this.#jobs.state.jobs.get(job)?.attempts ?? 0) > 0);
    if (isLive && this.#nowMs < order.sinceMs + order.waitMs && !wasServed) {
      order.isBound = false;
      for (const [job, record] of left)
        if (job === roomJobOf(id)) record.aloneUntil = 0;
        else this.#jobs.state.end(job, record, "canceled", "participant_left");
      return "kept";
    }
    if (isLive) order.state = "ended";
    return `ended ${left
      .map(([job, record]) => this.#jobs.endOfRoom(job, record))
      .filter((word) => word !== "")
      .join()}`;
  }

  expire(id: string): string {
    const order = this.orders.get(id);
    const isIdle = order === undefined || !this.#live(id) || !order.isOpen || order.isHeld || order.isBound;
    if (isIdle || this.#liveJobs(order).length > 0 || this.#nowMs < order.sinceMs + order.waitMs)
      return "idle";
    order.state = "expired";
    return "expired";
  }

  hold(id: string): string {
    return this.#changed(id, "held", (order) => {
      order.isHeld = true;
      for (const job of order.jobs) this.#jobs.hold(job);
    });
  }

  release(id: string): string {
    let pools = "";
    const reply = this.#changed(id, "released", (order) => {
      if (order.isHeld) order.sinceMs = this.#nowMs;
      order.isHeld = false;
      for (const job of order.jobs) pools = this.#jobs.release(job).split(" ")[1] ?? pools;
    });
    return pools === "" ? reply : `${reply} ${pools}`;
  }

  change(id: string, waitMs: number): string {
    return this.#changed(id, "changed", (order) => {
      order.waitMs = waitMs;
      for (const job of order.jobs) this.#jobs.change(job, { waitMs });
    });
  }

  remove(id: string): string {
    const order = this.orders.get(id);
    if (order === undefined) return "unknown";
    order.state = "deleted";
    const ends = this.#liveJobs(order).map(([job]) => this.#jobs.terminate(job, false));
    return `deleted ${ends.filter((end) => end === "terminated stop").length}`;
  }

  #changed(id: string, done: string, change: (order: ModelOrder) => void): string {
    const order = this.orders.get(id);
    if (order === undefined) return "unknown";
    if (!this.#live(id)) return "closed";
    change(order);
    return done;
  }

  get #nowMs(): number {
    return this.#jobs.state.nowMs;
  }

  /** One that is not open ends with the last of its jobs. */
  #live(id: string): boolean {
    const order = this.orders.get(id);
    if (order === undefined) return false;
    const isDone = !order.isOpen && this.#liveJobs(order).length === 0;
    if (order.state === "live" && isDone) order.state = "ended";
    return order.state === "live";
  }

  #liveJobs(order: ModelOrder): [string, ModelJob][] {
    const { jobs } = this.#jobs.state;
    return [...jobs].filter(([id, job]) => order.jobs.has(id) && job.state !== "ended");
  }

  #addJob(order: ModelOrder, id: string, waitMs: number): void {
    const { state } = this.#jobs;
    order.jobs.add(id);
    const job = { ...state.newJob({ priority: 0, restarts: true }, ms.POOL), waitMs };
    Object.assign(job, { waitUntil: this.#nowMs + waitMs, isOnHold: order.isHeld });
    state.jobs.set(id, job);
    if (order.isHeld) state.suspend(job);
  }
}

export const roomJobOf = (order: string): string => `${order}-room`;
