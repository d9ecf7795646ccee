/**
 * Places jobs: one claim script, then the offer into the inbox of the gateway that has the worker's socket.
 * Dying between the two costs time only: the offer's deadline in Redis sends the job back. Never decides who is
 * chosen (the script does) and never waits for the worker's answer (the gateway brings it).
 */

import type { Outbox } from "@muster/actor/outbox";
import type { Ledger } from "@muster/ledger/ledger";
import { tellBlame } from "@muster/ledger/tell-blame";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { DispatcherMetrics } from "./metrics.js";
import { firstDispatch, type OfferedReply, offerMessage, parkedAtMs } from "./offer-message.js";
import type { DispatchPolicy } from "./policy.js";
import type { Presence } from "./presence.js";
import { tellSuperseded } from "./tell-superseded.js";

export interface AssignDeps {
  namespace: string;
  ledger: Ledger;
  outbox: Outbox;
  presence: Pick<Presence, "watch">;
  policy: DispatchPolicy;
  metrics: DispatcherMetrics;
  clock: Clock;
  log: Log;
  /** Called with each new timer, so that the deadline loop wakes for it. */
  onDue(atMs: number): void;
}

/** A gateway that is gone can have many sessions in the pool until its lease ends; after this many, the timers go on. */
const MAX_UNDELIVERED = 8;

export class Assign {
  readonly #deps: AssignDeps;

  constructor(deps: AssignDeps) {
    this.#deps = deps;
  }

  /** Tries to place one job; "idle" when there was nothing to do. Any number of calls for the same job does no harm. */
  async admit(job: string): Promise<"moved" | "idle"> {
    const { namespace, ledger, policy, metrics, clock } = this.#deps;
    for (let attempt = 0; attempt < MAX_UNDELIVERED; attempt++) {
      const askedAtMs = clock.now();
      const reply = await ledger.admit({ namespace, job, ...policy.claim });
      switch (reply.status) {
        case "offered":
          metrics.stageTook("match", clock.now() - askedAtMs);
          if (await this.#deliver(reply)) return "moved";
          continue;
        case "parked":
          metrics.jobParked();
          tellBlame(this.#deps, namespace, reply.blame);
          if (reply.behind === 1) await this.serve(reply.pool);
          return "moved";
        case "superseded":
          metrics.jobParked();
          tellSuperseded(this.#deps, job, reply.count);
          if (reply.pool !== "") await this.serve(reply.pool);
          return "moved";
        case "ended":
          metrics.jobEnded(reply.outcome);
          return "moved";
        case "held":
          return "moved";
        case "idle":
          return "idle";
      }
    }
    return "moved";
  }

  /** Offers the parked jobs of a pool, best first, for as long as there is room: never more than can be used. */
  async serve(pool: string): Promise<void> {
    const { namespace, ledger, policy, metrics, clock } = this.#deps;
    for (let undelivered = 0; undelivered < MAX_UNDELIVERED; ) {
      const askedAtMs = clock.now();
      const reply = await ledger.serve({
        namespace,
        pool,
        heads: policy.heads,
        offerMs: policy.claim.offerMs,
        scan: policy.claim.scan,
      });
      if (reply.status !== "offered") return;
      metrics.stageTook("match", clock.now() - askedAtMs);
      if (!(await this.#deliver(reply))) undelivered++;
    }
  }

  /** By the ledger's clock, on which both moments were taken. */
  #tellStages(reply: OfferedReply, offeredAtMs: number): void {
    const { metrics } = this.#deps;
    const parkedMs = parkedAtMs(reply.job);
    if (parkedMs > 0) metrics.stageTook("wait", offeredAtMs - parkedMs);
    const first = firstDispatch(reply);
    if (first?.path === "direct") metrics.stageTook("queue", offeredAtMs - first.createdAtMs);
  }

  /** True when the offer is in the gateway's inbox. A gateway without one is gone: the offer goes back, past its session. */
  async #deliver(reply: OfferedReply): Promise<boolean> {
    const { namespace, ledger, outbox, policy, metrics, log } = this.#deps;
    const { gateway, offer } = offerMessage(namespace, reply);
    this.#deps.onDue(reply.deadline);
    if ((await outbox.send(gateway, offer)) === "sent") {
      metrics.jobClaimed();
      if (policy.doubtsReports) this.#deps.presence.watch(namespace, offer.job, offer.epoch);
      this.#tellStages(reply, offer.offeredAtMs);
      return true;
    }
    log.info({ namespace, job: offer.job, gateway }, "gateway of the claimed session is gone");
    metrics.redispatched("undelivered");
    const { job, session, epoch } = offer;
    await ledger.reject({
      namespace,
      job,
      session,
      epoch,
      reason: "undelivered",
      terminate: false,
      coolMs: policy.coolMs,
      guardMs: policy.guardMs,
      lateMs: 0,
    });
    return false;
  }
}
