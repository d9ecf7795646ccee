/**
 * Owns the part of the ledger's model that is about drains: which there are, and whom each session follows.
 */
import type { ModelState } from "./ledger-model-state.js";

/** How long a drain of one worker outlives a session that may come back. */
const OUTLIVES_MS = 60_000;

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
    if (!this.#state.drains.delete(id)) return "unknown";
    this.#state.drainsRevision++;
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

function ofWorker({ drains }: ModelState, id: string): string | undefined {
  return [...drains].find(([, { kind, value }]) => kind === "worker" && value === id)?.[0];
}

/** Its session may come back under its id. */
export function outlive(state: ModelState, id: string): void {
  if (ofWorker(state, id) !== undefined) state.timers.set(id, state.nowMs + OUTLIVES_MS);
}

/** Its session does not come back. */
export function endDrainOfWorker(state: ModelState, id: string): void {
  const drain = ofWorker(state, id);
  if (drain !== undefined) state.drains.delete(drain);
}
