/**
 * Sees to it that the agent of a job which was stopped leaves its room. Asked by the stop's timer: whoever is still there
 * is put out, and once one that was seen there is gone, the worker's place is free. Keeps no fact: the timer asks again,
 * with whoever hosts the namespace then, for as long as the worker has time to stop. Never waited for by other timers.
 */

import type { Ledger } from "@muster/ledger/ledger";
import { type FormerAgent, removeAgent } from "@muster/livekit/remove-agent";
import type { RoomService } from "@muster/livekit/room-service";
import type { Log } from "@muster/runtime/log";
import type { Assign } from "./assign.js";
import type { DispatcherMetrics } from "./metrics.js";

export type RoomAttendant = Pick<RoomService, "getParticipant" | "removeParticipant">;

export interface StoppedAgentsDeps {
  namespace: string;
  ledger: Pick<Ledger, "confirmStop">;
  /** undefined: nobody can be asked, and the stop's time runs out. */
  roomService: RoomAttendant | undefined;
  assign: Pick<Assign, "serve">;
  metrics: Pick<DispatcherMetrics, "agentRemoved">;
  log: Log;
}

/** Above this the timer's next look has its turn: an order with a thousand jobs may have been deleted. */
const MOST_AT_ONCE = 64;
const CALL_MS = 3_000;

export class StoppedAgents {
  readonly #deps: StoppedAgentsDeps;
  /** By the stop's name. */
  readonly #looking = new Map<string, Promise<void>>();

  constructor(deps: StoppedAgentsDeps) {
    this.#deps = deps;
  }

  /** Soon, and not waited for. `stop`: as in the timer's name. */
  look(stop: string, agent: FormerAgent): void {
    const { roomService } = this.#deps;
    if (roomService === undefined || this.#looking.has(stop) || this.#looking.size >= MOST_AT_ONCE) return;
    const looking = this.#look(roomService, stop, agent).finally(() => this.#looking.delete(stop));
    this.#looking.set(stop, looking);
  }

  idle(): boolean {
    return this.#looking.size === 0;
  }

  /** Those under way end within their bounds. */
  async stop(): Promise<void> {
    await Promise.all(this.#looking.values());
  }

  async #look(roomService: RoomAttendant, stop: string, agent: FormerAgent): Promise<void> {
    const { namespace, ledger, assign, metrics, log } = this.#deps;
    const { job } = agent;
    try {
      const removal = await removeAgent(roomService, agent, CALL_MS);
      if (removal === "removed") {
        metrics.agentRemoved("stopped");
        log.info({ namespace, job }, "agent of a stopped job was still in its room; it is put out");
      }
      if (removal === "kept") return;
      const reply = await ledger.confirmStop({ namespace, field: stop, wasThere: removal === "removed" });
      if (reply.status === "released" && reply.serve !== "") await assign.serve(reply.serve);
    } catch (error) {
      log.warn(
        { namespace, job, err: error },
        "it could not be seen to that the agent of a stopped job leaves its room; the stop's timer tries again",
      );
    }
  }
}
