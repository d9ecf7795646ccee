/**
 * Owns what the model of the ledger remembers, and the moves that several scripts share: places, pool, stops, offers,
 * losses; the guards are in ledger-model-guards.ts. The scripts themselves are in ledger-model.ts and ledger-model-recovery.ts.
 */
import { isLegalTransition, type JobState } from "@muster/domain/job";
import type { PlacementPolicy } from "@muster/ledger/shapes";
import { placement } from "./consistency-sessions.js";
import { clearJob, isSpared } from "./ledger-model-blame.js";
import { GuardsModel } from "./ledger-model-guards.js";
import { tryEjected, watch, wellHealth } from "./ledger-model-health.js";
import { JoinTimes } from "./ledger-model-joins.js";
import type { ModelJob, ModelSession, ModelStop, ModelTerms } from "./ledger-model-types.js";
import { WeightsModel } from "./ledger-model-weights.js";
import { choose, learn, learnLess, NOTHING_LEARNT, six } from "./placement-model.js";
import * as ms from "./scene.js";
import { SplitModel } from "./split-model.js";

type Room = NonNullable<ReturnType<typeof placement>>;

/** No epoch: equal to none. */
const NEVER = Number.NaN;
/** No timer. */
export const NEVER_DUE = Number.POSITIVE_INFINITY;

export class ModelState {
  nowMs = 0;
  readonly jobs = new Map<string, ModelJob>();
  readonly sessions = new Map<string, ModelSession>();
  readonly leases = new Map<string, number>();
  readonly stops = new Map<string, ModelStop>();
  /** Timers of sessions, by session. */
  readonly timers = new Map<string, number>();
  readonly drains = new Map<string, { kind: "worker" | "gateway"; value: string }>();
  drainsRevision = 0;
  /** Somebody can say whether an agent is in its room. */
  knowsPresence = false;
  readonly guards: GuardsModel;
  readonly #places = new Map<string, Map<string, number>>();
  /** Who stands in a pool, or among those with reserved room, and at which load. */
  readonly #rooms = new Map<string, Room>();
  /** What was learnt in a pool. */
  readonly costs = new Map<string, number>();
  readonly weights = new WeightsModel(this);
  /** How long the workers of a pool are known to need for an answer. */
  readonly taught = new Map<string, number>();
  readonly joins = new JoinTimes();
  /** Set for the whole namespace. */
  policy: PlacementPolicy = {};
  readonly splits = new SplitModel<ModelJob>(this);

  constructor() {
    const { sessions } = this;
    const now = () => this.nowMs;
    this.guards = new GuardsModel({
      get nowMs() {
        return now();
      },
      there: (pool) => [...sessions.values()].filter((one) => pool === undefined || one.pool === pool).length,
      session: (id) => sessions.get(id),
    });
  }

  newJob(terms: ModelTerms, pool: string): ModelJob {
    const counts = { epoch: 0, offers: 0, attempts: 0, rounds: 0, acceptedEpoch: 0 };
    const epochs = { refusedEpoch: NEVER, resumedEpoch: NEVER, withdrawnEpoch: NEVER };
    const texts = {
      session: "",
      outcome: "",
      cause: "",
      failedWire: "",
      lateBy: "",
      excluded: new Set<string>(),
      doubts: [],
    };
    const times = { createdAt: this.nowMs, due: this.nowMs + ms.GUARD_MS, orphanedAt: 0 };
    const begins = { offeredAt: 0, startedAt: 0, runningAt: 0, seekAt: 0, suspectAt: 0 };
    const ends = {
      waitUntil: this.nowMs + ms.WAIT_MS,
      aloneUntil: 0,
      notBefore: 0,
      graceUntil: 0,
      unseenUntil: 0,
    };
    const rest = { state: "queued" as JobState, holderReports: false, holderPool: "", isNamed: false };
    const presence = { isJoined: false, isDoubted: false, isSuspectTold: false, metFull: false };
    const hold = { isOnHold: false, isHeld: false };
    const usual = { oneLife: false, waitMs: ms.WAIT_MS, maxAttempts: ms.MAX_ATTEMPTS };
    const asked = { ...usual, steps: [{ pool, afterMs: 0 }], step: 0, ...hold, ...terms };
    const placed = { split: 0, splitState: "" as const, sides: undefined, sidePool: undefined };
    return {
      ...asked,
      ...placed,
      ...counts,
      ...epochs,
      ...texts,
      ...times,
      ...begins,
      ...ends,
      ...rest,
      ...presence,
    };
  }

  newSession(gateway: string, pool: string, cap: number): ModelSession {
    const times = { connectedAt: this.nowMs, sampledAt: 0, coolingUntil: 0, enteringUntil: 0 };
    const learnt = { learntCost: this.costs.get(pool), learning: NOTHING_LEARNT };
    const weighed = { isTaught: false, weight: undefined, misfits: 0 };
    const counted = { ...weighed, counts: false, miscount: 0, miscounts: 0, surplus: 0 };
    const answerMs = this.taught.get(pool);
    const state = { status: "available" as const, load: 0, reports: false, answerMs };
    const drains = { followed: 0, isDrained: false };
    return {
      gateway,
      pool,
      cap,
      madeGood: undefined,
      ...drains,
      ...state,
      ...times,
      ...learnt,
      ...counted,
      ...wellHealth(),
    };
  }

  /** The drain of this worker alone. */
  drainOfWorker(id: string): string | undefined {
    return [...this.drains].find(([, { kind, value }]) => kind === "worker" && value === id)?.[0];
  }

  wire(id: string): string {
    const offers = this.jobs.get(id)?.offers ?? 0;
    return offers <= 1 ? id : `${id}.${offers}`;
  }

  held(session: string): Map<string, number> {
    const held = this.#places.get(session) ?? new Map<string, number>();
    this.#places.set(session, held);
    return held;
  }

  place(id: string): void {
    this.#rooms.delete(id);
    const session = this.sessions.get(id);
    if (session === undefined) return;
    const at = this.measure(id, session);
    if (at !== undefined) this.#rooms.set(id, at);
  }

  measure(id: string, session: ModelSession) {
    const {
      status,
      load,
      cap,
      sampledAt,
      coolingUntil,
      enteringUntil,
      learntCost,
      surplus,
      isDrained,
      ejectedAt,
    } = session;
    const cost = learntCost ?? this.policy.job_load ?? 0.1;
    const hash = { status, draining: "0", load: `${load}`, cap: `${cap}`, cost: `${cost}`, max_load: "0.7" };
    const times = { sampled_at: `${sampledAt}`, cooling_until: `${coolingUntil}` };
    const { weight } = session;
    const weighed = weight && { load_floor: `${weight.floor}`, floor_cost: `${weight.cost}` };
    const rest = {
      ...weighed,
      entering_until: `${enteringUntil}`,
      surplus: `${surplus}`,
      ...(isDrained && { drained: "DR_1" }),
    };
    const trial: Record<string, string> = ejectedAt > 0 ? { ejected_at: `${ejectedAt}` } : {};
    const { job_load: _, ...policy } = this.policy;
    return placement(
      { ...hash, ...times, ...rest, ...trial },
      [...this.held(id).values()],
      this.nowMs,
      policy,
    );
  }

  release(id: string, job: ModelJob): void {
    if (job.session === "") return;
    this.held(job.session).delete(`${id}#${job.epoch}`);
    this.place(job.session);
  }

  move(job: ModelJob, to: JobState): void {
    const isSame = job.state === to && (to === "queued" || to === "parked");
    if (!isSame && !isLegalTransition(job.state, to)) throw new Error(`model: ${job.state} to ${to}`);
    job.state = to;
  }

  requeue(job: ModelJob, due: number): void {
    this.move(job, "queued");
    Object.assign(job, { session: "", due });
  }

  requeueStarted(job: ModelJob, due: number): void {
    if (job.state === "orphaned") clearJob(job);
    this.requeue(job, due);
    const times = { unseenUntil: 0, notBefore: 0, runningAt: 0, seekAt: 0 };
    const over = { ...times, resumedEpoch: NEVER, withdrawnEpoch: NEVER, isJoined: false, isDoubted: false };
    Object.assign(job, { waitUntil: this.nowMs + job.waitMs, ...over });
  }

  forgetRefusals(job: ModelJob): void {
    job.excluded.clear();
    Object.assign(job, { rounds: 0, metFull: false });
  }

  suspend(job: ModelJob): void {
    this.move(job, "parked");
    Object.assign(job, { isHeld: true, due: this.nowMs + ms.LOOK_MS });
  }

  letGo(job: ModelJob): void {
    this.forgetRefusals(job);
    Object.assign(job, { isHeld: false, waitUntil: this.nowMs + job.waitMs });
    if (this.nowMs < job.notBefore) this.requeue(job, job.notBefore);
    // A split has yet to say in which line it stands.
    else if (this.splits.isNewTo(job)) this.requeue(job, this.nowMs);
    else job.due = this.nextLook(job);
  }

  poolOf(job: ModelJob): string {
    return poolOf(job);
  }

  /** Until when a parked job that backs off from nobody is left as it is. */
  nextLook(job: ModelJob): number {
    const isPlaced = job.splitState !== "" && job.step === 0;
    return Math.min(dueTimes(job).last, isPlaced ? this.nowMs + ms.SIDE_LOOK_MS : Infinity);
  }

  hasRoom(pool: string): boolean {
    return [...this.#rooms.keys()].some((id) => this.sessions.get(id)?.pool === pool);
  }

  end(id: string, job: ModelJob, outcome: string, cause: string, keepsPlace = false): void {
    this.splits.noteEnd(id, job, outcome, cause);
    this.move(job, "ended");
    Object.assign(job, { outcome, cause, isHeld: false });
    if (!keepsPlace) this.release(id, job);
  }

  /** `isLookedFor`: somebody can ask LiveKit, and the agent's name is known. */
  /** `soughtOf`: the job whose agent is looked for. */
  stop(session: string, wire: string, place: string, soughtOf?: ModelJob): void {
    const endsAt = this.nowMs + ms.STOP_MS;
    const due = soughtOf ? this.nowMs + ms.REMOVE_MS : endsAt;
    const rest = soughtOf === undefined ? { looks: 0, isSeen: false } : sought(soughtOf);
    this.stops.set(`${session}|${wire}`, { due, endsAt, session, place, ...rest });
  }

  /** One that was not seen to run may still be starting. */
  stopOrphan(id: string, job: ModelJob, removeMs: number): void {
    const endsAt = Math.max(this.nowMs + ms.STOP_MS, job.isJoined ? 0 : job.unseenUntil);
    const rest = { session: job.session, place: `${id}#${job.epoch}`, ...sought(job) };
    this.stops.set(`${job.session}|${this.wire(id)}`, { due: this.nowMs + removeMs, endsAt, ...rest });
  }

  /** Nobody holds it: its former agent may be there. */
  stopFormer(id: string, job: ModelJob): void {
    const endsAt = this.nowMs + ms.STOP_MS;
    const rest = { session: "", place: "", ...sought(job) };
    this.stops.set(`|${this.wire(id)}`, { due: this.nowMs, endsAt, ...rest });
  }

  finishStop(field: string): void {
    const stop = this.stops.get(field);
    if (stop === undefined) return;
    this.stops.delete(field);
    this.held(stop.session).delete(stop.place);
    this.place(stop.session);
  }

  learnCost(id: string, session: ModelSession, jobs: number, load: number): void {
    const believed = session.learntCost ?? this.policy.job_load ?? 0.1;
    const { known, cost: fromLine } = learn(session.learning, jobs, load, believed);
    session.learning = known;
    const seen = [...this.held(id).values()].filter((at) => at <= this.nowMs - 1_000).length;
    const cost = fromLine ?? learnLess(seen, load, believed);
    if (cost === undefined) return;
    session.learntCost = cost;
    session.isTaught = true;
    if (session.weight !== undefined) return;
    const common = this.costs.get(session.pool) ?? cost;
    this.costs.set(session.pool, six(common + 0.1 * (cost - common)));
  }

  pick(id: string, job: ModelJob): string | undefined {
    const isHigh = job.priority >= (this.policy.reserved_from ?? Number.POSITIVE_INFINITY);
    const takes = (session: string) => {
      const lease = this.leases.get(this.sessions.get(session)?.gateway ?? "") ?? 0;
      return !job.excluded.has(session) && !isSpared(this, session, job) && lease > this.nowMs;
    };
    for (const room of isHigh ? (["pool", "reserved"] as const) : (["pool"] as const)) {
      const members = [...this.#rooms].filter(
        ([session, at]) => at.room === room && this.sessions.get(session)?.pool === poolOf(job),
      );
      const ranked = members
        .map(([session, { load }]) => ({ id: session, load }))
        .sort((a, b) => a.load - b.load || (a.id < b.id ? -1 : 1));
      const chosen = choose(ranked, this.policy.strategy, `${id}:${job.epoch}:`, takes);
      if (chosen !== undefined) return chosen;
    }
    return undefined;
  }

  line(pool: string): [string, ModelJob][] {
    const parked = [...this.jobs].filter(
      ([, job]) => job.state === "parked" && !job.isHeld && poolOf(job) === pool,
    );
    return parked.sort(([a, x], [b, y]) => rank(x) - rank(y) || (a < b ? -1 : 1));
  }

  offer(id: string, job: ModelJob, session: string): string {
    this.move(job, "offered");
    const [epoch, offers] = [job.epoch + 1, job.offers + 1];
    const answerMs = this.sessions.get(session)?.answerMs ?? 0;
    const due = this.nowMs + Math.max(ms.OFFER_MS, answerMs === 0 ? 0 : answerMs + ms.ANSWER_MARGIN_MS);
    Object.assign(job, { session, epoch, offers, offeredAt: this.nowMs, due, lateBy: "" });
    this.held(session).set(`${id}#${epoch}`, Number.POSITIVE_INFINITY);
    this.place(session);
    return `offered ${id} ${session} ${epoch}`;
  }

  runsAgain(id: string, job: ModelJob): void {
    this.splits.note(id, job, true);
    const session = this.sessions.get(job.session);
    if (job.state === "orphaned" && job.holderReports && session !== undefined) session.reports = true;
    job.state = "running";
    job.runningAt ||= this.nowMs;
    job.due = runningDue(job);
  }

  takeOver(id: string, job: ModelJob, session: string, epoch: number, wire: string): void {
    this.release(id, job);
    if (job.state !== "running") this.move(job, "running");
    if (job.isDoubted) job.seekAt = 0;
    const offers = Math.max(job.offers, Number(wire.split(".")[1] ?? 1));
    const begins = { startedAt: job.startedAt || this.nowMs, runningAt: job.runningAt || this.nowMs };
    Object.assign(job, { session, epoch, offers, ...begins, isHeld: false, isDoubted: false, lateBy: "" });
    job.due = runningDue(job);
    const pool = this.sessions.get(session)?.pool ?? "";
    const step = poolOf(job) === pool ? undefined : stepAt(job, pool);
    if (step !== undefined) Object.assign(job, { step, sidePool: step === 0 ? pool : job.sidePool });
    this.held(session).set(`${id}#${epoch}`, this.nowMs);
    this.place(session);
    watch(this, session);
  }

  /** Whether its success is to be doubted: nobody saw its agent, and somebody can be asked. */
  mustDoubt(job: ModelJob): boolean {
    return !job.isJoined && job.isNamed && this.knowsPresence;
  }

  doubt(id: string, job: ModelJob): void {
    if (job.state !== "running") this.move(job, "running");
    Object.assign(job, { isDoubted: true, due: this.nowMs + ms.CHECK_MS });
    this.release(id, job);
  }

  /** What became of the jobs, as words. */
  lose(id: string, how: "counted" | "goodbye" | "half-open"): string[] {
    const session = this.sessions.get(id);
    const { reports = false, pool = "" } = session ?? {};
    this.sessions.delete(id);
    const lost = session && this.guards.leaves(id, pool, session);
    this.#rooms.delete(id);
    this.timers.delete(id);
    // It may come back under its id.
    if (this.drainOfWorker(id) !== undefined) this.timers.set(id, this.nowMs + ms.DRAIN_OUTLIVES_MS);
    const fates: string[] = [];
    for (const [job, record] of this.jobs) {
      if (record.session !== id) continue;
      const isStarted = (record.state === "starting" || record.state === "running") && !record.isDoubted;
      if (record.state === "offered") {
        this.release(job, record);
        this.requeue(record, this.nowMs + ms.GUARD_MS);
        fates.push(`${job} requeued`);
      } else if (isStarted && how === "goodbye" && this.mustDoubt(record)) {
        this.doubt(job, record);
      } else if (isStarted && how === "goodbye") {
        this.end(job, record, "success", "goodbye");
        fates.push(`${job} ended`);
      } else if (isStarted) {
        const unseenUntil = record.state === "starting" ? record.unseenUntil || record.due : 0;
        this.move(record, "orphaned");
        const graceUntil = this.nowMs + ms.GRACE_MS;
        const kept = { orphanedAt: this.nowMs, holderReports: reports, holderPool: pool, unseenUntil };
        Object.assign(record, { ...kept, graceUntil, due: graceUntil });
        fates.push(`${job} orphaned`);
      }
    }
    tryEjected(this, pool);
    if (how === "counted" && lost !== undefined && this.guards.countLoss(lost)) fates.push("guard");
    return fates;
  }
}

/** Where it stands in line: the lower, the sooner. */
export const rank = ({ priority, suspectAt, createdAt }: ModelJob): number =>
  (suspectAt > 0 ? 1001 : 1000 - priority) * 2 ** 42 + createdAt;

export const poolOf = ({ step, sidePool, steps }: ModelJob): string =>
  (step === 0 ? sidePool : undefined) ?? steps[step]?.pool ?? "";

/** The latest up to where it stands, else the first after. */
export function stepAt({ steps, step, sides }: ModelJob, pool: string): number | undefined {
  const isSide = pool === sides?.stable || pool === sides?.candidate;
  const at = steps.flatMap((one, index) => (one.pool === pool || (index === 0 && isSide) ? [index] : []));
  return at.filter((index) => index <= step).at(-1) ?? at[0];
}

/** When its next step is due, and until when it waits at all. */
export function dueTimes(job: ModelJob): { fallback: number; last: number } {
  const next = job.steps[job.step + 1];
  const began = Math.max(job.waitUntil - job.waitMs, job.notBefore);
  const fallback = next === undefined ? Number.POSITIVE_INFINITY : began + next.afterMs;
  return { fallback, last: Math.min(fallback, job.aloneUntil || job.waitUntil, job.waitUntil) };
}

/** Its callers left for good: it is offered to nobody, and ends when its timer comes. */
export const isLeftAlone = ({ aloneUntil }: ModelJob, nowMs: number): boolean =>
  aloneUntil > 0 && nowMs >= aloneUntil;

export const waitsAlone = (job: ModelJob, nowMs: number): boolean =>
  ["queued", "parked", "offered"].includes(job.state) && isLeftAlone(job, nowMs);

/** When the agent of a job that runs is looked for. */
function runningDue({ seekAt, isJoined }: ModelJob): number {
  return seekAt > 0 && !isJoined ? seekAt : NEVER_DUE;
}

/** What a stop keeps of a job whose agent is looked for. */
function sought(job: ModelJob) {
  return { looks: 0, isSeen: job.isJoined, slow: { pool: poolOf(job), startedAt: job.startedAt } };
}
