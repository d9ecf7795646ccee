/**
 * Tells the log of workers that were refused at the door: a rotation that went wrong is thousands of refusals, and one cause.
 * One line for each reason, key id and address, and again with a count while it goes on; how many had no line is told with a later
 * one, or, when no more are refused, by itself. Bounded in memory and in lines, since whoever dials chooses the key id. Never
 * logs a token.
 */

import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { UpgradeRefusal } from "./gateway-metrics.js";

/** The same refusal is told again after this, with the number of those in between. */
const AGAIN_MS = 10_000;
/** All lines together in that time; what is above is counted into the next line. */
const MOST_LINES = 20;
/** When nobody was refused for so long, it has stopped. */
const STOPPED_MS = AGAIN_MS;
/** Reasons, key ids and addresses that are remembered; the one longest untold goes first. */
const MOST_KNOWN = 256;
const MAX_KEY_ID = 64;

export interface RefusedWorker {
  reason: UpgradeRefusal;
  /** What it was told. */
  problem: string;
  /** As it claims; empty where its token has none. */
  keyId: string;
  clientIp: string;
}

interface Told {
  atMs: number;
  since: number;
}

export class RefusedWorkers {
  readonly #clock: Pick<Clock, "now" | "setTimer">;
  readonly #log: Log;
  readonly #told = new Map<string, Told>();
  #windowAtMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  /** Refusals without a line of their own, since the last line. */
  #untold = 0;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  /** While some had no line, and only then. */
  #timer: (() => void) | undefined;

  constructor({ clock, log }: { clock: Pick<Clock, "now" | "setTimer">; log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  refused({ reason, problem, keyId, clientIp }: RefusedWorker): void {
    const nowMs = this.#clock.now();
    this.#lastAtMs = nowMs;
    const apiKey = keyId.slice(0, MAX_KEY_ID);
    const name = `${problem}\n${apiKey}\n${clientIp}`;
    const told = this.#told.get(name);
    if (told !== undefined && nowMs - told.atMs < AGAIN_MS) {
      told.since += 1;
      this.#tellOnceStopped();
      return;
    }
    if (!this.#mayWrite(nowMs)) {
      this.#untold += 1;
      this.#tellOnceStopped();
      return;
    }
    this.#remember(name, nowMs);
    const again = told === undefined ? {} : { again: told.since };
    const others = this.#untold === 0 ? {} : { others: this.#untold };
    this.#untold = 0;
    this.#log.warn({ reason, problem, apiKey, clientIp, ...again, ...others }, "worker refused");
  }

  /** What had no line yet gets one now. */
  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
    const others = this.#takeUntold();
    if (others > 0)
      this.#log.warn({ others }, "more workers were refused, for the reasons told before or others");
  }

  #tellOnceStopped(inMs = STOPPED_MS): void {
    this.#timer ??= this.#clock.setTimer(inMs, () => {
      this.#timer = undefined;
      const leftMs = this.#lastAtMs + STOPPED_MS - this.#clock.now();
      // While it goes on, its next line has the number.
      if (leftMs > 0) this.#tellOnceStopped(leftMs);
      else this.stop();
    });
  }

  #takeUntold(): number {
    let others = this.#untold;
    this.#untold = 0;
    for (const told of this.#told.values()) {
      others += told.since;
      told.since = 0;
    }
    return others;
  }

  #mayWrite(nowMs: number): boolean {
    if (nowMs - this.#windowAtMs >= AGAIN_MS) {
      this.#windowAtMs = nowMs;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= MOST_LINES;
  }

  #remember(name: string, nowMs: number): void {
    this.#told.delete(name);
    this.#told.set(name, { atMs: nowMs, since: 0 });
    if (this.#told.size <= MOST_KNOWN) return;
    for (const [oldest, { since }] of this.#told) {
      this.#untold += since;
      this.#told.delete(oldest);
      return;
    }
  }
}
