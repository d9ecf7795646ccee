/**
 * Tells the orders of a room that wait for a worker what became of the callers they wait for. What follows is the ledger's:
 * a job whose callers left waits for them as long as LiveKit keeps the room, then it ends, by its own timer.
 *
 * The book is read, then each order is told. Died between the two: the next look, or the next round, reads it again. Two
 * at once tell the same, or one of them what was true a moment ago, which the next look corrects: a return is a word of its own.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { JobRecord, OrderRecord } from "@muster/ledger/records";
import type { RoomLife } from "@muster/ledger/shapes";
import { Room } from "@muster/wire/generated/livekit";
import type { Hints } from "../../hints.js";
import type { KnownListeners } from "../../known-listeners.js";
import type { ApiMetrics } from "../../metrics.js";
import { type UntilIndexedDeps, untilIndexed } from "../../until-indexed.js";
import type { RoomLook } from "../room-look.js";

export interface CallersGoneDeps extends UntilIndexedDeps {
  ledger: Pick<Ledger, "noteCallers" | "listLives">;
  listeners: Pick<KnownListeners, "listenMs">;
  hints: Hints;
  metrics: Pick<ApiMetrics, "jobsEnded">;
}

const WAITING = new Set(["queued", "parked", "offered"]);
/** An order has one job for the room in a namespace; the others are for participants. */
const JOBS_PER_CALL = 64;
/** livekit-server's own default, where its Room message does not say. */
const DEPARTURE_S = 20;
/** For the webhook of somebody who came back in the last moment. */
const ON_ITS_WAY_MS = 1_000;

export class CallersGone {
  readonly #deps: CallersGoneDeps;

  constructor(deps: CallersGoneDeps) {
    this.#deps = deps;
  }

  /** The lives of the room that the book knows, by sid. */
  async lives(room: string): Promise<ReadonlyMap<string, RoomLife>> {
    const { lives } = await this.#deps.ledger.listLives({ room });
    return new Map(Object.values(lives).map((life) => [life.sid, life]));
  }

  /** Of an order that is bound to the present life. */
  async tell(
    namespace: string,
    order: OrderRecord,
    look: Pick<RoomLook, "sid" | "info">,
    life: RoomLife,
  ): Promise<void> {
    const { ledger, listeners, hints, metrics } = this.#deps;
    const listenMs = await listeners.listenMs(namespace);
    const reply = await untilIndexed(this.#deps, namespace, (rests) =>
      ledger.noteCallers({
        ...{ namespace, order: order.id, roomSid: look.sid, callers: life.callers, seenAt: life.seen_at },
        ...{ awayMs: awayMsOf(look.info), limit: JOBS_PER_CALL, listenMs, rests },
      }),
    );
    if (reply.status !== "noted") return;
    for (const _ of reply.ended) metrics.jobsEnded("canceled");
    for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });
  }
}

/** Whether a job of the order waits for callers, so that it matters who is there. */
export function waitsForCallers(jobs: readonly JobRecord[]): boolean {
  return jobs.some(({ type, state }) => type === "room" && WAITING.has(state));
}

/** Whether its jobs do not know yet what the book says. */
export function isNews(order: OrderRecord, jobs: readonly JobRecord[], life: RoomLife): boolean {
  const isAlone = life.callers === 0 && life.seen_at > order.createdAtMs && !order.keepsWaiting;
  return isAlone || jobs.some(({ aloneUntilMs }) => aloneUntilMs > 0);
}

/** How long livekit-server keeps the room for the last one who left. */
function awayMsOf(info: string): number {
  const { departureTimeout } = Room.decode(Buffer.from(info, "base64"));
  return (departureTimeout || DEPARTURE_S) * 1_000 + ON_ITS_WAY_MS;
}
