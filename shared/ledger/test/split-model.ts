/**
 * Owns the rules of deployment splits, written a second time: who goes to which side, what counts as good and bad, and when
 * it is rolled back. The jobs and sessions are the ledger's model's.
 */

import { createHash } from "node:crypto";
import type { JobState } from "@muster/domain/job";
import { POOL } from "./scene.js";

export interface ModelSplit {
  stable: string;
  candidate: string;
  steps: readonly { afterMs: number; percent: number }[];
  maxBadPercent: number;
  minJobs: number;
}

interface Stored extends ModelSplit {
  id: number;
  startedAt: number;
  rolledBackAt: number | undefined;
  isTold: boolean;
}

type Side = "stable" | "candidate";
/** What of a job of the model is about splits: by which it was placed, how that stands, between which pools, and in which it is. */
export interface DividedJob {
  state: JobState;
  epoch: number;
  step: number;
  split: number;
  splitState: "" | "placed" | "refused" | "ran" | "spent";
  sides: { stable: string; candidate: string } | undefined;
  sidePool: string | undefined;
}

/** What they need of the rest of the model. */
interface Surroundings<Job> {
  readonly nowMs: number;
  readonly sessions: ReadonlyMap<string, { pool: string; isDrained: boolean }>;
  poolOf(job: Job): string;
  pick(id: string, job: Job): string | undefined;
  line(pool: string): readonly unknown[];
  forgetRefusals(job: Job): void;
}

interface Sides {
  isNew: boolean;
  isOpen: boolean;
  isRolledBack: boolean;
  stable: string;
  candidate: string;
  percent: number;
}

const NOTHING = { jobs: 0, good: 0, bad: 0 };

export class SplitModel<Job extends DividedJob> {
  readonly #state: Surroundings<Job>;
  #split: Stored | undefined;
  #given: string | undefined;
  #counts: Record<Side, typeof NOTHING> = { stable: NOTHING, candidate: NOTHING };
  /** Of the candidate, oldest first: when, and how. */
  #lately = new Map<string, { at: number; isGood: boolean }>();

  constructor(state: Surroundings<Job>) {
    this.#state = state;
  }

  set(split: ModelSplit | undefined): string {
    const { nowMs } = this.#state;
    const given = JSON.stringify(split);
    const isRepeat = split !== undefined && this.#given === given && this.#split?.rolledBackAt === undefined;
    if (isRepeat) return "set 1";
    this.#given = given;
    const hadOne = this.#split === undefined ? 0 : 1;
    const id = Math.max(nowMs, (this.#split?.id ?? 0) + 1);
    this.#split = split && { ...split, id, startedAt: nowMs, rolledBackAt: undefined, isTold: false };
    this.#counts = { stable: { ...NOTHING }, candidate: { ...NOTHING } };
    this.#lately = new Map();
    return `set ${hadOne}`;
  }

  expire(): string {
    if (this.#split?.rolledBackAt === undefined || this.#split.isTold) return "idle";
    this.#split.isTold = true;
    return "rolled_back";
  }

  read(): string {
    if (this.#split === undefined) return "none";
    const { stable, candidate } = this.#counts;
    const lately = [...this.#lately.values()].filter(({ at }) => at > this.#state.nowMs - 600_000);
    const good = lately.filter(({ isGood }) => isGood).length;
    const percent = this.#split.rolledBackAt === undefined ? this.#percent(this.#split) : 0;
    const counts = [stable, candidate].map(({ jobs, good: g, bad }) => `${jobs}/${g}/${bad}`);
    return [...counts, good, lately.length - good, percent, this.#split.rolledBackAt ?? "on"].join(" ");
  }

  #percent({ startedAt, steps }: Stored): number {
    return steps.filter(({ afterMs }) => this.#state.nowMs >= startedAt + afterMs).at(-1)?.percent ?? 0;
  }

  isServed(pool: string): boolean {
    return [...this.#state.sessions.values()].some((session) => session.pool === pool && !session.isDrained);
  }

  #sides(job: Job): Sides | undefined {
    if (job.step > 0) return undefined;
    const isNew = job.splitState === "";
    // The one agent that is split: a job that was restored can be of another.
    const isUndeployed = this.#state.poolOf(job) === POOL;
    if (isNew && (job.epoch > 0 || !isUndeployed || this.#split === undefined)) return undefined;
    const sides = isNew ? this.#split : job.sides;
    if (sides === undefined) throw new Error("model: placed, and nobody knows where");
    const ours =
      this.#split !== undefined && (isNew || this.#split.id === job.split) ? this.#split : undefined;
    const isRolledBack = ours?.rolledBackAt !== undefined;
    return {
      ...{ isNew, isRolledBack, stable: sides.stable, candidate: sides.candidate },
      percent: ours === undefined ? 0 : this.#percent(ours),
      isOpen: ours !== undefined && !isRolledBack && job.splitState !== "spent",
    };
  }

  #side(id: string, job: Job, at: Sides): string {
    const wantsNew = at.isNew ? draw(id) < at.percent : this.#state.poolOf(job) === at.candidate;
    const [wanted, other] = at.isOpen && wantsNew ? [at.candidate, at.stable] : [at.stable, at.candidate];
    if (this.isServed(wanted) || (other === at.candidate && at.isRolledBack)) return wanted;
    return this.isServed(other) ? other : wanted;
  }

  #isImpatient(job: Job, at: Sides): boolean {
    if (this.#state.poolOf(job) !== at.candidate || !this.isServed(at.stable)) return false;
    return at.percent < 100 || job.splitState === "refused";
  }

  isNewTo(job: Job): boolean {
    return this.#sides(job)?.isNew ?? false;
  }

  standsWell(id: string, job: Job): boolean {
    const at = this.#sides(job);
    return (
      at === undefined || (this.#state.poolOf(job) === this.#side(id, job, at) && !this.#isImpatient(job, at))
    );
  }

  #goTo(job: Job, pool: string): void {
    if (this.#state.poolOf(job) === pool) return;
    this.#state.forgetRefusals(job);
    if (job.state === "parked") job.state = "queued";
    job.sidePool = pool;
  }

  /** Who takes the job, at the side where it belongs now. A parked job that has moved is queued after it. */
  pick(id: string, job: Job): string | undefined {
    const at = this.#sides(job);
    if (at === undefined) return this.#state.pick(id, job);
    const from = this.#state.poolOf(job);
    this.#goTo(job, this.#side(id, job, at));
    const isImpatient = this.#isImpatient(job, at);
    const isTaken = isImpatient && this.#state.line(this.#state.poolOf(job)).length > 0;
    let chosen = isTaken ? undefined : this.#state.pick(id, job);
    const isAtCandidate = this.#state.poolOf(job) === at.candidate;
    if (chosen === undefined && isAtCandidate && job.splitState === "refused") this.note(id, job, false);
    if (chosen === undefined && isImpatient) {
      this.#goTo(job, at.stable);
      chosen = this.#state.pick(id, job);
    }
    const hasMoved = this.#state.poolOf(job) !== from;
    const side = this.#state.poolOf(job) === at.candidate ? "candidate" : "stable";
    if (at.isNew) {
      const { stable, candidate } = at;
      Object.assign(job, { split: this.#split?.id ?? 0, splitState: "placed", sides: { stable, candidate } });
    } else if (hasMoved && side === "stable") job.splitState = "spent";
    if (at.isNew || (at.isOpen && hasMoved && side === "candidate")) this.#counts[side].jobs++;
    return chosen;
  }

  note(id: string, job: Job, isGood: boolean): void {
    const was = job.splitState;
    if (was === "" || was === "spent" || (isGood && was === "ran")) return;
    job.splitState = isGood ? "ran" : "spent";
    const split = this.#split;
    const isAtSide = [job.sides?.stable, job.sides?.candidate].includes(this.#state.poolOf(job));
    if (!isAtSide || split === undefined || split.id !== job.split) return;
    const side = this.#state.poolOf(job) === job.sides?.candidate ? "candidate" : "stable";
    this.#counts[side][isGood ? "good" : "bad"]++;
    if (was === "ran") this.#counts[side].good--;
    if (side === "candidate") this.#judge(split, id, isGood);
  }

  #judge(split: Stored, id: string, isGood: boolean): void {
    const { nowMs } = this.#state;
    this.#lately.delete(id);
    this.#lately.set(id, { at: nowMs, isGood });
    for (const [job, { at }] of this.#lately) if (at <= nowMs - 600_000) this.#lately.delete(job);
    const all = [...this.#lately.values()];
    const bad = all.filter((one) => !one.isGood).length;
    if (split.rolledBackAt !== undefined || all.length < split.minJobs) return;
    if (bad * 100 > split.maxBadPercent * all.length) split.rolledBackAt = nowMs;
  }

  noteEnd(id: string, job: Job, outcome: string, cause: string): void {
    const isHeld = job.state === "starting" || job.state === "running";
    if (outcome === "success" && isHeld) this.note(id, job, true);
    const isBad = outcome === "failed" && cause !== "worker_lost";
    if (isBad && (isHeld || job.state === "orphaned")) this.note(id, job, false);
  }

  noteRefusal(id: string, job: Job, reason: string): void {
    if (reason === "silent") this.note(id, job, false);
    const isFirst = job.splitState === "placed" && this.#state.poolOf(job) === job.sides?.candidate;
    if ((reason === "rejected" || reason === "slow") && isFirst) job.splitState = "refused";
  }
}

function draw(id: string): number {
  return (createHash("sha1").update(`split:${id}`).digest().readUInt32BE(0) / 2 ** 32) * 100;
}
