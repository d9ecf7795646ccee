/**
 * Owns this gateway's lease in every namespace that has sessions here, and what is said with each renewal: which jobs
 * its sockets hold. What the ledger says back is done: stops are delivered; and when the lease had lapsed, the sessions,
 * which may have been swept, are registered again before anything else. Decides nothing about a job.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { HeldJob } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { chunksOf } from "./chunks.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { Session } from "./session.js";
import type { Sessions } from "./sessions.js";

export interface NamespaceLeasesDeps {
  ledger: Ledger;
  gateway: string;
  sessions: Sessions;
  /** Writes a session to the ledger, as at its registration. */
  writeSession: (session: Session) => Promise<void>;
  /** Tells a session to stop a job. */
  stop: (session: string, wire: string) => void;
  metrics: GatewayMetrics;
  clock: Clock;
  log: Log;
  leaseMs: number;
  renewEveryMs: number;
}

export type AssertOutcome = "renewed" | "registered_again";

export class NamespaceLeases {
  readonly #deps: NamespaceLeasesDeps;
  /** When the last renewal that the ledger confirmed was sent. */
  readonly #renewedAtMs = new Map<string, number>();
  readonly #running = new Map<string, Promise<AssertOutcome>>();
  #cancelTick = (): void => {};
  #isStopped = false;

  constructor(deps: NamespaceLeasesDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, renewEveryMs } = this.#deps;
    if (this.#isStopped) return;
    this.#cancelTick = clock.setTimer(renewEveryMs, () => {
      this.assertAll();
      this.start();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTick();
  }

  /** Begins a renewal in each namespace that has none under way. What fails is tried again with the next. */
  assertAll(): void {
    const live = new Set(this.#deps.sessions.namespaces());
    for (const known of this.#renewedAtMs.keys()) if (!live.has(known)) this.#renewedAtMs.delete(known);
    for (const namespace of live) {
      if (this.#running.has(namespace)) continue;
      this.assert(namespace).catch((error: unknown) => {
        this.#deps.metrics.leaseFailed();
        this.#deps.log.warn({ namespace, err: error }, "lease in a namespace not renewed; trying again");
      });
    }
  }

  /** A registration took or lengthened the lease. `sentAtMs`: when it was sent. */
  taken(namespace: string, sentAtMs: number): void {
    this.#renewedAtMs.set(namespace, sentAtMs);
  }

  /** Returns at once when the lease is held for certain; else renews it first. Rejects when that fails. */
  async confirm(namespace: string): Promise<void> {
    const renewedAtMs = this.#renewedAtMs.get(namespace);
    const isHeld = renewedAtMs !== undefined && this.#deps.clock.now() - renewedAtMs < this.#deps.leaseMs;
    // Nobody of that namespace is here yet: the registration takes the lease.
    if (isHeld || this.#deps.sessions.of(namespace).length === 0) return;
    await this.assert(namespace);
  }

  /** Renews now, or joins the renewal under way. */
  assert(namespace: string): Promise<AssertOutcome> {
    const running = this.#running.get(namespace);
    if (running !== undefined) return running;
    const begun = this.#assert(namespace).finally(() => this.#running.delete(namespace));
    this.#running.set(namespace, begun);
    return begun;
  }

  async #assert(namespace: string): Promise<AssertOutcome> {
    if (await this.#renew(namespace)) return "renewed";
    const { sessions, metrics, log, writeSession } = this.#deps;
    const lost = sessions.of(namespace);
    metrics.leaseLapsed();
    log.warn({ namespace, sessions: lost.length }, "lease in a namespace had lapsed; registering again");
    for (const group of chunksOf(lost)) await Promise.all(group.map(writeSession));
    metrics.sessionsRegisteredAgain(lost.length);
    if (!(await this.#renew(namespace))) throw new Error("the lease lapsed again while it was being renewed");
    return "registered_again";
  }

  /** False when the lease had lapsed. */
  async #renew(namespace: string): Promise<boolean> {
    const { ledger, gateway, leaseMs, sessions, clock, metrics } = this.#deps;
    const sentAtMs = clock.now();
    const held = sessions.of(namespace).flatMap((session) => session.held.list());
    const calls: HeldJob[][] = held.length === 0 ? [[]] : chunksOf(held);
    const told = new Set<string>();
    for (const chunk of calls) {
      const reply = await ledger.assertGateway({ namespace, gateway, leaseMs, held: chunk });
      if (reply.status === "lapsed") return false;
      // Every call repeats the stops that are not confirmed; a worker is told once a renewal.
      for (const stop of reply.stops) {
        const key = `${stop.session}|${stop.wire}`;
        if (stop.gateway === gateway && !told.has(key)) this.#deps.stop(stop.session, stop.wire);
        told.add(key);
      }
      this.#noteUnknown(namespace, reply.unknown);
    }
    this.#renewedAtMs.set(namespace, sentAtMs);
    metrics.leaseRenewed();
    return true;
  }

  #noteUnknown(namespace: string, jobs: readonly string[]): void {
    if (jobs.length === 0) return;
    this.#deps.metrics.heldUnknown(jobs.length);
    this.#deps.log.info({ namespace, jobs }, "held here, unknown to the ledger");
  }
}
