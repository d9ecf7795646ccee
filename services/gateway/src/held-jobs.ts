/**
 * Owns what one session's worker holds as far as this gateway knows: from the accepted offer to the report that ended
 * it, or the stop that was sent. It is what the gateway asserts with every renewal of its lease; the truth is the
 * ledger's, so that a job too many here is answered with a stop and one too few costs nothing.
 */

import type { HeldJob } from "@muster/ledger/shapes";

export class HeldJobs {
  readonly #session: string;
  readonly #byWire = new Map<string, HeldJob>();

  constructor({ session }: { session: string }) {
    this.#session = session;
  }

  get size(): number {
    return this.#byWire.size;
  }

  add(job: { job: string; wire: string; epoch: number }): void {
    this.#byWire.set(job.wire, { ...job, session: this.#session });
  }

  /** By wire id: an earlier execution of the same job on this worker is not the present one. */
  forget(wire: string): void {
    this.#byWire.delete(wire);
  }

  list(): HeldJob[] {
    return [...this.#byWire.values()];
  }
}
