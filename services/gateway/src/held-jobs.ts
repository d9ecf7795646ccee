/**
 * Owns what one session's worker holds as far as this gateway knows: from the accepted offer to the report that ended
 * it, or the stop that was sent. It is what the gateway asserts with every renewal of its lease; the truth is the
 * ledger's, so that a job too many here is answered with a stop and one too few costs nothing. Of each job it keeps
 * what the offer said, as far as the gateway has room for that: what a ledger that forgot the job is told it was.
 */

import type { HeldJob } from "@muster/ledger/shapes";
import type { FactMemory, JobFacts } from "./job-facts.js";

export interface HeldJobsDeps {
  session: string;
  memory: FactMemory;
}

interface Held {
  claim: HeldJob;
  facts: JobFacts | undefined;
  /** The life of Redis in which the ledger last knew the job. */
  generation: string | undefined;
  /** When its assignment was sent here; undefined once its worker was heard of it, and of one that came otherwise. */
  assignedAtMs?: number | undefined;
}

export class HeldJobs {
  readonly #deps: HeldJobsDeps;
  readonly #byWire = new Map<string, Held>();
  #isOver = false;

  constructor(deps: HeldJobsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#byWire.size;
  }

  add(job: { job: string; wire: string; epoch: number }, generation: string | undefined): void {
    if (this.#isOver) return;
    const { job: id, wire, epoch } = job;
    const facts = this.#byWire.get(wire)?.facts;
    this.#byWire.set(wire, {
      claim: { job: id, wire, epoch, session: this.#deps.session },
      facts,
      generation,
    });
  }

  /** Once for each job; what there is no room for is not remembered. */
  remember(wire: string, facts: JobFacts): void {
    const held = this.#byWire.get(wire);
    if (held !== undefined && held.facts === undefined && this.#deps.memory.take(facts)) held.facts = facts;
  }

  assigned(wire: string, atMs: number): void {
    const held = this.#byWire.get(wire);
    if (held !== undefined) held.assignedAtMs = atMs;
  }

  /** When the job was assigned; undefined when that is not known here, or was asked before. */
  takeAssignedAt(wire: string): number | undefined {
    const held = this.#byWire.get(wire);
    const atMs = held?.assignedAtMs;
    if (held !== undefined) held.assignedAtMs = undefined;
    return atMs;
  }

  /** True when a job was assigned since then of which nothing was heard yet. */
  hasUnseen(sinceMs: number): boolean {
    for (const { assignedAtMs } of this.#byWire.values())
      if (assignedAtMs !== undefined && assignedAtMs >= sinceMs) return true;
    return false;
  }

  facts(wire: string): JobFacts | undefined {
    return this.#byWire.get(wire)?.facts;
  }

  /** By wire id: an earlier execution of the same job on this worker is not the present one. */
  forget(wire: string): void {
    const facts = this.#byWire.get(wire)?.facts;
    if (facts !== undefined) this.#deps.memory.free(facts);
    this.#byWire.delete(wire);
  }

  /** The socket is gone: nothing is held here any more, nor ever again. */
  end(): void {
    this.#isOver = true;
    for (const wire of [...this.#byWire.keys()]) this.forget(wire);
  }

  list(): HeldJob[] {
    return [...this.#byWire.values()].map((held) => held.claim);
  }

  /** The ledger of this life of Redis knows the job. */
  confirm(wire: string, generation: string | undefined): void {
    const held = this.#byWire.get(wire);
    if (held !== undefined) held.generation = generation;
  }

  /** True for a job that the ledger knew in an earlier life of Redis, and was not yet found to know in this one. */
  isFromBefore(wire: string, generation: string | undefined): boolean {
    const held = this.#byWire.get(wire);
    return held !== undefined && held.generation !== generation;
  }
}
