/**
 * Owns the invariants of the design as they can be seen from outside, at every poll: whether the ledger agrees with
 * itself in one moment, what may not change from one moment to the next, and what the workers saw. Collects what it
 * finds and goes on, so that one violation does not hide the others.
 */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { problems } from "../../shared/ledger/test/consistency.js";
import type { Hash } from "../../shared/ledger/test/snapshot.js";
import { type Moment, readAtOnce } from "./snapshot-at-once.js";
import type { Witness } from "./witness.js";

/** What has become of a job, as far as was seen. */
export interface JobFate {
  readonly namespace: string;
  readonly order: string;
  state: string;
  outcome: string;
  cause: string;
  epoch: number;
  attempts: number;
}

export interface InvariantsDeps {
  redis: RedisClient;
  namespaces: readonly string[];
  witness: Witness;
  /** Places that a session may have; 0: any number. */
  jobsPerWorker: number;
}

export class Invariants {
  readonly #deps: InvariantsDeps;
  readonly #found = new Set<string>();
  /** Every job that was ever seen, also when it has been swept. */
  readonly fates = new Map<string, JobFate>();
  polls = 0;
  #moments = new Map<string, Moment>();

  constructor(deps: InvariantsDeps) {
    this.#deps = deps;
  }

  get violations(): string[] {
    return [...this.#found, ...this.#deps.witness.violations];
  }

  moment(namespace: string): Moment {
    const moment = this.#moments.get(namespace);
    if (moment === undefined) throw new Error(`${namespace} was never read`);
    return moment;
  }

  /** One look at everything. Rejects only when Redis cannot be asked. */
  async look(): Promise<void> {
    for (const namespace of this.#deps.namespaces) {
      const moment = await readAtOnce(this.#deps.redis, namespace);
      this.#moments.set(namespace, moment);
      const note = (problem: string) => this.#found.add(`${namespace}: ${problem}`);
      for (const problem of problems(moment, moment.atMs)) note(problem);
      for (const problem of this.#overbooked(moment)) note(problem);
      for (const problem of this.#compare(namespace, moment)) note(problem);
    }
    this.#deps.witness.check();
    this.polls += 1;
  }

  /** Throws with all that was found. */
  assert(): void {
    const { violations } = this;
    if (violations.length > 0) throw new Error(`invariants are violated:\n${violations.join("\n")}`);
  }

  /** Redis was emptied: what had not ended is not known any more. */
  forget(): void {
    for (const [id, fate] of this.fates) if (fate.state !== "ended") this.fates.delete(id);
  }

  #compare(namespace: string, moment: Moment): string[] {
    const found: string[] = [];
    for (const [key, job] of moment.hashes) {
      if (!key.startsWith("job:")) continue;
      const id = key.slice("job:".length);
      const before = this.fates.get(id);
      if (before !== undefined) found.push(...changes(id, before, job));
      this.fates.set(id, fateOf(namespace, job));
    }
    for (const [id, fate] of this.fates) {
      if (fate.namespace !== namespace || fate.state === "ended" || fate.state === "gone") continue;
      if (moment.hashes.has(`job:${id}`)) continue;
      // Said once.
      found.push(`${id} is gone, and was ${fate.state} when it was last seen`);
      fate.state = "gone";
    }
    return found;
  }

  /** What came with a worker that returned may be more than fits; an offer never is. */
  #overbooked({ zsets }: Moment): string[] {
    const { jobsPerWorker } = this.#deps;
    if (jobsPerWorker === 0) return [];
    return [...zsets].flatMap(([key, places]) => {
      const isOffered = [...places.values()].includes(Number.POSITIVE_INFINITY);
      return key.startsWith("session-jobs:") && isOffered && places.size > jobsPerWorker
        ? [`${key} has an open offer among ${places.size} places; ${jobsPerWorker} are allowed`]
        : [];
    });
  }
}

function fateOf(namespace: string, job: Hash): JobFate {
  const { order = "", state = "", outcome = "", cause = "" } = job;
  return {
    namespace,
    order,
    state,
    outcome,
    cause,
    epoch: Number(job.epoch),
    attempts: Number(job.attempts),
  };
}

function changes(id: string, before: JobFate, job: Hash): string[] {
  const found: string[] = [];
  const after = fateOf(before.namespace, job);
  if (after.epoch < before.epoch) found.push(`${id}: epoch went from ${before.epoch} back to ${after.epoch}`);
  if (before.state === "ended") {
    const [old, now] = [before, after].map(({ state, outcome, cause }) => `${state} ${outcome} ${cause}`);
    if (old !== now) found.push(`${id} had ended as "${old}" and is now "${now}"`);
  }
  return found;
}
