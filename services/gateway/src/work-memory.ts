/**
 * Owns how many bytes of work may wait in this gateway for its ledger: of one session, and of all together. When all
 * together is used up, the session that uses most of it goes, and not whoever happens to come last. Knows no message.
 */

import { ByteBudget } from "@muster/runtime/byte-budget";

/** What a piece of work costs beside what it carries: its closure, its promise, its place in line. */
const WORK_BYTES = 1_024;

/** Which bound was met: the one on a session's messages, on its bytes, or on those of the whole gateway. */
export type WorkBound = "session_messages" | "session_bytes" | "gateway_bytes";

/** One who has work here. */
export interface WorkHolder {
  readonly bytes: number;
  /** Lets go of all that has not begun. Its bytes are given back. */
  dropWaiting(): void;
}

export interface WorkMemoryDeps {
  mostBytes: number;
  mostBytesOfSession: number;
}

export class WorkMemory {
  readonly #all: ByteBudget;
  readonly #mostOfOne: number;
  /** Those who have bytes here and were not told to go. */
  readonly #holders = new Set<WorkHolder>();

  constructor({ mostBytes, mostBytesOfSession }: WorkMemoryDeps) {
    this.#all = new ByteBudget(mostBytes);
    this.#mostOfOne = mostBytesOfSession;
  }

  get used(): number {
    return this.#all.used;
  }

  /** What `payloadBytes` cost, once taken; or the bound that stands against them. */
  take(holder: WorkHolder, payloadBytes: number): number | Exclude<WorkBound, "session_messages"> {
    const bytes = payloadBytes + WORK_BYTES;
    if (holder.bytes + bytes > this.#mostOfOne) return "session_bytes";
    while (!this.#all.take(bytes)) {
      const greediest = this.#greediestAbove(holder.bytes + bytes);
      if (greediest === undefined) return "gateway_bytes";
      this.#holders.delete(greediest);
      greediest.dropWaiting();
    }
    this.#holders.add(holder);
    return bytes;
  }

  /** What `take` answered, once the work is done or dropped. `holder.bytes` no longer has them. */
  give(holder: WorkHolder, bytes: number): void {
    this.#all.give(bytes);
    if (holder.bytes === 0) this.#holders.delete(holder);
  }

  #greediestAbove(bytes: number): WorkHolder | undefined {
    let greediest: WorkHolder | undefined;
    for (const holder of this.#holders) if (holder.bytes > (greediest?.bytes ?? bytes)) greediest = holder;
    return greediest;
  }
}
