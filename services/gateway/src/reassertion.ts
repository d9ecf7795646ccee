/**
 * Owns what a gateway tells a Redis that lost its state (a new generation): the jobs that its sockets hold and that the
 * ledger of before knew. Never tells a job that the present ledger has known: what is unknown then was ended and swept.
 * Counts what it told, and says so once for all namespaces together.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { HeldJob } from "@muster/ledger/shapes";
import type { Log } from "@muster/runtime/log";
import type { GatewayMetrics } from "./gateway-metrics.js";
import { restoredJob } from "./restored-job.js";
import type { Sessions } from "./sessions.js";
import type { Stops } from "./stops.js";

export interface ReassertionDeps {
  ledger: Ledger;
  sessions: Sessions;
  stops: Stops;
  metrics: GatewayMetrics;
  log: Log;
  /** How long a job is kept after it ended. */
  retainMs: number;
  /** How long it may wait for a worker, should it have to again. */
  waitMs: number;
}

/** At a time: a gateway may hold thousands, and others wait for the same Redis. */
const CONCURRENCY = 32;

export class Reassertion {
  readonly #deps: ReassertionDeps;
  /** Namespaces that have not yet been told, after the last loss. */
  readonly #pending = new Set<string>();
  #sessions = 0;
  #jobs = 0;
  #forgotten = 0;

  constructor(deps: ReassertionDeps) {
    this.#deps = deps;
  }

  /** Redis lost its state. */
  begin(): void {
    for (const namespace of this.#deps.sessions.namespaces()) this.#pending.add(namespace);
  }

  /** Those without a session here any more need no telling. */
  keepOnly(live: ReadonlySet<string>): void {
    if (this.#pending.size === 0) return;
    for (const namespace of this.#pending) if (!live.has(namespace)) this.#pending.delete(namespace);
    this.#sumUp();
  }

  /** A namespace was told of its sessions and jobs. */
  done(namespace: string, sessions: number): void {
    this.#sessions += sessions;
    this.#pending.delete(namespace);
    this.#sumUp();
  }

  /** Tells those of `unknown` that another life of Redis knew. True when there was one. */
  async restore(
    namespace: string,
    unknown: readonly HeldJob[],
    generation: string | undefined,
  ): Promise<boolean> {
    const { sessions } = this.#deps;
    const lost = unknown.filter(({ session, wire }) =>
      sessions.find(session)?.held.isFromBefore(wire, generation),
    );
    for (let start = 0; start < lost.length; start += CONCURRENCY) {
      const group = lost.slice(start, start + CONCURRENCY);
      await Promise.all(group.map((claim) => this.#restore(namespace, claim, generation)));
    }
    return lost.length > 0;
  }

  async #restore(namespace: string, claim: HeldJob, generation: string | undefined): Promise<void> {
    const { ledger, sessions, stops, metrics, retainMs, waitMs } = this.#deps;
    const session = sessions.find(claim.session);
    const facts = session?.held.facts(claim.wire);
    if (session === undefined) return;
    if (facts === undefined) {
      // Asked for once: there will be no more to say the next time.
      session.held.confirm(claim.wire, generation);
      this.#forgotten += 1;
      metrics.jobNotRestored();
      session.log.warn(
        { job: claim.job, wire: claim.wire },
        "a running job is lost to Redis: too large to remember",
      );
      return;
    }
    const reply = await ledger.restoreJob({ namespace, ...restoredJob(claim, facts), retainMs, waitMs });
    // With the next renewal: the session is registered again by then.
    if (reply.status === "unknown_session") return;
    session.held.confirm(claim.wire, generation);
    if (reply.status === "exists") {
      // Its order was deleted since; of any other job the assertion that follows says what is to be done.
      if (reply.state === "ended") stops.deliver(claim.session, claim.wire);
      return;
    }
    this.#jobs += 1;
    metrics.jobRestored();
    session.log.info(
      { job: claim.job, wire: claim.wire, epoch: claim.epoch },
      "running job told to Redis again",
    );
  }

  #sumUp(): void {
    if (this.#pending.size > 0) return;
    const [sessions, jobs, forgotten] = [this.#sessions, this.#jobs, this.#forgotten];
    this.#sessions = this.#jobs = this.#forgotten = 0;
    if (sessions + jobs + forgotten === 0) return;
    this.#deps.log.warn(
      { sessions, jobs, forgotten },
      "sessions and jobs re-asserted after Redis lost its state",
    );
  }
}
