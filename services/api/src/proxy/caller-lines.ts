/**
 * Who may call livekit-server now. A bound on calls at a time, a share of it for each caller, and a line for each caller that
 * waits: what one of them holds or queues up is its own. Knows nothing of what is called.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import type { CallerName } from "../auth.js";

export interface CallerLinesDeps {
  /** Calls at a time. */
  most: number;
  clock: Clock;
}

interface Line {
  calls: number;
  most: number;
  waiting: (() => void)[];
  mostWaiting: number;
}

/** A token with an identity is one of many; a server's speaks for all that its key does. */
const SHARE = { one: 1 / 8, key: 3 / 4 } as const;
/** Calls that wait: who asks for a list of each of a thousand rooms at once is honest, and no SDK repeats a call. */
const MAX_WAITING_OF = { one: 1_024, key: 4_096 } as const;
const MAX_WAITING = 8_192;
const WAIT_MS = 30_000;

export class CallerLines {
  readonly #deps: CallerLinesDeps;
  /** By name, of those who call or wait; served in turn. */
  readonly #lines = new Map<string, Line>();
  #calls = 0;
  #waiting = 0;

  constructor(deps: CallerLinesDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when it is this caller's turn, with what ends the call: to be called once.
   * @throws DispatchError `resource_exhausted`, `unavailable`: not its turn in time, or too many wait
   */
  async enter({ name, kind }: CallerName, signal: AbortSignal): Promise<() => void> {
    const most = Math.max(1, Math.floor(this.#deps.most * SHARE[kind]));
    const line = this.#lines.get(name) ?? { calls: 0, most, waiting: [], mostWaiting: MAX_WAITING_OF[kind] };
    this.#lines.set(name, line);
    if (this.#calls >= this.#deps.most || line.calls >= line.most) await this.#wait(name, line, signal);
    else this.#begin(line);
    return () => this.#end(name, line);
  }

  /** Resolves when whoever ended a call began this one. */
  #wait(name: string, line: Line, signal: AbortSignal): Promise<void> {
    const isOwn = line.calls >= line.most;
    if (line.waiting.length >= line.mostWaiting || this.#waiting >= MAX_WAITING) {
      throw refusal(isOwn, `${line.waiting.length} calls of this caller wait already`);
    }
    return new Promise((resolve, reject) => {
      const settle = () => {
        cancelTimer();
        signal.removeEventListener("abort", leave);
        this.#waiting--;
      };
      const turn = () => {
        settle();
        resolve();
      };
      const leave = () => {
        line.waiting.splice(line.waiting.indexOf(turn), 1);
        settle();
        this.#forget(name, line);
        reject(refusal(isOwn, `${line.calls} calls of this caller are under way`));
      };
      const cancelTimer = this.#deps.clock.setTimer(WAIT_MS, leave);
      line.waiting.push(turn);
      this.#waiting++;
      signal.addEventListener("abort", leave);
      if (signal.aborted) leave();
    });
  }

  #begin(line: Line): void {
    this.#calls++;
    line.calls++;
  }

  #end(name: string, line: Line): void {
    this.#calls--;
    line.calls--;
    this.#forget(name, line);
    for (const [next, candidate] of this.#lines) {
      if (this.#calls >= this.#deps.most) return;
      if (candidate.calls >= candidate.most) continue;
      const turn = candidate.waiting.shift();
      if (turn === undefined) continue;
      // To the end, so that the others are served before it is again.
      this.#lines.delete(next);
      this.#lines.set(next, candidate);
      this.#begin(candidate);
      turn();
      return;
    }
  }

  #forget(name: string, line: Line): void {
    if (line.calls === 0 && line.waiting.length === 0) this.#lines.delete(name);
  }
}

function refusal(isOwn: boolean, why: string): DispatchError {
  return isOwn
    ? new DispatchError(
        "resource_exhausted",
        `${why}, as many as one caller may have (MUSTER_LIVEKIT_CALLS); repeat the call`,
      )
    : new DispatchError("unavailable", "livekit-server is busy with other calls; repeat the call");
}
