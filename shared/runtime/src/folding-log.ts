/**
 * Folds lines that others cause: whoever connects a thousand times a second must not fill a disk. Of each message and each name
 * (a peer, a session) some lines a minute are written, the first always; how many more there were is told in one line when the
 * minute is over. Bounded in memory: of too many names the one longest unheard of goes. Lines at debug are not folded.
 */

import type { Clock } from "./clock.js";
import type { Log } from "./log.js";

const EVERY_MS = 60_000;
const MOST_KNOWN = 4_096;

/** Who is behind a line, and how many lines of one message a minute are theirs. */
export interface FoldLimit {
  name: string;
  most: number;
}

export type FoldLimits = (fields: Readonly<Record<string, unknown>>) => readonly FoldLimit[];

type Level = "info" | "warn" | "error";

interface Told {
  sinceMs: number;
  written: number;
  /** Not written in this minute. */
  more: number;
  /** Where is told of them, and what all of them have in common: one of them does not stand for the others. */
  log: Log;
  common: Record<string, unknown> | undefined;
  level: Level;
  msg: string;
}

export interface FoldingLogDeps {
  clock: Pick<Clock, "now" | "setTimer">;
  /** Where is told of those whose names were forgotten. */
  log: Log;
  everyMs?: number;
  mostKnown?: number;
}

export class FoldingLog {
  readonly #clock: Pick<Clock, "now" | "setTimer">;
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #mostKnown: number;
  /** By message and name, the one longest unheard of first. */
  readonly #told = new Map<string, Told>();
  #forgotten = 0;
  /** While some line was not written, and only then. */
  #cancelTell: (() => void) | undefined;

  constructor({ clock, log, everyMs = EVERY_MS, mostKnown = MOST_KNOWN }: FoldingLogDeps) {
    this.#clock = clock;
    this.#log = log;
    this.#everyMs = everyMs;
    this.#mostKnown = mostKnown;
  }

  /** Writes to `log`, and no more than `limits` says of each line. */
  of(log: Log, limits: FoldLimits): Log {
    return new FoldedLog(this, log, log, limits, {});
  }

  /** `root`, with the fields `bound`, is `log`. */
  write(
    { log, root, bound }: { log: Log; root: Log; bound: Readonly<Record<string, unknown>> },
    level: Level,
    fields: object,
    msg: string,
    limits: readonly FoldLimit[],
  ): void {
    const nowMs = this.#clock.now();
    const told = limits.map(({ name, most }) => ({
      most,
      told: this.#toldOf(`${msg}\n${name}`, nowMs, root, level, msg),
    }));
    const full = told.find(({ most, told: { written } }) => written >= most);
    if (full === undefined) {
      for (const one of told) one.told.written += 1;
      log[level](fields, msg);
      return;
    }
    full.told.more += 1;
    full.told.common = shared(full.told.common, bound);
    this.#cancelTell ??= this.#clock.setTimer(this.#everyMs, () => this.#tellAll());
  }

  /** What was not told yet is told now. */
  stop(): void {
    this.#cancelTell?.();
    this.#tellAll();
  }

  #toldOf(key: string, nowMs: number, log: Log, level: Level, msg: string): Told {
    let told = this.#told.get(key);
    // Anew, so that the order is that of their last lines.
    this.#told.delete(key);
    if (told === undefined)
      told = { sinceMs: nowMs, written: 0, more: 0, log, common: undefined, level, msg };
    else if (nowMs - told.sinceMs >= this.#everyMs) {
      this.#tell(told);
      told.sinceMs = nowMs;
      told.written = 0;
    }
    told.log = log;
    told.level = level;
    this.#told.set(key, told);
    if (this.#told.size > this.#mostKnown) this.#forgetOldest();
    return told;
  }

  #forgetOldest(): void {
    for (const [oldest, { more }] of this.#told) {
      this.#forgotten += more;
      this.#told.delete(oldest);
      return;
    }
  }

  #tellAll(): void {
    this.#cancelTell = undefined;
    const nowMs = this.#clock.now();
    for (const [key, told] of this.#told) {
      this.#tell(told);
      if (nowMs - told.sinceMs >= this.#everyMs) this.#told.delete(key);
    }
    const times = this.#forgotten;
    this.#forgotten = 0;
    if (times > 0) this.#log.info({ times }, "lines of many peers were not written in the last minute");
  }

  #tell(told: Told): void {
    const { more: times, log, common, level, msg } = told;
    told.more = 0;
    told.common = undefined;
    if (times > 0) log[level]({ ...common, line: msg, times }, "happened more times in the last minute");
  }
}

function shared(
  before: Record<string, unknown> | undefined,
  fields: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const all = Object.entries(before ?? fields);
  return Object.fromEntries(all.filter(([name, value]) => fields[name] === value));
}

class FoldedLog implements Log {
  readonly #folding: FoldingLog;
  readonly #log: Log;
  readonly #root: Log;
  readonly #limits: FoldLimits;
  readonly #bound: Record<string, unknown>;

  constructor(folding: FoldingLog, log: Log, root: Log, limits: FoldLimits, bound: Record<string, unknown>) {
    this.#folding = folding;
    this.#log = log;
    this.#root = root;
    this.#limits = limits;
    this.#bound = bound;
  }

  debug(fields: object, msg: string): void {
    this.#log.debug(fields, msg);
  }

  info(fields: object, msg: string): void {
    this.#write("info", fields, msg);
  }

  warn(fields: object, msg: string): void {
    this.#write("warn", fields, msg);
  }

  error(fields: object, msg: string): void {
    this.#write("error", fields, msg);
  }

  child(fields: object): Log {
    const bound = { ...this.#bound, ...fields };
    return new FoldedLog(this.#folding, this.#log.child(fields), this.#root, this.#limits, bound);
  }

  #write(level: Level, fields: object, msg: string): void {
    const where = { log: this.#log, root: this.#root, bound: this.#bound };
    this.#folding.write(where, level, fields, msg, this.#limits({ ...this.#bound, ...fields }));
  }
}
