/**
 * Owns the order in which one session's work is done: registration first, then its reports as they came. What waits is
 * bounded in number and in bytes. Who passes a bound is told, and no more of it is taken; what it said before still
 * counts, unless the memory of the whole gateway is at its end: then what waits is let go at once.
 */

import type { WorkBound, WorkHolder, WorkMemory } from "./work-memory.js";

/** Messages of one worker that wait for the ledger. */
const MOST_WAITING = 1_024;

/** Whose work it is. */
export interface WorkOwner {
  /** Its work passed a bound. */
  overworked(bound: WorkBound): void;
  workFailed(error: unknown): void;
}

interface Work {
  run: () => Promise<void>;
  bytes: number;
}

export class WorkLine implements WorkHolder {
  readonly #memory: WorkMemory;
  readonly #owner: WorkOwner;
  #waiting: Work[] = [];
  #bytes = 0;
  #isRunning = false;
  #isShut = false;
  #whenDone: (() => void)[] | undefined;

  constructor(memory: WorkMemory, owner: WorkOwner) {
    this.#memory = memory;
    this.#owner = owner;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Runs `work` once all that was given before is done. `payloadBytes`: what it keeps alive until then. */
  add(run: () => Promise<void>, payloadBytes: number): void {
    if (this.#isShut) return;
    if (this.#waiting.length >= MOST_WAITING) {
      this.#shut("session_messages");
      return;
    }
    const taken = this.#memory.take(this, payloadBytes);
    if (taken === "gateway_bytes") {
      this.dropWaiting();
      return;
    }
    if (taken === "session_bytes") {
      this.#shut(taken);
      return;
    }
    this.#bytes += taken;
    this.#waiting.push({ run, bytes: taken });
    if (!this.#isRunning) void this.#runAll();
  }

  dropWaiting(): void {
    const dropped = this.#waiting;
    this.#waiting = [];
    for (const work of dropped) this.#done(work);
    this.#shut("gateway_bytes");
  }

  /** Resolves once nothing waits in line. */
  settled(): Promise<void> {
    if (!this.#isRunning) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenDone ??= [];
      this.#whenDone.push(resolve);
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      // Never within `add`: who gives work must not find it done already.
      await Promise.resolve();
      const next = this.#waiting.shift();
      if (next === undefined) break;
      try {
        await next.run();
      } catch (error) {
        this.#owner.workFailed(error);
      }
      this.#done(next);
    }
    this.#isRunning = false;
    for (const resolve of this.#whenDone?.splice(0) ?? []) resolve();
  }

  #done({ bytes }: Work): void {
    this.#bytes -= bytes;
    this.#memory.give(this, bytes);
  }

  #shut(bound: WorkBound): void {
    if (this.#isShut) return;
    this.#isShut = true;
    this.#owner.overworked(bound);
  }
}
