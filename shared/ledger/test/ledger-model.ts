/**
 * Owns the ledger once more, in memory and without Redis: what each script should answer, as plainly as it can be said.
 * The oracle of model.test.ts. Knows one pool, room orders of one job each, and one namespace.
 */
import { isLegalTransition, type JobState } from "@muster/domain/job";
import { placement } from "./consistency-sessions.js";
import * as ms from "./scene.js";

interface Job {
  state: JobState;
  epoch: number;
  offers: number;
  session: string;
  excluded: Set<string>;
  priority: number;
  createdAt: number;
  attempts: number;
  rounds: number;
  refusedEpoch: number;
  due: number;
  outcome: string;
  cause: string;
}

interface Session {
  gateway: string;
  cap: number;
  status: "available" | "full";
  load: number;
  sampledAt: number;
  coolingUntil: number;
  silences: number;
}

/** Ids stand for orders too: the order of job J is J. */
export class LedgerModel {
  nowMs = 0;
  readonly jobs = new Map<string, Job>();
  readonly sessions = new Map<string, Session>();
  readonly leases = new Map<string, number>();
  readonly stops = new Map<string, { due: number; session: string; place: string }>();
  readonly #places = new Map<string, Map<string, number>>();
  readonly #pool = new Map<string, number>();
  readonly #coolings = new Map<string, number>();

  wire(id: string): string {
    const offers = this.jobs.get(id)?.offers ?? 0;
    return offers <= 1 ? id : `${id}.${offers}`;
  }

  #held(session: string): Map<string, number> {
    const held = this.#places.get(session) ?? new Map<string, number>();
    this.#places.set(session, held);
    return held;
  }

  #place(id: string): boolean {
    this.#pool.delete(id);
    const session = this.sessions.get(id);
    if (session === undefined) return false;
    const { status, load, cap, sampledAt, coolingUntil } = session;
    const hash = { status, draining: "0", load: `${load}`, cap: `${cap}`, cost: "0.1", max_load: "0.7" };
    const times = { sampled_at: `${sampledAt}`, cooling_until: `${coolingUntil}` };
    const at = placement({ ...hash, ...times }, [...this.#held(id).values()], this.nowMs);
    if (at !== undefined) this.#pool.set(id, at);
    return at !== undefined;
  }

  #release(id: string, job: Job): void {
    if (job.session === "") return;
    this.#held(job.session).delete(`${id}#${job.epoch}`);
    this.#place(job.session);
  }

  #move(job: Job, to: JobState): void {
    const isSame = job.state === to && (to === "queued" || to === "parked");
    if (!isSame && !isLegalTransition(job.state, to)) throw new Error(`model: ${job.state} to ${to}`);
    job.state = to;
  }

  #requeue(job: Job, due: number): void {
    this.#move(job, "queued");
    job.session = "";
    job.due = due;
  }

  #end(id: string, job: Job, outcome: string, cause: string, keepsPlace = false): void {
    this.#move(job, "ended");
    Object.assign(job, { outcome, cause });
    if (!keepsPlace) this.#release(id, job);
  }

  #stop(id: string, job: Job): void {
    const field = `${job.session}|${this.wire(id)}`;
    this.stops.set(field, {
      due: this.nowMs + ms.STOP_MS,
      session: job.session,
      place: `${id}#${job.epoch}`,
    });
  }

  #finishStop(field: string): void {
    const stop = this.stops.get(field);
    if (stop === undefined) return;
    this.stops.delete(field);
    this.#held(stop.session).delete(stop.place);
    this.#place(stop.session);
  }

  #pick(job: Job): string | undefined {
    const ranked = [...this.#pool].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    return ranked.find(([id]) => {
      const lease = this.leases.get(this.sessions.get(id)?.gateway ?? "") ?? 0;
      return !job.excluded.has(id) && lease > this.nowMs;
    })?.[0];
  }

  #line(): [string, Job][] {
    const parked = [...this.jobs].filter(([, job]) => job.state === "parked");
    const rank = (job: Job) => (1000 - job.priority) * 2 ** 42 + job.createdAt;
    return parked.sort(([a, x], [b, y]) => rank(x) - rank(y) || (a < b ? -1 : 1));
  }

  #offer(id: string, job: Job, session: string): string {
    this.#move(job, "offered");
    Object.assign(job, {
      session,
      epoch: job.epoch + 1,
      offers: job.offers + 1,
      due: this.nowMs + ms.OFFER_MS,
    });
    this.#held(session).set(`${id}#${job.epoch}`, Number.POSITIVE_INFINITY);
    this.#place(session);
    return `offered ${id} ${session} ${job.epoch}`;
  }

  register(id: string, gateway: string, cap: number): string {
    const fresh = {
      gateway,
      cap,
      status: "available" as const,
      load: 0,
      sampledAt: 0,
      coolingUntil: 0,
      silences: 0,
    };
    if (!this.sessions.has(id)) this.sessions.set(id, fresh);
    this.leases.set(gateway, Math.max(this.leases.get(gateway) ?? 0, this.nowMs + ms.LEASE_MS));
    this.#place(id);
    return "registered";
  }

  sample(id: string, gateway: string, load: number, status: "available" | "full"): string {
    const session = this.sessions.get(id);
    if (session?.gateway !== gateway) return "sampled unknown";
    session.status = status;
    if (load >= 0) Object.assign(session, { load, sampledAt: this.nowMs });
    this.#place(id);
    return "sampled";
  }

  order(id: string, priority: number): string {
    if (this.jobs.has(id)) return "exists";
    const counts = { epoch: 0, offers: 0, attempts: 0, rounds: 0, refusedEpoch: 0 };
    const texts = { session: "", outcome: "", cause: "", excluded: new Set<string>() };
    const times = { createdAt: this.nowMs, due: this.nowMs + ms.GUARD_MS };
    this.jobs.set(id, { state: "queued", priority, ...counts, ...texts, ...times });
    return "created";
  }

  #isOver(job: Job): boolean {
    return this.nowMs >= job.createdAt + ms.WAIT_MS;
  }

  admit(id: string): string {
    const job = this.jobs.get(id);
    if (job === undefined) return "idle unknown";
    if (job.state !== "queued" && job.state !== "parked") return `idle ${job.state}`;
    if (this.#isOver(job)) {
      this.#end(id, job, "expired", "waited_too_long");
      return "ended";
    }
    const waitEnds = job.createdAt + ms.WAIT_MS;
    const chosen = this.#pick(job);
    if (chosen !== undefined) {
      const ahead = this.#line().filter(([, other]) => other !== job && isBefore(other, job));
      if (!ahead.some(([, other]) => !other.excluded.has(chosen))) return this.#offer(id, job, chosen);
      this.#move(job, "parked");
      job.due = waitEnds;
      return "parked 1";
    }
    if (job.state === "parked" && job.due < waitEnds) return "parked 0";
    const backOff =
      job.excluded.size > 0 ? Math.min(30_000, ms.RETRY_MS * 2 ** Math.min(10, job.rounds++)) : ms.WAIT_MS;
    this.#move(job, "parked");
    job.due = Math.min(waitEnds, this.nowMs + backOff);
    return "parked 0";
  }

  serve(): string {
    const line = this.#line();
    if (line.length === 0) return "empty";
    for (const [id, job] of line.slice(0, ms.HEADS)) {
      const chosen = this.#isOver(job) ? undefined : this.#pick(job);
      if (chosen !== undefined) return this.#offer(id, job, chosen);
    }
    return "no_room";
  }

  accept(id: string, session: string, epoch: number): string {
    const job = this.jobs.get(id);
    if (job === undefined) return "stale unknown";
    if (job.session !== session || job.epoch !== epoch) return `stale ${job.state}`;
    if (job.state === "starting" || job.state === "running") return "started";
    const live = this.sessions.get(session);
    if (job.state !== "offered" || live === undefined) return `stale ${job.state}`;
    this.#move(job, "starting");
    live.silences = 0;
    Object.assign(job, { attempts: job.attempts + 1, due: this.nowMs + ms.START_MS });
    this.#held(session).set(`${id}#${epoch}`, this.nowMs);
    return "started";
  }

  reject(id: string, session: string, epoch: number, reason: string, terminate: boolean): string {
    const job = this.jobs.get(id);
    if (job === undefined) return "stale unknown";
    if (job.epoch === epoch && job.refusedEpoch === epoch)
      return job.state === "ended" ? "ended" : "requeued";
    const isOpen = job.state === "offered" && job.session === session && job.epoch === epoch;
    if (!isOpen) return `stale ${job.state}`;
    job.refusedEpoch = epoch;
    const asked = this.sessions.get(session);
    if (reason === "silent" && asked !== undefined) {
      asked.coolingUntil = this.nowMs + Math.min(300_000, ms.COOL_MS * 2 ** Math.min(10, asked.silences++));
      this.#coolings.set(session, asked.coolingUntil);
    }
    if (terminate) {
      this.#end(id, job, "success", "terminated_by_worker");
      return "ended";
    }
    job.excluded.add(session);
    this.#release(id, job);
    this.#requeue(job, this.nowMs + ms.GUARD_MS);
    return "requeued";
  }

  seen(id: string, session: string, epoch: number): string {
    const job = this.jobs.get(id);
    if (job === undefined) return "stale unknown";
    const isHolder = job.session === session && job.epoch === epoch;
    if (!isHolder || (job.state !== "running" && job.state !== "starting")) return `stale ${job.state}`;
    job.state = "running";
    return "running";
  }

  report(id: string, session: string, wire: string, status: string): string {
    if (!this.sessions.has(session)) return "refused unknown_session";
    if (status !== "running" && this.stops.has(`${session}|${wire}`)) {
      this.#finishStop(`${session}|${wire}`);
      return "released";
    }
    const job = this.jobs.get(id);
    if (job === undefined) return "refused unknown_job";
    const isWire = this.wire(id) === wire;
    if (job.state === "ended") {
      return job.cause === "reported" && job.outcome === status && isWire ? "ended" : "refused ended";
    }
    const holds = job.session === session && isWire;
    const adopts = job.state === "orphaned" && isWire;
    if (!holds && !adopts) return "refused held_elsewhere";
    if (job.state !== "starting" && job.state !== "running" && !adopts) return `refused ${job.state}`;
    if (status === "running") {
      if (!holds) return "refused orphaned";
      job.state = "running";
      return "running";
    }
    this.#end(id, job, status, "reported");
    return "ended";
  }

  /** By terminate and by deleting the job's order, which have the same effect on the job. */
  terminate(id: string): string {
    const job = this.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return `final ${job.outcome}`;
    const isHeld = job.state === "starting" || job.state === "running";
    if (isHeld) this.#stop(id, job);
    this.#end(id, job, "canceled", "", isHeld);
    return isHeld ? "terminated stop" : "terminated";
  }

  endJob(id: string): string {
    const job = this.jobs.get(id);
    if (job === undefined) return "unknown";
    if (job.state === "ended") return `final ${job.outcome}`;
    this.#end(id, job, "success", "room_finished");
    return "ended";
  }

  #lose(id: string): string {
    this.sessions.delete(id);
    this.#pool.delete(id);
    this.#coolings.delete(id);
    const fates: string[] = [];
    for (const [job, record] of this.jobs) {
      if (record.session !== id) continue;
      if (record.state === "offered") {
        this.#release(job, record);
        this.#requeue(record, this.nowMs + ms.GUARD_MS);
        fates.push(`${job} requeued`);
      } else if (record.state === "starting" || record.state === "running") {
        this.#move(record, "orphaned");
        record.due = this.nowMs + ms.GRACE_MS;
        fates.push(`${job} orphaned`);
      }
    }
    return fates.sort().join();
  }

  deregister(id: string): string {
    return this.sessions.has(id) ? `deregistered ${this.#lose(id)}` : "unknown";
  }

  assert(gateway: string, held: readonly { job: string; session: string; epoch: number }[]): string {
    if ((this.leases.get(gateway) ?? 0) <= this.nowMs) return "lapsed";
    this.leases.set(gateway, this.nowMs + ms.LEASE_MS);
    const answers = held.map((claim) => {
      const job = this.jobs.get(claim.job);
      if (job === undefined) return "unknown";
      if (job.state === "ended" || job.epoch !== claim.epoch || job.session !== claim.session) return "stop";
      const lives = this.sessions.get(claim.session)?.gateway === gateway;
      if (lives && ["orphaned", "offered"].includes(job.state)) {
        if (job.state === "offered") this.#held(claim.session).set(`${claim.job}#${claim.epoch}`, this.nowMs);
        job.state = "running";
        this.#place(claim.session);
      }
      return "stands";
    });
    return `renewed ${answers.join()}`;
  }

  expireJob(id: string): string {
    const job = this.jobs.get(id);
    if (job === undefined || job.state === "running" || job.state === "ended" || job.due > this.nowMs)
      return "idle";
    if (job.state === "offered") {
      this.#release(id, job);
      this.#requeue(job, this.nowMs + ms.GUARD_MS);
      return "requeued";
    }
    if (job.state === "starting") {
      this.#stop(id, job);
      job.excluded.add(job.session);
      if (job.attempts >= ms.MAX_ATTEMPTS) this.#end(id, job, "failed", "never_started", true);
      else this.#requeue(job, this.nowMs);
      return "stopping";
    }
    if (job.state === "orphaned" || this.#isOver(job)) {
      const outcome = job.state === "orphaned" ? "unknown" : "expired";
      this.#end(id, job, outcome, "");
      return `ended ${outcome}`;
    }
    if (job.state === "parked") job.excluded.clear();
    this.#requeue(job, this.nowMs + ms.GUARD_MS);
    return "requeued";
  }

  expireStop(field: string): string {
    const stop = this.stops.get(field);
    if (stop === undefined || stop.due > this.nowMs) return "idle";
    this.#finishStop(field);
    return "released";
  }

  expireSession(id: string): string {
    if ((this.#coolings.get(id) ?? Number.POSITIVE_INFINITY) > this.nowMs) return "idle";
    this.#coolings.delete(id);
    this.#place(id);
    return "back";
  }

  expireGateway(gateway: string): string {
    if ((this.leases.get(gateway) ?? 0) > this.nowMs) return "idle";
    const lost = [...this.sessions].filter(([, session]) => session.gateway === gateway);
    const fates = lost.map(([id]) => this.#lose(id)).filter((fate) => fate !== "");
    this.leases.delete(gateway);
    return `lost ${fates.join().split(",").sort().join()}`;
  }
}

function isBefore(a: Job, b: Job): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.createdAt < b.createdAt);
}
