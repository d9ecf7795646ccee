/**
 * Owns what people may expect, judged from the rooms themselves and from nothing that Muster says: no agent for nobody, none
 * left alone, nobody left waiting, no two for one order. What a fault explains is not held against Muster.
 */
import { jobOfWireId } from "@muster/domain/ids";
import type { LivekitStandIn } from "../../kit/livekit-stand-in.js";
import type { RunningJob } from "../../kit/simulated-worker.js";
import type { Conditions } from "../conditions.js";
import type { JobFate } from "../invariants.js";
import {
  GRACE_MS,
  HOLD_MS,
  LEASE_MS,
  OFFER_TIMEOUT_MS,
  OVERLAP_BOUND_MS,
  START_DEADLINE_MS,
} from "../timing.js";
import type { Agents } from "./agents.js";
import type { Callers } from "./callers.js";
import { TIMEOUTS } from "./plan.js";

export interface JudgeDeps {
  now: () => number;
  /** What a fault explains, of all who serve. */
  conditions: Pick<Conditions, "trouble">;
  names: readonly string[];
  /** Of the jobs, by id. */
  fates: ReadonlyMap<string, Pick<JobFate, "order" | "state" | "outcome" | "cause">>;
  livekit: Pick<LivekitStandIn, "rooms">;
  callers: Pick<Callers, "calls" | "agentsIn">;
  agents: Pick<Agents, "isComing" | "hasJoined">;
  /** Whether some worker could take one more, now. */
  hasPlace: () => boolean;
}

/** A webhook, a script, an offer and its answer, on a machine that all of this shares. */
export const SLACK_MS = 2_000;
const DEPARTURE_MS = TIMEOUTS.departureS * 1_000;
export const GHOST_MS = DEPARTURE_MS + OFFER_TIMEOUT_MS + SLACK_MS;
export const ALONE_MS = Math.max(TIMEOUTS.emptyS * 1_000, DEPARTURE_MS) + SLACK_MS;
/** One attempt that never joins, and the next. */
export const SERVED_MS = START_DEADLINE_MS + OFFER_TIMEOUT_MS + 2 * SLACK_MS;
/** What a fault can leave behind before all is as it was. */
export const AFTERMATH_MS = LEASE_MS + HOLD_MS + GRACE_MS + SLACK_MS;
const POLL_MS = 100;

export class Judge {
  readonly violations: string[] = [];
  readonly #deps: JudgeDeps;
  /** What was seen, by what it is said of: since when. */
  readonly #since = new Map<string, number>();
  readonly #said = new Set<string>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(deps: JudgeDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#ticker = setInterval(() => this.look(), POLL_MS);
  }

  stop(): void {
    clearInterval(this.#ticker);
  }

  /** An agent was sent. */
  started({ room, wire }: RunningJob): void {
    const call = this.#deps.callers.calls.get(room);
    const nowMs = this.#deps.now();
    if (call?.goneToldAtMs === undefined || call.presentSinceMs !== undefined) return;
    // From when LiveKit said so: on a busy machine its webhook comes late, and nobody at Muster can know before.
    const goneMs = nowMs - call.goneToldAtMs;
    if (goneMs > GHOST_MS && this.#isCalm(call.goneToldAtMs, nowMs))
      this.#found(
        wire,
        `${wire} was sent to ${room}, whose caller had gone, as LiveKit told ${Math.round(goneMs)} ms before`,
      );
  }

  look(): void {
    const { callers, livekit } = this.#deps;
    const nowMs = this.#deps.now();
    const placeMs = this.#lasts("place", this.#deps.hasPlace(), nowMs);
    for (const call of callers.calls.values()) {
      const { room, presentSinceMs } = call;
      const there = callers.agentsIn(room);
      if (presentSinceMs === undefined && !livekit.rooms.hasLive(room)) {
        for (const fact of ["pair", "alone", "unserved"]) this.#since.delete(`${fact} ${room}`);
        continue;
      }
      const pairedMs = this.#lasts(`pair ${room}`, there.length > 1, nowMs);
      if (pairedMs > OVERLAP_BOUND_MS + SLACK_MS && this.#isCalm(nowMs - pairedMs, nowMs)) {
        const jobs = there.map((identity) => jobOfWireId(identity.replace(/^agent-/, "")));
        this.#found(
          `pair ${room}`,
          `${room} has had two agents for ${Math.round(pairedMs)} ms: ${jobs.join(", ")}`,
        );
      }
      const aloneMs = this.#lasts(`alone ${room}`, presentSinceMs === undefined && there.length > 0, nowMs);
      if (aloneMs > ALONE_MS)
        this.#found(
          `alone ${room}`,
          `${there.join(", ")} has been alone in ${room} for ${Math.round(aloneMs)} ms`,
        );
      const isUnserved = presentSinceMs !== undefined && there.length === 0 && call.order !== undefined;
      const waitedMs = Math.min(this.#lasts(`unserved ${room}`, isUnserved, nowMs), placeMs);
      if (waitedMs > SERVED_MS) this.#judgeWait(room, waitedMs, nowMs);
    }
  }

  #judgeWait(room: string, waitedMs: number, nowMs: number): void {
    const { callers, agents, fates: all } = this.#deps;
    if (agents.isComing(room) || !this.#isCalm(nowMs - waitedMs, nowMs)) return;
    const order = callers.calls.get(room)?.order;
    const fates = [...all].filter(([, fate]) => fate.order === order);
    // Failed as often as it may, or an agent was there, if only for a moment, and its worker says that it has done its work.
    const isGivenUp = fates.some(
      ([job, { outcome }]) => outcome === "failed" || (outcome === "success" && agents.hasJoined(job)),
    );
    const said = fates
      .map(([, { state, outcome, cause }]) => `${state} ${outcome} ${cause}`.trim())
      .join(", ");
    if (!isGivenUp)
      this.#found(
        `wait ${room}`,
        `the caller in ${room} has no agent after ${Math.round(waitedMs)} ms, and a worker has room (${said})`,
      );
  }

  /** For how long this has been so without a break; 0 when it is not. */
  #lasts(fact: string, is: boolean, nowMs: number): number {
    if (!is) this.#since.delete(fact);
    else if (!this.#since.has(fact)) this.#since.set(fact, nowMs);
    return nowMs - (this.#since.get(fact) ?? nowMs);
  }

  #isCalm(fromMs: number, toMs: number): boolean {
    const { names, conditions } = this.#deps;
    return names.every((name) => conditions.trouble(name, fromMs - AFTERMATH_MS, toMs) === undefined);
  }

  #found(about: string, problem: string): void {
    if (this.#said.has(about)) return;
    this.#said.add(about);
    this.violations.push(problem);
  }
}
