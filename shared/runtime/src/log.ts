/**
 * Owns logging: the one place that knows pino. One JSON object a line on stdout, a static message and fields.
 * Levels mean: debug = a message passed, info = a state changed, warn = a degradation was handled, error = a human should look.
 * Tokens, secrets, metadata and what participants say about themselves never reach a line: they are redacted here as
 * the last line of defence, and must not be handed in to begin with.
 */
import { DispatchError } from "@muster/domain/errors";
import { type Logger, pino } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type Log = {
  debug(fields: object, msg: string): void;
  info(fields: object, msg: string): void;
  warn(fields: object, msg: string): void;
  error(fields: object, msg: string): void;
  child(fields: object): Log;
};

const SECRET_FIELDS = [
  "token",
  "jwt",
  "authorization",
  "secret",
  "apiSecret",
  "password",
  "keys",
  "metadata",
  "attributes",
];

/** What JSON leaves as it is, and readers of lines, or a terminal, take for a line's end or for a command. */
const UNSEEN = /[\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}/gu;

function escaped(text: string): string {
  let units = "";
  for (let at = 0; at < text.length; at++) units += `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return units;
}

export interface LogOptions {
  level: LogLevel;
  service: string;
  /** Where lines go; stdout when absent. */
  destination?: { write(line: string): void };
}

/** Throws DispatchError (`level`) on a level that is not one of LOG_LEVELS. */
export function createLog({ level, service, destination }: LogOptions): Log {
  if (!LOG_LEVELS.includes(level)) {
    throw new DispatchError("invalid_argument", `must be one of ${LOG_LEVELS.join(", ")}`, "level");
  }
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // Stands in texts alone, where JSON means the same by it. JSON itself escapes the rest.
    hooks: { streamWrite: (line: string) => line.replace(UNSEEN, escaped) },
    // A wildcard reaches one level down; the lists of fields that we log are flat or one deep.
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: "[redacted]" },
  };
  const root = destination === undefined ? pino(options) : pino(options, destination);
  return new BoundLog(root, { service });
}

/**
 * Writes each key of a line once: what a call says wins over what a child was made with. pino's own children write a key
 * again that a call repeats; parsers of JSON then take one of the two, or refuse the line.
 */
class BoundLog implements Log {
  readonly #root: Logger;
  readonly #bound: object;

  constructor(root: Logger, bound: object) {
    this.#root = root;
    this.#bound = bound;
  }

  debug(fields: object, msg: string): void {
    // The frequent one, mostly off.
    if (this.#root.isLevelEnabled("debug")) this.#root.debug({ ...this.#bound, ...fields }, msg);
  }

  info(fields: object, msg: string): void {
    this.#root.info({ ...this.#bound, ...fields }, msg);
  }

  warn(fields: object, msg: string): void {
    this.#root.warn({ ...this.#bound, ...fields }, msg);
  }

  error(fields: object, msg: string): void {
    this.#root.error({ ...this.#bound, ...fields }, msg);
  }

  child(fields: object): Log {
    return new BoundLog(this.#root, { ...this.#bound, ...fields });
  }
}
