/**
 * Owns what is done about things of a kind that this version does not know, which a newer one may have left: they are
 * counted, and each kind is logged once. Never an error, and never in the way of what is known.
 */
import type { Log } from "@muster/runtime/log";

/** Kinds come from outside this version; beyond so many they are logged as one. */
const MOST_KINDS = 32;
const OTHER = "other";

export class OddOnes {
  count = 0;
  readonly #log: Log;
  readonly #known = new Set<string>();

  constructor({ log }: { log: Log }) {
    this.#log = log;
  }

  note(what: "message" | "timer", kind: string): void {
    this.count += 1;
    const shown = this.#known.size < MOST_KINDS || this.#known.has(`${what} ${kind}`) ? kind : OTHER;
    if (this.#known.has(`${what} ${shown}`)) return;
    this.#known.add(`${what} ${shown}`);
    this.#log.warn(
      { what, kind: shown },
      "passed over what this version does not know; a newer one may have left it",
    );
  }
}
