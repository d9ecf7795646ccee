/**
 * Owns the way of load samples to the ledger: the newest of each session, gathered for a moment and written in batches,
 * one batch of a namespace at a time so that an older sample never lands on a newer one. A change between available and
 * full does not wait for the batch. What a sample means is decided in load-sample.ts and by the ledger.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { LoadSample, Misfit } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { chunksOf } from "./chunks.js";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { NamespaceLeases } from "./lease.js";
import { withLastLoad } from "./load-sample.js";
import type { Sessions } from "./sessions.js";

export interface SamplesDeps {
  ledger: Ledger;
  gateway: string;
  leases: NamespaceLeases;
  sessions: Sessions;
  link: DispatcherLink;
  metrics: GatewayMetrics;
  clock: Clock;
  log: Log;
  /** How long samples are gathered. */
  flushMs: number;
}

interface Batch {
  pending: Map<string, LoadSample>;
  /** Being written now. */
  isWriting: boolean;
  /** When it is due to be written; undefined while nothing waits. */
  cancelFlush: (() => void) | undefined;
}

export class Samples {
  readonly #deps: SamplesDeps;
  readonly #batches = new Map<string, Batch>();

  constructor(deps: SamplesDeps) {
    this.#deps = deps;
  }

  /** `urgent`: the session came to be available, or ceased to be. */
  add(namespace: string, sample: LoadSample, urgent: boolean): void {
    const batch = this.#batches.get(namespace) ?? {
      pending: new Map(),
      isWriting: false,
      cancelFlush: undefined,
    };
    this.#batches.set(namespace, batch);
    batch.pending.set(sample.session, withLastLoad(sample, batch.pending.get(sample.session)));
    if (batch.isWriting) return;
    if (urgent) {
      batch.cancelFlush?.();
      batch.cancelFlush = undefined;
    }
    batch.cancelFlush ??= this.#deps.clock.setTimer(urgent ? 0 : this.#deps.flushMs, () => {
      void this.#write(namespace, batch);
    });
  }

  /** Lets go of everything that was not yet written: its sessions are gone. */
  stop(): void {
    for (const batch of this.#batches.values()) batch.cancelFlush?.();
    this.#batches.clear();
  }

  async #write(namespace: string, batch: Batch): Promise<void> {
    batch.cancelFlush = undefined;
    batch.isWriting = true;
    const samples = [...batch.pending.values()];
    batch.pending.clear();
    try {
      // After a gap of ours sessions may have been swept: they are asserted before anything is said of them.
      await this.#deps.leases.confirm(namespace);
      for (const chunk of chunksOf(samples)) await this.#writeChunk(namespace, chunk);
    } catch (error) {
      this.#deps.log.warn({ namespace, samples: samples.length, err: error }, "load samples not written");
      // A full worker must not stay available because Redis was away for a moment.
      for (const sample of samples) {
        if (!batch.pending.has(sample.session)) batch.pending.set(sample.session, sample);
      }
    }
    batch.isWriting = false;
    this.#scheduleNext(namespace, batch);
  }

  #scheduleNext(namespace: string, batch: Batch): void {
    for (const session of [...batch.pending.keys()]) {
      if (this.#deps.sessions.find(session) === undefined) batch.pending.delete(session);
    }
    if (this.#batches.get(namespace) !== batch) return;
    if (batch.pending.size === 0) {
      this.#batches.delete(namespace);
      return;
    }
    batch.cancelFlush = this.#deps.clock.setTimer(this.#deps.flushMs, () => {
      void this.#write(namespace, batch);
    });
  }

  async #writeChunk(namespace: string, samples: LoadSample[]): Promise<void> {
    const { ledger, gateway, link, metrics } = this.#deps;
    const reply = await ledger.sampleSessions({ namespace, gateway, samples });
    metrics.samplesWritten(samples.length);
    link.serve(namespace, ...reply.serve);
    for (const { session, surplus } of reply.miscounted) this.#tellMiscount(namespace, session, surplus);
    for (const misfit of reply.misfits) this.#tellMisfit(namespace, misfit);
    if (reply.unknown.length > 0) await this.#settleUnknown(namespace, reply.unknown);
  }

  #tellMisfit(namespace: string, { session: worker, load, floor }: Misfit): void {
    const { metrics, log } = this.#deps;
    if (floor === 0) {
      log.info({ namespace, worker, load }, "the load that a worker says fits its jobs again");
      return;
    }
    metrics.workerMisfit();
    const what =
      "a worker says in several reports a load far below what its jobs cost others of its pool; among them it stands where they would";
    log.warn({ namespace, worker, load, floor }, what);
  }

  #tellMiscount(namespace: string, worker: string, surplus: number): void {
    const { metrics, log } = this.#deps;
    if (surplus === 0) {
      log.info({ namespace, worker }, "a worker counts the same jobs as the ledger again");
      return;
    }
    metrics.workerMiscounted(surplus > 0 ? "more" : "fewer");
    const what =
      "a worker says in several reports to run more or fewer jobs than the ledger knows of; more take places";
    log.warn({ namespace, worker, surplus }, what);
  }

  /**
   * The ledger does not have these sessions. When our lease lapsed they were swept, and asserting now registers them
   * again; when it did not, they lost their place for another reason, and their workers must register again.
   */
  async #settleUnknown(namespace: string, unknown: readonly string[]): Promise<void> {
    // A socket that closed while its sample was on its way is no news.
    if (!unknown.some((id) => this.#deps.sessions.find(id) !== undefined)) return;
    const outcome = await this.#deps.leases.assert(namespace);
    if (outcome === "registered_again") return;
    for (const id of unknown) {
      this.#deps.sessions.find(id)?.close("replaced", "the session is not known any more; register again");
    }
  }
}
