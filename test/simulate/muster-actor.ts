/**
 * Plays Muster's actor in a simulation: tries jobs, serves pools that got room, and looks at the timers, as the dispatcher
 * does and with its numbers. Each claim is one script at its virtual time; who is chosen is the script's affair.
 */
import { InvariantError } from "@muster/domain/assert";
import {
  COOL_DOWN_MS,
  EARLY_FAILURE_MS,
  GRACE_MS,
  GUARD_MS,
  OFFER_DEADLINE_MS,
  REPORT_BOUND_MS,
  RETRY_MS,
  SILENT_JOB_BOUND_MS,
  START_DEADLINE_MS,
  STOP_BOUND_MS,
} from "@muster/domain/timing";
import type { AdmitReply, ExpireJobReply, ServeReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { Agenda, Effect } from "./agenda.js";

export type Offered = Extract<AdmitReply | ServeReply, { status: "offered" }>;

export interface MusterActorDeps {
  readonly ledger: Ledger;
  readonly namespace: string;
  readonly agenda: Agenda;
  /** A claim succeeded: the gateway is to ask the worker. */
  offer(offered: Offered, nowMs: number): void;
  /** Nobody took the job for as long as it may wait. */
  expired(): void;
}

/** Short, so that an hour's jobs need not all be kept. */
export const RETAIN_MS = 60_000;
const CLAIM = { offerMs: OFFER_DEADLINE_MS, scan: 32 };
const HEADS = 16;
const DUE_AT_ONCE = 128;
const SWEPT_AT_ONCE = 64;
/** Timers are looked at when the next one is due, and at least so often. */
const LOOK_EVERY_MS = 1_000;
const BOUNDS = {
  guardMs: GUARD_MS,
  coolMs: COOL_DOWN_MS,
  earlyMs: EARLY_FAILURE_MS,
  stopMs: STOP_BOUND_MS,
  graceMs: GRACE_MS,
  silentMs: SILENT_JOB_BOUND_MS,
  startMs: START_DEADLINE_MS,
  reportMs: REPORT_BOUND_MS,
  awakeSinceMs: 0,
};

export class MusterActor {
  readonly #deps: MusterActorDeps;
  readonly #pools = new Map<string, "asked" | "again">();

  constructor(deps: MusterActorDeps) {
    this.#deps = deps;
  }

  /** Tries one job now. */
  async admit(job: string, nowMs: number): Promise<Effect> {
    const { ledger, namespace, expired } = this.#deps;
    const reply = await ledger.admit({ namespace, nowMs, job, retryMs: RETRY_MS, ...CLAIM });
    return () => {
      if (reply.status === "offered") this.#deps.offer(reply, nowMs);
      else if (reply.status === "ended") expired();
      else if (reply.status === "parked" && reply.behind === 1) this.serveSoon(reply.pool, nowMs);
    };
  }

  admitSoon(job: string, nowMs: number): void {
    const { agenda } = this.#deps;
    agenda.at(nowMs + agenda.hopMs, (atMs) => this.admit(job, atMs));
  }

  /** Offers the parked jobs of the pool, one claim after the other, for as long as there is room. "" is no pool. */
  serveSoon(pool: string, nowMs: number): void {
    if (pool === "") return;
    const isServing = this.#pools.has(pool);
    this.#pools.set(pool, isServing ? "again" : "asked");
    if (!isServing) this.#serveNext(pool, nowMs);
  }

  #serveNext(pool: string, nowMs: number): void {
    const { ledger, namespace, agenda } = this.#deps;
    agenda.at(nowMs + agenda.hopMs, async (atMs) => {
      this.#pools.set(pool, "asked");
      const reply = await ledger.serve({ namespace, nowMs: atMs, pool, heads: HEADS, ...CLAIM });
      return () => {
        if (reply.status === "offered") this.#deps.offer(reply, atMs);
        // Asked for anew while this claim was under way: there may be room that it did not see.
        if (reply.status === "offered" || this.#pools.get(pool) === "again") this.#serveNext(pool, atMs);
        else this.#pools.delete(pool);
      };
    });
  }

  lookAtTimers(atMs: number): void {
    const { ledger, namespace, agenda } = this.#deps;
    agenda.at(atMs, async (nowMs) => {
      const due = await ledger.listDue({ namespace, nowMs, limit: DUE_AT_ONCE });
      return () => {
        const soonMs = nowMs + agenda.hopMs;
        for (const timer of due.timers) agenda.at(soonMs, (firedAtMs) => this.#fire(timer, firedAtMs));
        const nextMs = due.next < 0 ? Number.POSITIVE_INFINITY : due.next;
        const againMs = due.timers.length === DUE_AT_ONCE ? soonMs : Math.min(nextMs, nowMs + LOOK_EVERY_MS);
        this.lookAtTimers(Math.max(soonMs + 1, againMs));
      };
    });
  }

  async #fire(timer: string, nowMs: number): Promise<Effect> {
    const { ledger, namespace } = this.#deps;
    const [kind = "", id = ""] = timer.split("|", 2);
    switch (kind) {
      case "job": {
        const reply = await ledger.expireJob({ namespace, nowMs, job: id, ...BOUNDS });
        return () => this.#afterExpiry(id, reply, nowMs);
      }
      case "session": {
        const reply = await ledger.expireSession({
          namespace,
          nowMs,
          session: id,
          earlyMs: EARLY_FAILURE_MS,
        });
        return () => (reply.status === "back" ? this.serveSoon(reply.serve, nowMs) : undefined);
      }
      case "sweep": {
        await ledger.sweepEnded({ namespace, nowMs, retainMs: RETAIN_MS, limit: SWEPT_AT_ONCE });
        return () => {};
      }
      default:
        throw new InvariantError("a timer came due in a simulation that nothing in it should set");
    }
  }

  #afterExpiry(job: string, reply: ExpireJobReply, nowMs: number): void {
    if (reply.status === "ended") {
      this.#deps.expired();
      this.serveSoon(reply.serve, nowMs);
    } else if (reply.status === "requeued") {
      this.admitSoon(job, nowMs);
      this.serveSoon(reply.serve, nowMs);
    } else if (reply.status !== "idle") {
      throw new InvariantError("a job of a simulation, where no worker is ever lost, was taken for lost");
    }
  }
}
