/**
 * Pings every agent socket once per interval and cuts those that stay silent. The sockets are dealt into slices that take
 * turns, so that twenty thousand pings are not written in one go. Measures real time and only its own sockets; must never
 * blame a peer for a pause of this process: after one, silence is counted anew.
 */
import type { AgentLink } from "./agent-link.js";

const SLICES = 16;

export interface KeepAliveDeps {
  pingIntervalMs: number;
  silenceMs: number;
  nowMs: () => number;
}

export class KeepAlive {
  readonly #deps: KeepAliveDeps;
  readonly #slices: Set<AgentLink>[] = Array.from({ length: SLICES }, () => new Set());
  #nextSlice = 0;
  #dealt = 0;
  #lastTickMs: number;
  #countFromMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: KeepAliveDeps) {
    this.#deps = deps;
    this.#lastTickMs = deps.nowMs();
  }

  start(): void {
    this.#lastTickMs = this.#deps.nowMs();
    this.#timer = setInterval(() => this.tick(), Math.max(1, this.#deps.pingIntervalMs / SLICES));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  add(link: AgentLink): void {
    this.#slices[this.#dealt++ % SLICES]?.add(link);
  }

  remove(link: AgentLink): void {
    for (const slice of this.#slices) if (slice.delete(link)) return;
  }

  /** One slice's turn. Public for its test; the timer calls it. */
  tick(): void {
    const nowMs = this.#deps.nowMs();
    // A stopped or starved process finds its timers due before it has read the pongs that wait in the kernel.
    if (nowMs - this.#lastTickMs > this.#deps.pingIntervalMs) this.#countFromMs = nowMs;
    this.#lastTickMs = nowMs;
    const slice = this.#slices[this.#nextSlice++ % SLICES] ?? [];
    for (const link of slice) this.#check(link, nowMs);
  }

  #check(link: AgentLink, nowMs: number): void {
    const silentMs = nowMs - Math.max(link.heardAtMs, this.#countFromMs);
    if (silentMs > this.#deps.silenceMs) link.cut(`silent for ${Math.round(silentMs)} ms`);
    else link.ping();
  }
}
