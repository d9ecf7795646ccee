/**
 * Decides what became of jobs whose agent nobody saw in its room: asks presence when the ledger's timer says so, and has the
 * ledger settle what follows. Keeps no fact: an answer that never comes costs time, as the timer comes again.
 */

import type { Outbox } from "@muster/actor/outbox";
import { within } from "@muster/actor/timing";
import { REMOVE_AGENT_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord } from "@muster/ledger/records";
import { tellBlame } from "@muster/ledger/tell-blame";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Assign } from "./assign.js";
import type { Hold } from "./hold.js";
import type { DispatcherMetrics } from "./metrics.js";
import type { DispatchPolicy } from "./policy.js";
import type { JoinVerdict, Presence } from "./presence.js";

export interface UnjoinedDeps {
  namespace: string;
  ledger: Pick<Ledger, "readRecord" | "settleUnjoined">;
  presence: Pick<Presence, "hasJoined" | "hasCompany">;
  /** undefined: nobody can put an agent out of its room. */
  roomService: unknown;
  outbox: Outbox;
  assign: Pick<Assign, "admit" | "serve">;
  hold: Pick<Hold, "isHolding">;
  policy: DispatchPolicy;
  metrics: DispatcherMetrics;
  clock: Clock;
  log: Log;
  /** Called with each new timer, so that the deadline loop wakes for it. */
  onDue(atMs: number): void;
}

/** Above this the timer's next look has its turn. */
const MOST_AT_ONCE = 16;

export class Unjoined {
  readonly #deps: UnjoinedDeps;
  /** By job. */
  readonly #asking = new Map<string, Promise<void>>();

  constructor(deps: UnjoinedDeps) {
    this.#deps = deps;
  }

  /** Soon, and not waited for. */
  look(job: string, epoch: number): void {
    if (this.#asking.has(job) || this.#asking.size >= MOST_AT_ONCE) return;
    const asking = this.#ask(job, epoch).finally(() => this.#asking.delete(job));
    this.#asking.set(job, asking);
  }

  idle(): boolean {
    return this.#asking.size === 0;
  }

  /** Those under way end within their bounds. */
  async stop(): Promise<void> {
    await Promise.all(this.#asking.values());
  }

  async #ask(job: string, epoch: number): Promise<void> {
    const { namespace, ledger, hold, policy, clock, log } = this.#deps;
    try {
      const found = await ledger.readRecord({ namespace, kind: "job", id: job });
      if (found.status === "unknown") return;
      const { room, agentIdentity } = jobRecord(found.record);
      const { participant_sid: participantSid = "", started_at: startedAt, left_at: leftAt } = found.record;
      const [joined, company] = await this.#inTime(
        Promise.all([
          this.#deps.presence.hasJoined({
            ...{ namespace, job, epoch, room, agentIdentity, participantSid },
            ...{
              startedAtMs: Number(startedAt ?? 0),
              untilMs: Number(leftAt ?? clock.now()),
              hasEnded: leftAt !== undefined,
            },
          }),
          this.#deps.presence.hasCompany(room),
        ]),
      );
      // A gap while we asked: what was said before it is no evidence after it. The timer asks again.
      if (hold.isHolding()) return;
      const verdict = company === undefined && joined === "never" ? "unasked" : joined;
      if (verdict !== "unasked") return await this.#settle(job, epoch, verdict, company);
      // LiveKit is away, so its worker may not have reached it either: the timer asks again.
      if (leftAt !== undefined && clock.now() - Number(leftAt) < policy.doubtMs) return;
      await this.#settle(job, epoch, "unknown");
    } catch (error) {
      log.warn(
        { namespace, job, err: error },
        "a job whose agent was not seen could not be settled; its timer asks again",
      );
    }
  }

  /** What presence says, if it says so in time. */
  async #inTime(
    asking: Promise<[JoinVerdict, boolean | undefined]>,
  ): Promise<readonly [JoinVerdict, boolean | undefined]> {
    const { namespace, policy, clock, log } = this.#deps;
    try {
      const answer = await within(clock, policy.presenceLimitMs, asking);
      return answer.late ? ["unasked", undefined] : answer.value;
    } catch (error) {
      log.warn({ namespace, err: error }, "presence could not be asked");
      return ["unasked", undefined];
    }
  }

  async #settle(
    job: string,
    epoch: number,
    verdict: Exclude<JoinVerdict, "unasked">,
    company = false,
  ): Promise<void> {
    const { namespace, ledger, roomService, assign, policy, metrics, log, onDue } = this.#deps;
    const { recheckMs, silentJobMs: silentMs, stopMs, coolMs, earlyMs } = policy;
    const reply = await ledger.settleUnjoined({
      ...{ namespace, job, epoch, verdict, company, recheckMs, silentMs, stopMs, coolMs, earlyMs },
      removeMs: roomService === undefined ? 0 : REMOVE_AGENT_MS,
    });
    if (reply.status === "stale") return;
    if (reply.status === "kept") return onDue(reply.due);
    const line = { namespace, job, verdict, company };
    tellBlame({ metrics, log }, namespace, reply.blame);
    switch (reply.status) {
      case "ended":
        log.info(
          { ...line, outcome: reply.outcome },
          "job ended as its worker said, or as presence knows better",
        );
        metrics.jobEnded(reply.outcome === "canceled" ? "never_joined" : reply.outcome);
        break;
      case "retrying":
        log.warn(
          line,
          "agent never joined its room, and its worker said that all went well; the job is tried again",
        );
        metrics.redispatched("never_joined");
        onDue(reply.due);
        break;
      case "stopping": {
        const { gateway, session, wire } = reply.stop;
        log.warn(line, "agent did not join its room by its start deadline; its worker is told to stop");
        await this.#deps.outbox.send(gateway, { kind: "stop", namespace, session, job, wire });
        if (reply.outcome !== "")
          metrics.jobEnded(reply.outcome === "canceled" ? "never_joined" : reply.outcome);
        else {
          metrics.redispatched("never_started");
          await assign.admit(job);
        }
        return;
      }
    }
    if (reply.serve !== "") await assign.serve(reply.serve);
  }
}
