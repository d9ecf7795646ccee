/**
 * Takes over livekit-server's own dispatches: of agents that were named in a token, in CreateRoom, by a SIP rule or a
 * preset, and the automatic one without a name. No webhook tells of them, but its ListDispatch does. Each is taken once
 * in each life of its room, under its id, unless livekit-server gave it to a worker of its own. Where livekit-server is known
 * to have such, a dispatch is looked at again after the time in which they claim it, and taken then; else at once.
 *
 * LiveKit makes one without a name for each room that names no agent, also where nobody runs such an agent. It is taken
 * where somebody does (unnamed-agent.ts); comes a worker without a name later, in the rooms that have callers.
 *
 * 1. The id that stands for it in this life is settled. 2. The order is made. 3. It is marked as made. Died between
 * them: the next look goes on, and makes nothing twice, since the order's id is the one that stands.
 */

import { createHash } from "node:crypto";
import { DispatchError } from "@muster/domain/errors";
import { idFrom } from "@muster/domain/ids";
import type { Ledger } from "@muster/ledger/ledger";
import type { OwnWorkers } from "@muster/livekit/own-workers";
import type { RoomService } from "@muster/livekit/room-service";
import { isDeleted, isServed } from "@muster/livekit/served-by-livekit";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { AgentDispatch, CreateAgentDispatchRequest } from "@muster/wire/generated/livekit";
import type { AcceptOrder } from "../../accept-order.js";
import type { ApiMetrics } from "../../metrics.js";
import { checkDispatchId, orderOf } from "../../order-request.js";
import type { UnnamedAgent } from "../agents/unnamed-agent.js";
import { LivesSeen } from "../people/lives-seen.js";
import { ClaimWindow } from "./claim-window.js";

export interface AdoptDispatchesDeps {
  ledger: Pick<Ledger, "adoptDispatch" | "listLives">;
  /** undefined: LiveKit cannot be asked; unnamed agents then go to every new room, as LiveKit itself has it. */
  roomService: Pick<RoomService, "listDispatches" | "listParticipants"> | undefined;
  ownWorkers: Pick<OwnWorkers, "note" | "list" | "forget">;
  unnamed: Pick<UnnamedAgent, "isRun">;
  acceptOrder: Pick<AcceptOrder, "accept">;
  metrics: Pick<ApiMetrics, "orderAccepted" | "orderMerged">;
  /** Whose orders they become: LiveKit knows of no projects. */
  project: string;
  clock: Clock;
  log: Log;
}

/** Longer than any room is reckoned to live without a look at it. */
const KEEP_MS = 7 * 24 * 3_600_000;
/** Rooms that are looked at a second time; the rounds look at the others. */
const MOST_AGAIN = 10_000;

export class AdoptDispatches {
  readonly #deps: AdoptDispatchesDeps;
  readonly #lookedAt = new LivesSeen();
  readonly #claims: ClaimWindow;
  /** By sid: the look that is to come. */
  readonly #again = new Map<string, () => void>();
  #isStopped = false;
  /** Those among them whose unnamed dispatch nobody could take. Only spares questions. */
  readonly #late = new LivesSeen();

  constructor(deps: AdoptDispatchesDeps) {
    this.#deps = deps;
    this.#claims = new ClaimWindow(deps);
  }

  /** Rejects when LiveKit or Redis cannot be asked; to be repeated then. A dispatch out of bounds is logged and left. */
  async look(room: string, sid: string): Promise<void> {
    const listed = await this.#listed(room, sid);
    const open = listed.filter((dispatch) => !isServed(dispatch) && !isDeleted(dispatch));
    const { left, againMs } = await this.#claims.look(room, listed, open);
    if (againMs !== undefined) this.#lookAgain(room, sid, againMs);
    for (const [likeness, dispatch] of likenesses(open)) {
      if (!left.has(dispatch.id)) await this.#adopt(room, sid, likeness, dispatch);
    }
    this.#lookedAt.add(sid);
  }

  /** Looks that were to come are left to the next round of whoever lives then. */
  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#again.values()) cancel();
    this.#again.clear();
  }

  /**
   * For each word that is heard of a room: asks at the first, and while somebody can take by now what nobody could; leaves the
   * rest to the rounds. Never rejects.
   */
  async lookOnce(room: string, sid: string): Promise<void> {
    if (this.#lookedAt.has(sid) && !(await this.#mayBeTakenNow(sid))) return;
    await this.look(room, sid).catch((error: unknown) => {
      this.#deps.log.warn(
        { error: String(error) },
        "LiveKit's own dispatches were not looked at; the next round does",
      );
    });
  }

  async #listed(room: string, sid: string): Promise<AgentDispatch[]> {
    const { roomService } = this.#deps;
    if (roomService !== undefined) return roomService.listDispatches(room);
    const id = idFrom("order", createHash("sha256").update(`unnamed\0${sid}`).digest());
    return [AgentDispatch.create({ id, room })];
  }

  #lookAgain(room: string, sid: string, afterMs: number): void {
    if (this.#isStopped || this.#again.has(sid) || this.#again.size >= MOST_AGAIN) return;
    const cancel = this.#deps.clock.setTimer(afterMs, () => {
      this.#again.delete(sid);
      this.look(room, sid).catch((error: unknown) => {
        this.#deps.log.warn(
          { error: String(error) },
          "LiveKit's own dispatches were not looked at again; the next round does",
        );
      });
    });
    this.#again.set(sid, cancel);
  }

  async #adopt(room: string, sid: string, likeness: string, dispatch: AgentDispatch): Promise<void> {
    const { ledger, unnamed, acceptOrder, project, metrics, log } = this.#deps;
    const args = { room, sid, likeness, id: dispatch.id, keepMs: KEEP_MS };
    const isLate = dispatch.agentName === "" && !(await unnamed.isRun(dispatch.deployment));
    const { id, done, late } = await ledger.adoptDispatch({ ...args, isDone: false, isLate });
    if (done === 1) return;
    if (isLate || (late === 1 && !(await this.#hasCallers(room, sid)))) return this.#late.add(sid);
    this.#late.delete(sid);
    const { agentName, metadata, attributes, deployment, restartPolicy } = dispatch;
    const request = CreateAgentDispatchRequest.create({
      ...{ room, agentName, metadata, attributes, deployment, restartPolicy },
    });
    try {
      checkDispatchId(id);
      const order = orderOf(project, request, undefined);
      // The next life has dispatches of its own: one that outlived this one would double the agent there.
      const repeat = { by: "id", value: id } as const;
      const { status } = await acceptOrder.accept({ ...order, roomSid: sid, repeat });
      if (status === "created") metrics.orderAccepted("livekit");
      if (status === "merged") metrics.orderMerged("livekit");
    } catch (error) {
      if (!(error instanceof DispatchError) || error.code === "unavailable") throw error;
      log.warn(
        { order: id, error: String(error) },
        "a dispatch of livekit-server is out of bounds; left to it",
      );
    }
    await ledger.adoptDispatch({ ...args, isDone: true, isLate: false });
  }

  async #mayBeTakenNow(sid: string): Promise<boolean> {
    // Whether LiveKit and Redis answer is seen by the look that follows.
    return this.#late.has(sid) && (await this.#deps.unnamed.isRun("").catch(() => true));
  }

  async #hasCallers(room: string, sid: string): Promise<boolean> {
    const { lives } = await this.#deps.ledger.listLives({ room });
    return Object.values(lives).some((life) => life.sid === sid && life.callers > 0);
  }
}

/** Each with what it is told by in this life: what it asks for, and which of several of the same it is. */
function* likenesses(dispatches: readonly AgentDispatch[]): Generator<[string, AgentDispatch]> {
  const seen = new Map<string, number>();
  const byAge = [...dispatches].sort((a, b) => Number(createdAt(a) - createdAt(b)) || (a.id < b.id ? -1 : 1));
  for (const dispatch of byAge) {
    const { agentName, metadata, attributes, deployment } = dispatch;
    const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    const content = JSON.stringify([agentName, deployment, metadata, pairs]);
    const digest = createHash("sha256").update(content).digest("base64url");
    const number = seen.get(digest) ?? 0;
    seen.set(digest, number + 1);
    yield [`${digest}#${number}`, dispatch];
  }
}

function createdAt({ state }: AgentDispatch): bigint {
  return state?.createdAt ?? 0n;
}
