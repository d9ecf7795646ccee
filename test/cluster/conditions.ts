/**
 * Owns who could be reached when: every fault is written down here by whoever makes it, so that what is seen later can
 * be explained by it, or not. Changes nothing itself.
 */

export type ServiceKind = "gateway" | "dispatcher" | "api";
/** `parted`: its connections to Redis are cut or stalled. */
export type Condition = "up" | "dead" | "draining" | "frozen" | "parted";

interface Change {
  atMs: number;
  condition: Condition;
}

export class Conditions {
  readonly #now: () => number;
  readonly #changes = new Map<string, Change[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  set(name: string, condition: Condition): void {
    const changes = this.#changes.get(name) ?? [];
    changes.push({ atMs: this.#now(), condition });
    this.#changes.set(name, changes);
  }

  of(name: string): Condition {
    return this.#changes.get(name)?.at(-1)?.condition ?? "dead";
  }

  /** What kept it from being reached at some moment of that time, the last such; undefined: nothing did. */
  trouble(name: string, fromMs: number, toMs: number): string | undefined {
    const changes = this.#changes.get(name) ?? [];
    for (let index = changes.length - 1; index >= 0; index--) {
      const { atMs, condition } = changes[index] as Change;
      const endedAtMs = changes[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
      if (condition !== "up" && atMs <= toMs && endedAtMs >= fromMs) return `${name} ${condition}`;
    }
    return undefined;
  }

  /** Since when it has been up; Infinity when it is not. */
  upSinceMs(name: string): number {
    const last = this.#changes.get(name)?.at(-1);
    return last?.condition === "up" ? last.atMs : Number.POSITIVE_INFINITY;
  }
}
