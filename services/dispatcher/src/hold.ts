/**
 * Whether this dispatcher holds back its time-outs. After any gap of its own (start, lapsed lease, reconnect, silence,
 * another life of Redis) what looks overdue may only look so: gateways first get `holdMs` to assert what they hold.
 * Claims go on, since the scripts check the gateways' leases themselves. Taking over the namespaces of a dead dispatcher
 * is no gap.
 */

import type { EventEmitter } from "node:events";
import type { NodeLease } from "@muster/actor/node-lease";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { DispatcherMetrics, HoldCause } from "./metrics.js";

export interface HoldDeps {
  lease: Pick<NodeLease, "isHeld" | "subscribe">;
  /** The connection that the ledger is reached through. */
  redis: Pick<EventEmitter, "on" | "off">;
  clock: Clock;
  holdMs: number;
  /** A Redis that says nothing to us for so long says nothing to the gateways either, whose leases end meanwhile. */
  leaseMs: number;
  metrics: Pick<DispatcherMetrics, "held">;
  log: Log;
}

export class Hold {
  readonly #deps: HoldDeps;
  readonly #onReconnect = () => this.#begin("reconnect");
  #awakeSinceMs: number;
  #unsubscribe = (): void => {};

  constructor(deps: HoldDeps) {
    this.#deps = deps;
    this.#awakeSinceMs = deps.clock.now();
  }

  /** To be called when the lease is held for the first time: from then on each return is one from a gap. */
  start(): void {
    const { lease, redis } = this.#deps;
    this.#begin("start");
    this.#unsubscribe = lease.subscribe({
      onRegain: () => this.#begin("lease"),
      onGenerationChange: () => this.#begin("generation"),
    });
    redis.on("ready", this.#onReconnect);
    // A Cluster stays ready while one of its masters fails over; its replacement is a new node.
    redis.on("+node", this.#onReconnect);
  }

  stop(): void {
    const { redis } = this.#deps;
    this.#unsubscribe();
    redis.off("ready", this.#onReconnect);
    redis.off("+node", this.#onReconnect);
  }

  /** When the last gap ended, by our clock. */
  awakeSinceMs(): number {
    return this.#awakeSinceMs;
  }

  /** When time-outs go on, by our clock: in the past when they do. While our lease has lapsed, this moves along. */
  endsAtMs(): number {
    const { lease, clock, holdMs } = this.#deps;
    // Asked of our clock at this instant: a process that was frozen does not act on what it had read before.
    if (!lease.isHeld()) return clock.now() + holdMs;
    return this.#awakeSinceMs + holdMs;
  }

  /**
   * The ledger answered a question of ours. On a Cluster one master can be away, with the namespaces that it serves, while
   * node leases are renewed on another and no connection is lost: then its silence is all there is to tell.
   */
  answered(askedAtMs: number): void {
    if (this.#deps.clock.now() - askedAtMs >= this.#deps.leaseMs) this.#begin("silence");
  }

  isHolding(): boolean {
    return this.#deps.clock.now() < this.endsAtMs();
  }

  #begin(cause: HoldCause): void {
    const { clock, holdMs, metrics, log } = this.#deps;
    this.#awakeSinceMs = clock.now();
    metrics.held(cause);
    if (cause !== "start") log.warn({ cause, holdMs }, "time-outs are held until gateways have asserted");
  }
}
