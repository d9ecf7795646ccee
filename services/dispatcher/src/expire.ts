/**
 * What is done when a timer of a namespace is due: the expire script of its kind, and what that asks for. The kind is
 * the first word of the timer's name, as the scripts write it: `job|AJ_x`, `stop|AW_x|AJ_x`, `session|AW_x`,
 * `gateway|NO_x`, `sweep`.
 */

import type { Outbox } from "@muster/actor/outbox";
import { InvariantError } from "@muster/domain/assert";
import type { Ledger } from "@muster/ledger/ledger";
import type { Stop } from "@muster/ledger/shapes";
import type { Log } from "@muster/runtime/log";
import type { Assign } from "./assign.js";
import type { DispatcherMetrics } from "./metrics.js";
import type { DispatchPolicy } from "./policy.js";

export interface ExpireDeps {
  namespace: string;
  ledger: Ledger;
  outbox: Outbox;
  assign: Assign;
  policy: DispatchPolicy;
  metrics: DispatcherMetrics;
  log: Log;
}

/** Sessions, or ended jobs, taken in one script call; repeated while there is more. */
const CHUNK = 64;

export class Expire {
  readonly #deps: ExpireDeps;

  constructor(deps: ExpireDeps) {
    this.#deps = deps;
  }

  async timer(name: string): Promise<void> {
    const bar = name.indexOf("|");
    const kind = bar === -1 ? name : name.slice(0, bar);
    const id = name.slice(bar + 1);
    switch (kind) {
      case "job":
        return this.#job(id);
      case "stop":
        return this.#stop(id);
      case "session":
        return this.#session(id);
      case "gateway":
        return this.#gateway(id);
      case "sweep":
        return this.#sweep();
      default:
        throw new InvariantError("a timer of an unknown kind is in the ledger");
    }
  }

  async #job(job: string): Promise<void> {
    const { namespace, ledger, assign, policy, metrics, log } = this.#deps;
    const { guardMs, stopMs, maxAttempts } = policy;
    const reply = await ledger.expireJob({ namespace, job, guardMs, stopMs, maxAttempts });
    switch (reply.status) {
      case "requeued":
        await assign.admit(job);
        return this.#serve(reply.serve);
      case "stopping":
        log.info({ namespace, job }, "job was accepted and never seen to start");
        await this.#tellStop(reply.stop);
        return assign.admit(job);
      case "ended":
        metrics.jobEnded(reply.outcome);
        log.info({ namespace, job, outcome: reply.outcome }, "job ended by its timer");
        return this.#serve(reply.serve);
      case "idle":
        return;
    }
  }

  async #stop(field: string): Promise<void> {
    const { namespace, ledger } = this.#deps;
    const reply = await ledger.expireStop({ namespace, field });
    if (reply.status === "released") await this.#serve(reply.serve);
  }

  async #session(session: string): Promise<void> {
    const { namespace, ledger } = this.#deps;
    const reply = await ledger.expireSession({ namespace, session });
    if (reply.status === "back") await this.#serve(reply.serve);
  }

  async #gateway(gateway: string): Promise<void> {
    const { namespace, ledger, assign, policy, log } = this.#deps;
    const { graceMs, guardMs } = policy;
    for (let more = true; more; ) {
      const reply = await ledger.expireGateway({ namespace, gateway, graceMs, guardMs, limit: CHUNK });
      if (reply.status === "idle") return;
      const { sessions, requeued, orphaned } = reply;
      log.warn(
        { namespace, gateway, sessions, requeued: requeued.length, orphaned: orphaned.length },
        "gateway lost",
      );
      for (const job of requeued) await assign.admit(job);
      more = reply.more === 1;
    }
  }

  async #sweep(): Promise<void> {
    const { namespace, ledger, policy, metrics } = this.#deps;
    for (let more = true; more; ) {
      const reply = await ledger.sweepEnded({ namespace, retainMs: policy.retainMs, limit: CHUNK });
      metrics.forgotten(reply.jobs, reply.orders);
      more = reply.more === 1;
    }
  }

  async #serve(pool: string): Promise<void> {
    if (pool !== "") await this.#deps.assign.serve(pool);
  }

  /** Only a hint: the stop stands in the ledger, and is told again with every renewal of the gateway's lease. */
  async #tellStop(stop: Stop | null): Promise<void> {
    if (stop === null) return;
    const { namespace, outbox } = this.#deps;
    const { job, session, wire } = stop;
    await outbox.send(stop.gateway, { kind: "stop", namespace, session, job, wire });
  }
}
