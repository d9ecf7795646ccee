/**
 * Owns the part of the ledger's model that is about drains: which there are, and whom each session follows.
 */
import type { ModelState } from "./ledger-model-state.js";

export class DrainsModel {
  readonly #state: ModelState;

  constructor(state: ModelState) {
    this.#state = state;
  }

  drain(id: string, kind: "worker" | "gateway", value: string): string {
    const { drains, sessions } = this.#state;
    if (drains.has(id)) return "stored";
    if (kind === "worker" && !sessions.has(value)) return "unknown";
    drains.set(id, { kind, value });
    this.#state.drainsRevision++;
    return "stored";
  }

  undrain(id: string): string {
    const { drains, sessions, timers } = this.#state;
    const drain = drains.get(id);
    if (drain === undefined) return "unknown";
    drains.delete(id);
    this.#state.drainsRevision++;
    if (drain.kind === "worker" && !sessions.has(drain.value)) timers.delete(drain.value);
    return "deleted";
  }

  /** Everybody is in line. */
  apply(): void {
    for (const id of this.#state.sessions.keys()) {
      if (follow(this.#state, id)) this.#state.place(id);
    }
  }
}

/** True when that changed whether it is held. */
export function follow(state: ModelState, id: string): boolean {
  const session = state.sessions.get(id);
  if (session === undefined || session.followed === state.drainsRevision) return false;
  const was = session.isDrained;
  session.followed = state.drainsRevision;
  session.isDrained = [...state.drains.values()].some(
    ({ kind, value }) => value === (kind === "worker" ? id : session.gateway),
  );
  return session.isDrained !== was;
}

/** Its session does not come back. */
export function endDrainOfWorker(state: ModelState, id: string): void {
  const drain = state.drainOfWorker(id);
  if (drain !== undefined) state.drains.delete(drain);
}
