/**
 * What is done when a timer of a namespace is due: the expire script of its kind, and what that asks for. The kind is
 * the first word of the timer's name, as the scripts write it: `job|AJ_x`, `order|AD_x`, `stop|AW_x|AJ_x`, `session|AW_x`,
 * `gateway|NO_x`, `split|<agent>`, `sweep`.
 */

import type { Outbox } from "@muster/actor/outbox";
import { assertNever } from "@muster/domain/assert";
import { REMOVE_AGENT_AGAIN_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { Blame, Stop } from "@muster/ledger/shapes";
import { tellBlame } from "@muster/ledger/tell-blame";
import type { Log } from "@muster/runtime/log";
import type { Assign } from "./assign.js";
import type { Hold } from "./hold.js";
import type { DispatcherMetrics } from "./metrics.js";
import type { Orphans } from "./orphans.js";
import type { DispatchPolicy } from "./policy.js";
import type { StoppedAgents } from "./stopped-agents.js";
import { tellSuperseded } from "./tell-superseded.js";
import type { ToldEvents } from "./told-events.js";
import type { Unjoined } from "./unjoined.js";

export interface ExpireDeps {
  namespace: string;
  ledger: Ledger;
  outbox: Outbox;
  assign: Pick<Assign, "admit" | "serve">;
  orphans: Pick<Orphans, "look">;
  stoppedAgents: Pick<StoppedAgents, "look">;
  unjoined: Pick<Unjoined, "look">;
  hold: Pick<Hold, "isHolding">;
  told: Pick<ToldEvents, "expect">;
  policy: DispatchPolicy;
  metrics: DispatcherMetrics;
  log: Log;
}

/** Sessions, or ended jobs, taken in one script call; repeated while there is more. */
const CHUNK = 64;

const TIMERS = ["job", "order", "stop", "session", "gateway", "split", "sweep"] as const;
export type TimerKind = (typeof TIMERS)[number];

/** `kind` is undefined for one that this version has not; the name says which then. */
export function readTimer(name: string): { kind: TimerKind | undefined; word: string; id: string } {
  const [word = ""] = name.split("|", 1);
  return { kind: TIMERS.find((one) => one === word), word, id: name.slice(word.length + 1) };
}

export class Expire {
  readonly #deps: ExpireDeps;

  constructor(deps: ExpireDeps) {
    this.#deps = deps;
  }

  /** `awakeSinceMs`: when the last gap of ours ended, in Redis time; what was overdue by then is judged leniently. */
  async timer(kind: TimerKind, id: string, awakeSinceMs: number): Promise<void> {
    this.#deps.told.expect();
    switch (kind) {
      case "job":
        return this.#job(id, awakeSinceMs);
      case "order":
        return this.#order(id);
      case "stop":
        return this.#stop(id);
      case "session":
        return this.#session(id);
      case "gateway":
        return this.#gateway(id, awakeSinceMs);
      case "split":
        return this.#split(id);
      case "sweep":
        return this.#sweep();
      default:
        return assertNever(kind, "kind of timer");
    }
  }

  async #job(job: string, awakeSinceMs: number): Promise<void> {
    const { namespace, ledger, assign, orphans, policy, metrics, log } = this.#deps;
    const { guardMs, stopMs, graceMs, startMs, reportMs, silentJobMs: silentMs, coolMs, earlyMs } = policy;
    const reply = await ledger.expireJob({
      ...{ namespace, job, awakeSinceMs },
      ...{ guardMs, stopMs, graceMs, startMs, silentMs, reportMs, coolMs, earlyMs },
    });
    switch (reply.status) {
      case "requeued":
        await assign.admit(job);
        return this.#serve(reply.serve);
      case "fell_back":
        metrics.jobFellBack();
        log.info({ namespace, job }, "nobody took the job in its time; the next agent of its order is asked");
        await assign.admit(job);
        return;
      case "stopping":
        log.info({ namespace, job }, "job was accepted and never seen to start");
        this.#tellBlame(reply.blame);
        await this.#tellStop(reply.stop);
        // It was the last start, or the worker one that never reports.
        if (reply.outcome !== "") metrics.jobEnded(reply.outcome);
        else {
          metrics.redispatched("never_started");
          await assign.admit(job);
        }
        return;
      case "retrying":
        log.info({ namespace, job }, "agent left its room without meaning to; its job is tried again");
        metrics.redispatched("agent_left");
        this.#tellBlame(reply.blame);
        return this.#tellStop(reply.stop);
      case "superseded":
        tellSuperseded(this.#deps, job, reply.count);
        return this.#serve(reply.serve);
      case "unjoined":
        this.#deps.unjoined.look(job, reply.epoch);
        return;
      case "orphaned":
        orphans.look(job, "timer");
        return;
      case "ended":
        metrics.jobEnded(reply.outcome);
        log.info({ namespace, job, outcome: reply.outcome }, "job ended by its timer");
        this.#tellBlame(reply.blame);
        return this.#serve(reply.serve);
      case "idle":
        return;
    }
  }

  async #order(order: string): Promise<void> {
    const { namespace, ledger, metrics, log } = this.#deps;
    const reply = await ledger.expireOrder({ namespace, order });
    if (reply.status === "idle") return;
    metrics.orderExpired();
    log.info({ namespace, order }, "order waited for its room as long as it may; it expired");
  }

  async #stop(field: string): Promise<void> {
    const { namespace, ledger, stoppedAgents } = this.#deps;
    const reply = await ledger.expireStop({ namespace, field, againMs: REMOVE_AGENT_AGAIN_MS });
    if (reply.status === "released") await this.#serve(reply.serve);
    if (reply.status !== "looking") return;
    const { job, room, identity, epoch: upToEpoch } = reply;
    stoppedAgents.look(field, { job, room, identity, upToEpoch });
  }

  async #session(session: string): Promise<void> {
    const { namespace, ledger, policy } = this.#deps;
    const reply = await ledger.expireSession({ namespace, session, earlyMs: policy.earlyMs });
    if (reply.status === "back") await this.#serve(reply.serve);
  }

  async #gateway(gateway: string, awakeSinceMs: number): Promise<void> {
    const { namespace, ledger, assign, orphans, hold, policy, metrics, log } = this.#deps;
    const { graceMs, guardMs, holdMs } = policy;
    const args = { namespace, gateway, awakeSinceMs, holdMs, graceMs, guardMs, limit: CHUNK };
    // A gap between two calls: what is left waits for the timer, which stays until the last session is gone.
    for (let more = true; more && !hold.isHolding(); ) {
      const reply = await ledger.expireGateway(args);
      if (reply.status === "idle") return;
      const { sessions, requeued, orphaned, serve } = reply;
      // None: it lives, and its last worker here has left.
      if (sessions > 0) {
        const counts = { sessions, requeued: requeued.length, orphaned: orphaned.length };
        log.warn({ namespace, gateway, ...counts }, "gateway lost");
      }
      if (reply.guard === 1) {
        metrics.guardRaised();
        log.error(
          { namespace },
          "so many workers vanished that none of their jobs is resumed without evidence",
        );
      }
      metrics.redispatched("gateway_lost", requeued.length);
      for (const job of orphaned) orphans.look(job, "lost");
      for (const job of requeued) await assign.admit(job);
      for (const pool of serve) await assign.serve(pool);
      more = reply.more === 1;
    }
  }

  /** The ledger has rolled it back; what is left is to say so. */
  async #split(agent: string): Promise<void> {
    const { namespace, ledger, metrics, log } = this.#deps;
    const reply = await ledger.expireSplit({ namespace, agent });
    if (reply.status === "idle") return;
    const { candidate, stable, bad_jobs: bad, counted_jobs: counted, why } = reply.split;
    metrics.deploymentRolledBack();
    log.warn(
      { namespace, agent, candidate, stable, bad, counted, reason: why },
      "too many jobs of a new deployment went badly: all go to the stable one; when it is mended, set the split anew",
    );
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

  #tellBlame(blame: Blame | null): void {
    tellBlame(this.#deps, this.#deps.namespace, blame);
  }

  /** Only a hint: the stop stands in the ledger, and is told again with every renewal of the gateway's lease. */
  async #tellStop(stop: Stop | null): Promise<void> {
    if (stop === null) return;
    const { namespace, outbox } = this.#deps;
    const { job, session, wire } = stop;
    await outbox.send(stop.gateway, { kind: "stop", namespace, session, job, wire });
  }
}
