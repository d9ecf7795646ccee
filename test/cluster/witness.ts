/**
 * Owns what the workers saw: which of them ran which job when, and whether each could be reached meanwhile. A job that
 * runs on two at a time is an overlap; one that no fault explains, or that outlasts its bound, is a violation. Believes
 * nothing that Redis says.
 */
import { jobOfWireId } from "@muster/domain/ids";
import type { RunningJob, WorkerWatch } from "../kit/simulated-worker.js";
import type { Conditions } from "./conditions.js";
import { OVERLAP_BOUND_MS, SETTLE_MS } from "./timing.js";

export interface Overlap {
  readonly job: string;
  /** Names of the workers, with the wire ids that they ran it under. */
  readonly earlier: string;
  readonly later: string;
  readonly startedAtMs: number;
  endedAtMs: number | undefined;
  /** Why the earlier one could not be reached when the later one was asked; undefined: it could. */
  readonly cause: string | undefined;
}

interface Run {
  readonly worker: WorkerRecord;
  readonly wire: string;
}

interface WorkerRecord {
  readonly name: string;
  /** Its sockets, the newest last: through which gateway, from when to when. */
  readonly links: { gateway: string; fromMs: number; untilMs: number }[];
}

interface Open {
  readonly overlap: Overlap;
  readonly runs: readonly [Run, Run];
  isReported: boolean;
}

export class Witness {
  readonly overlaps: Overlap[] = [];
  readonly violations: string[] = [];
  /** Jobs whose entry ended well on some worker. */
  readonly succeeded = new Set<string>();
  readonly started = new Set<string>();
  readonly counts = { starts: 0, repeated: 0, returns: 0, lost: 0 };
  readonly #conditions: Conditions;
  readonly #now: () => number;
  readonly #runs = new Map<string, Run[]>();
  readonly #offeredAtMs = new Map<string, number>();
  readonly #open = new Set<Open>();

  constructor({ conditions, now }: { conditions: Conditions; now: () => number }) {
    this.#conditions = conditions;
    this.#now = now;
  }

  /** `gateway` names the one that the worker dialled last. */
  watch(name: string, gateway: () => string): WorkerWatch {
    const worker: WorkerRecord = { name, links: [] };
    return {
      registered: (_session, isReturn) => {
        if (isReturn) this.counts.returns += 1;
        worker.links.push({ gateway: gateway(), fromMs: this.#now(), untilMs: Number.POSITIVE_INFINITY });
      },
      lost: () => {
        this.counts.lost += 1;
        const link = worker.links.at(-1);
        if (link !== undefined) link.untilMs = this.#now();
      },
      offered: (wire) => void this.#offeredAtMs.set(wire, this.#now()),
      started: (job) => this.#started(worker, job),
      over: (job, how) => {
        if (how === "success") this.succeeded.add(jobOfWireId(job.wire));
        this.#over(worker, job);
      },
    };
  }

  /** How many executions go on now. */
  get running(): number {
    return [...this.#runs.values()].reduce((sum, runs) => sum + runs.length, 0);
  }

  /** Overlaps that are still going on and should not be. To be called at each poll. */
  check(): void {
    for (const open of this.#open) this.#checkBound(open, this.#now());
  }

  #started(worker: WorkerRecord, { wire }: RunningJob): void {
    this.counts.starts += 1;
    const job = jobOfWireId(wire);
    const run = { worker, wire };
    this.started.add(job);
    if (this.succeeded.has(job)) this.counts.repeated += 1;
    const offeredAtMs = this.#offeredAtMs.get(wire) ?? this.#now();
    this.#offeredAtMs.delete(wire);
    const others = this.#runs.get(job) ?? [];
    for (const other of others) this.#overlap(job, other, run, offeredAtMs);
    this.#runs.set(job, [...others, run]);
  }

  #overlap(job: string, earlier: Run, later: Run, offeredAtMs: number): void {
    const startedAtMs = this.#now();
    const cause = this.#trouble(earlier.worker, offeredAtMs - SETTLE_MS, startedAtMs);
    const name = ({ worker, wire }: Run) => `${worker.name} (${wire})`;
    const overlap: Overlap = {
      job,
      earlier: name(earlier),
      later: name(later),
      startedAtMs,
      endedAtMs: undefined,
      cause,
    };
    this.overlaps.push(overlap);
    this.#open.add({ overlap, runs: [earlier, later], isReported: false });
    if (cause === undefined)
      this.violations.push(
        `${job} runs on ${overlap.earlier} and on ${overlap.later}; nothing kept the first from being reached`,
      );
  }

  #over(worker: WorkerRecord, { wire }: RunningJob): void {
    const job = jobOfWireId(wire);
    const left = (this.#runs.get(job) ?? []).filter((run) => run.worker !== worker || run.wire !== wire);
    if (left.length === 0) this.#runs.delete(job);
    else this.#runs.set(job, left);
    for (const open of this.#open) {
      const isOfIt = open.runs.some((run) => run.worker === worker && run.wire === wire);
      if (!isOfIt) continue;
      this.#checkBound(open, this.#now());
      open.overlap.endedAtMs = this.#now();
      this.#open.delete(open);
    }
  }

  /** The bound runs from when the overlap began and both could be reached. */
  #checkBound(open: Open, nowMs: number): void {
    const { overlap, runs } = open;
    const sinceMs = Math.max(overlap.startedAtMs, ...runs.map((run) => this.#reachableSinceMs(run.worker)));
    if (open.isReported || nowMs - sinceMs <= OVERLAP_BOUND_MS + SETTLE_MS) return;
    open.isReported = true;
    this.violations.push(
      `${overlap.job} still runs on ${overlap.earlier} and on ${overlap.later}, ` +
        `${Math.round(nowMs - sinceMs)} ms after both could be reached (first cause: ${overlap.cause})`,
    );
  }

  #trouble(worker: WorkerRecord, fromMs: number, toMs: number): string | undefined {
    const links = worker.links.filter((link) => link.fromMs <= toMs && link.untilMs >= fromMs);
    for (const { gateway } of links) {
      const trouble = this.#conditions.trouble(gateway, fromMs, toMs);
      if (trouble !== undefined) return trouble;
    }
    // Reachable throughout means: by one socket that was there before and is there still.
    const isSteady = links.some((link) => link.fromMs <= fromMs && link.untilMs >= toMs);
    return isSteady ? this.#conditions.trouble("redis", fromMs, toMs) : `${worker.name} had no socket`;
  }

  #reachableSinceMs(worker: WorkerRecord): number {
    const link = worker.links.at(-1);
    if (link === undefined || link.untilMs !== Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const { fromMs, gateway } = link;
    return Math.max(fromMs, this.#conditions.upSinceMs(gateway), this.#conditions.upSinceMs("redis"));
  }
}
