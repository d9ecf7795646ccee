/**
 * Decides the fate of orphans: asks presence, at once when the worker is lost and again whenever the orphan's timer is
 * due, and has the ledger settle what follows. At once only evidence counts; what nobody knows is the timer's business,
 * so that an overdue grace can start again after a gap of ours. Keeps no fact: an answer that never comes costs time.
 */

import { within } from "@muster/actor/timing";
import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord } from "@muster/ledger/records";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Assign } from "./assign.js";
import type { Hold } from "./hold.js";
import type { DispatcherMetrics } from "./metrics.js";
import type { DispatchPolicy } from "./policy.js";
import type { Presence, PresenceVerdict } from "./presence.js";

export interface OrphansDeps {
  namespace: string;
  ledger: Ledger;
  presence: Presence;
  assign: Pick<Assign, "admit" | "serve">;
  hold: Pick<Hold, "isHolding" | "endsAtMs">;
  policy: DispatchPolicy;
  metrics: DispatcherMetrics;
  clock: Clock;
  log: Log;
  /** Called with each new timer, so that the deadline loop wakes for it. */
  onDue(atMs: number): void;
}

/** A gateway that dies leaves thousands; whoever answers for LiveKit is not asked all of them at once. */
const MOST_AT_ONCE = 16;

type Cause = "lost" | "timer";

export class Orphans {
  readonly #deps: OrphansDeps;
  /** By job, in order of arrival. */
  readonly #waiting = new Map<string, Cause>();
  readonly #asking = new Set<Promise<void>>();
  #cancelHold = (): void => {};
  #stopped = false;

  constructor(deps: OrphansDeps) {
    this.#deps = deps;
  }

  /** Soon, and not waited for: an answer may take its time. `timer`: the ledger said that the orphan's timer is due. */
  look(job: string, cause: Cause): void {
    if (this.#waiting.get(job) !== "timer") this.#waiting.set(job, cause);
    this.#next();
  }

  /** True when nobody is being asked about. */
  idle(): boolean {
    return this.#waiting.size === 0 && this.#asking.size === 0;
  }

  /** Who was not asked about yet has a timer in the ledger. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelHold();
    this.#waiting.clear();
    await Promise.all(this.#asking);
  }

  #next(): void {
    const { hold, clock } = this.#deps;
    while (!this.#stopped && this.#asking.size < MOST_AT_ONCE) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      // Its gateway may be about to assert that the job runs.
      if (hold.isHolding()) {
        this.#cancelHold();
        this.#cancelHold = clock.setTimer(Math.max(1, hold.endsAtMs() - clock.now()), () => this.#next());
        return;
      }
      this.#waiting.delete(first[0]);
      const asking = this.#ask(...first).finally(() => {
        this.#asking.delete(asking);
        this.#next();
      });
      this.#asking.add(asking);
    }
  }

  async #ask(job: string, cause: Cause): Promise<void> {
    const { namespace, ledger, log } = this.#deps;
    try {
      const found = await ledger.readRecord({ namespace, kind: "job", id: job });
      if (found.status === "unknown") return;
      const { state, epoch, room, agentIdentity } = jobRecord(found.record);
      if (state !== "orphaned") return;
      const participantSid = found.record.participant_sid ?? "";
      const verdict = await this.#verdict({ namespace, job, room, agentIdentity, participantSid });
      if (verdict === "unknown" && cause === "lost") return;
      await this.#settle(job, epoch, verdict);
    } catch (error) {
      log.warn({ namespace, job, err: error }, "an orphan could not be settled; its timer asks again");
    }
  }

  /** What presence says, if it says so in time. */
  async #verdict(question: Parameters<Presence["ask"]>[0]): Promise<PresenceVerdict> {
    const { presence, policy, clock, log } = this.#deps;
    const askedAtMs = clock.now();
    try {
      const answer = await within(clock, policy.presenceLimitMs, presence.ask(question));
      // By our clock too: in a process that was frozen, the answer may be taken up before the timer.
      if (answer.late || clock.now() - askedAtMs > policy.presenceLimitMs) return "unknown";
      return answer.value;
    } catch (error) {
      const { namespace, job } = question;
      log.warn({ namespace, job, err: error }, "presence could not be asked");
      return "unknown";
    }
  }

  async #settle(job: string, epoch: number, verdict: PresenceVerdict): Promise<void> {
    const { namespace, ledger, assign, hold, policy, metrics, log, onDue } = this.#deps;
    // A gap while we asked: what was said before it is no evidence after it. The timer asks again.
    if (hold.isHolding()) return;
    const { resumeUnproven, recheckMs, silentJobMs: silentMs } = policy;
    const reply = await ledger.settleOrphan({
      ...{ namespace, job, epoch, verdict },
      ...{ resumeUnproven, recheckMs, silentMs },
    });
    if (reply.status === "stale") return;
    metrics.orphanSettled(verdict, reply.status);
    switch (reply.status) {
      case "kept":
        onDue(reply.due);
        return;
      case "resumed":
        log.info({ namespace, job, verdict }, "job is resumed on another worker");
        metrics.redispatched("worker_lost");
        await assign.admit(job);
        break;
      case "ended":
        log.info({ namespace, job, verdict, outcome: reply.outcome }, "job ended with its worker");
        metrics.jobEnded(reply.outcome);
        break;
    }
    if (reply.serve !== "") await assign.serve(reply.serve);
  }
}
