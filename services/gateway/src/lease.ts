/**
 * Owns this gateway's lease in every namespace that has sessions here, and what is said with each renewal: which jobs
 * its sockets hold. What the ledger says back is done: stops are delivered; and when the lease had lapsed, or Redis is
 * no longer the one that was told of the sessions, they are registered again before anything else, and the jobs that
 * it forgot are told to it. Decides nothing about a job.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { HeldJob } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { chunksOf } from "./chunks.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { Reassertion } from "./reassertion.js";
import type { Session } from "./session.js";
import type { Sessions } from "./sessions.js";

export interface NamespaceLeasesDeps {
  ledger: Ledger;
  gateway: string;
  sessions: Sessions;
  /** The life of Redis that this node knows of. */
  generation: () => string | undefined;
  reassertion: Reassertion;
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

interface Lease {
  /** When the last renewal that the ledger confirmed was sent. */
  renewedAtMs: number;
  /** The life of Redis in which the sessions were last written, all of them. */
  writtenIn: string | undefined;
}

export class NamespaceLeases {
  readonly #deps: NamespaceLeasesDeps;
  readonly #leases = new Map<string, Lease>();
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
    for (const known of this.#leases.keys()) if (!live.has(known)) this.#leases.delete(known);
    this.#deps.reassertion.keepOnly(live);
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
    const lease = this.#leases.get(namespace);
    if (lease !== undefined) lease.renewedAtMs = sentAtMs;
    else this.#leases.set(namespace, { renewedAtMs: sentAtMs, writtenIn: this.#deps.generation() });
  }

  /** True when the ledger certainly has our lease and our sessions. */
  isHeld(namespace: string): boolean {
    const { clock, leaseMs, generation } = this.#deps;
    const lease = this.#leases.get(namespace);
    return (
      lease !== undefined && lease.writtenIn === generation() && clock.now() - lease.renewedAtMs < leaseMs
    );
  }

  /** Returns at once when the lease is held for certain; else renews it first. Rejects when that fails. */
  async confirm(namespace: string): Promise<void> {
    // Nobody of that namespace is here yet: the registration takes the lease.
    if (this.isHeld(namespace) || this.#deps.sessions.of(namespace).length === 0) return;
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
    const { sessions, metrics, log, writeSession, reassertion } = this.#deps;
    const generation = this.#deps.generation();
    const lease = this.#leases.get(namespace);
    const isAnother = lease !== undefined && lease.writtenIn !== generation;
    if (!isAnother && (await this.#renew(namespace, generation))) return "renewed";
    const lost = sessions.of(namespace);
    if (!isAnother) {
      metrics.leaseLapsed();
      log.warn({ namespace, sessions: lost.length }, "lease in a namespace had lapsed; registering again");
    }
    for (const group of chunksOf(lost)) await Promise.all(group.map(writeSession));
    metrics.sessionsRegisteredAgain(lost.length);
    if (!(await this.#renew(namespace, generation)))
      throw new Error("the lease lapsed again while it was being renewed");
    const written = this.#leases.get(namespace);
    if (written !== undefined) written.writtenIn = generation;
    if (isAnother) reassertion.done(namespace, lost.length);
    return "registered_again";
  }

  /** False when the lease had lapsed. */
  async #renew(namespace: string, generation: string | undefined): Promise<boolean> {
    const { sessions, clock, metrics, reassertion } = this.#deps;
    const sentAtMs = clock.now();
    let unknown = await this.#say(namespace, generation);
    // What was told to the ledger anew is asserted once more, so that all that follows finds it.
    if (unknown !== undefined && (await reassertion.restore(namespace, unknown, generation)))
      unknown = await this.#say(namespace, generation);
    if (unknown === undefined) return false;
    if (unknown.length > 0) {
      metrics.heldUnknown(unknown.length);
      const jobs = unknown.map(({ job }) => job);
      this.#deps.log.info({ namespace, jobs }, "held here, unknown to the ledger");
    }
    const lease = this.#leases.get(namespace);
    if (lease !== undefined) lease.renewedAtMs = sentAtMs;
    else if (sessions.of(namespace).length > 0)
      this.#leases.set(namespace, { renewedAtMs: sentAtMs, writtenIn: generation });
    metrics.leaseRenewed();
    return true;
  }

  /** Renews and asserts; answers the claims of which the ledger has never heard, undefined when the lease had lapsed. */
  async #say(namespace: string, generation: string | undefined): Promise<HeldJob[] | undefined> {
    const { ledger, gateway, leaseMs, sessions } = this.#deps;
    const held = sessions.of(namespace).flatMap((session) => session.held.list());
    const calls: HeldJob[][] = held.length === 0 ? [[]] : chunksOf(held);
    const told = new Set<string>();
    const never: HeldJob[] = [];
    for (const claims of calls) {
      const reply = await ledger.assertGateway({ namespace, gateway, leaseMs, held: claims });
      if (reply.status === "lapsed") return undefined;
      // Every call repeats the stops that are not confirmed; a worker is told once a renewal.
      for (const stop of reply.stops) {
        const key = `${stop.session}|${stop.wire}`;
        if (stop.gateway === gateway && !told.has(key)) this.#deps.stop(stop.session, stop.wire);
        told.add(key);
      }
      const [unknown, over] = [new Set(reply.unknown), new Set(reply.over)];
      for (const claim of claims) {
        const holder = sessions.find(claim.session)?.held;
        if (unknown.has(claim.job)) never.push(claim);
        else if (over.has(claim.job)) holder?.forget(claim.wire);
        else holder?.confirm(claim.wire, generation);
      }
    }
    return never;
  }
}
