/**
 * Counts short jobs: the agent joined its room, was gone within the bound, and a caller stayed without it. The times are
 * LiveKit's: a join is exact to the millisecond where LiveKit says so, a departure to the second. Only webhooks tell of such a
 * stay in time; without them nothing is counted.
 *
 * 1. A look at the room shows such an agent. It may come back: the job is looked at again after REJOIN_MS.
 * 2. The ledger marks the job, once, and judges the split that placed it. Died before it: the next look at the room begins
 *    again; when there is none, the job is not counted.
 * 3. The metric counts. Died before it: the job is missing in the metric.
 *
 * Costs a look at a room nothing while no agent of it left within the bound. Never waited for, and never fails.
 */

import { REJOIN_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { JobRecord } from "@muster/ledger/records";
import type { RoomPerson } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { ApiMetrics } from "../../metrics.js";
import type { OrderPolicy } from "../../policy.js";
import type { RoomLook } from "../room-look.js";
import { agentLeave } from "./agent-leave.js";
import type { OrdersInRoom } from "./doubled-agents.js";

export interface ShortJobsDeps {
  ledger: Pick<Ledger, "findCompany" | "noteShortJob">;
  metrics: Pick<ApiMetrics, "jobWasShort">;
  policy: Pick<OrderPolicy, "shortJobMs">;
  clock: Clock;
  log: Log;
}

/** Behind the time in which somebody who left counts as there. */
const LOOK_AFTER_MS = REJOIN_MS + 1_000;
/** Above this the next look at the room has its turn. */
const MOST_AT_ONCE = 256;
/** Participants that need no look any more; of more than these the oldest are looked at again, which changes nothing. */
const MOST_SETTLED = 4_096;
const PEOPLE_AT_ONCE = 500;

interface ShortStay {
  namespace: string;
  room: string;
  job: JobRecord;
  sid: string;
}

export class ShortJobs {
  readonly #deps: ShortJobsDeps;
  /** How to call off the look at a participant, by sid; undefined once it has begun. */
  readonly #planned = new Map<string, (() => void) | undefined>();
  readonly #settled = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: ShortJobsDeps) {
    this.#deps = deps;
  }

  look({ room, isLive, people }: RoomLook, { namespace, orders }: OrdersInRoom): void {
    if (!isLive) return;
    for (const person of people) {
      if (!this.#wasShort(person) || this.#settled.has(person.sid)) continue;
      const job = orders
        .flatMap(({ jobs }) => jobs)
        .find(({ participantSid }) => participantSid === person.sid);
      if (job !== undefined) this.#plan({ namespace, room, job, sid: person.sid });
    }
  }

  /** Looks that are planned are left to other apis' looks at the room. Resolves when those under way have ended. */
  async stop(): Promise<void> {
    for (const cancel of this.#planned.values()) cancel?.();
    this.#planned.clear();
    await Promise.all(this.#underWay);
  }

  #wasShort({ kind, joined_at: joinedAt, left_at: leftAt, left_reason: reason = "" }: RoomPerson): boolean {
    const { shortJobMs } = this.#deps.policy;
    if (shortJobMs === 0 || kind !== "agent" || joinedAt === undefined || leftAt === undefined) return false;
    return leftAt - joinedAt <= shortJobMs && agentLeave(reason) !== "not_gone";
  }

  #plan(stay: ShortStay): void {
    const { clock } = this.#deps;
    if (this.#planned.has(stay.sid) || this.#planned.size >= MOST_AT_ONCE) return;
    const cancel = clock.setTimer(LOOK_AFTER_MS, () => {
      this.#planned.set(stay.sid, undefined);
      const settling = this.#settle(stay).finally(() => {
        this.#planned.delete(stay.sid);
        this.#underWay.delete(settling);
      });
      this.#underWay.add(settling);
    });
    this.#planned.set(stay.sid, cancel);
  }

  async #settle({ namespace, room, job, sid }: ShortStay): Promise<void> {
    const { ledger, metrics, log } = this.#deps;
    try {
      if (await this.#hasCompany(room)) {
        const reply = await ledger.noteShortJob({ namespace, job: job.id, sid });
        // Its worker has not said yet how it went: the next look at the room asks again.
        if (reply.status === "living") return;
        if (reply.status === "counted") {
          metrics.jobWasShort(reply.pool);
          log.info({ namespace, job: job.id }, "agent left its room at once, and a caller stayed without it");
        }
      }
      this.#remember(sid);
    } catch (error) {
      log.warn(
        { namespace, job: job.id, error: String(error) },
        "a job whose agent left at once was not looked at; the next look at its room does",
      );
    }
  }

  /** By the room book: somebody who is neither an agent nor a recorder. */
  async #hasCompany(room: string): Promise<boolean> {
    for (let cursor = ""; cursor !== "0"; ) {
      const page = { cursor: cursor === "" ? "0" : cursor, limit: PEOPLE_AT_ONCE };
      const reply = await this.#deps.ledger.findCompany({ room, ...page, rejoinMs: REJOIN_MS });
      if (reply.status === "unknown") return false;
      if (reply.here > 0) return true;
      cursor = reply.next;
    }
    return false;
  }

  #remember(sid: string): void {
    this.#settled.add(sid);
    const [oldest] = this.#settled;
    if (this.#settled.size > MOST_SETTLED && oldest !== undefined) this.#settled.delete(oldest);
  }
}
