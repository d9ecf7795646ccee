/**
 * Former holders of a job that are in its room: a token stays good after its job was given to another, and the last one to
 * join under an identity puts the other out. Tells them from the present holder by the epoch in their attributes, and has
 * them removed where LiveKit can be asked; nobody waits for that, and each look at the room begins it again.
 * Never counts somebody for one who is no agent of this very job, nor as long as no newer epoch was accepted.
 */

import type { JobRecord } from "@muster/ledger/records";
import type { RoomPerson } from "@muster/ledger/shapes";
import { removeAgent } from "@muster/livekit/remove-agent";
import type { RoomService } from "@muster/livekit/room-service";
import type { Log } from "@muster/runtime/log";
import { agentMarks } from "@muster/wire/agent-token";
import type { ApiMetrics } from "../../metrics.js";

export interface FormerAgentsDeps {
  /** undefined: they are passed over, and left where they are. */
  roomService: Pick<RoomService, "getParticipant" | "removeParticipant"> | undefined;
  metrics: Pick<ApiMetrics, "agentRemoved">;
  log: Log;
}

const CALL_MS = 3_000;
/** Above this the next look has its turn. */
const MOST_AT_ONCE = 32;
const STARTED = new Set(["starting", "running", "orphaned"]);

/** Whether this participant held the job before its present holder, by what its token says. */
export function isFormer(job: JobRecord, { identity, attributes = {} }: RoomPerson): boolean {
  if (identity !== job.agentIdentity || !STARTED.has(job.state)) return false;
  const marks = agentMarks(attributes);
  // A migration raises the epoch too, and its worker keeps the token that it has.
  return marks?.job === job.id && marks.epoch < job.acceptedEpoch;
}

export class FormerAgents {
  readonly #deps: FormerAgentsDeps;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(deps: FormerAgentsDeps) {
    this.#deps = deps;
  }

  look(job: JobRecord, people: readonly RoomPerson[]): void {
    for (const person of people) {
      const isBegun = this.#underWay.has(person.sid) || this.#underWay.size >= MOST_AT_ONCE;
      if (person.left_at === undefined && !isBegun && isFormer(job, person)) this.#begin(job, person.sid);
    }
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  #begin(job: JobRecord, sid: string): void {
    if (this.#deps.roomService === undefined) return;
    const removing = this.#remove(this.#deps.roomService, job).finally(() => this.#underWay.delete(sid));
    this.#underWay.set(sid, removing);
  }

  async #remove(roomService: NonNullable<FormerAgentsDeps["roomService"]>, job: JobRecord): Promise<void> {
    const { metrics, log } = this.#deps;
    const former = {
      ...{ room: job.room, identity: job.agentIdentity, job: job.id },
      upToEpoch: job.acceptedEpoch - 1,
    };
    try {
      if ((await removeAgent(roomService, former, CALL_MS)) !== "removed") return;
      metrics.agentRemoved("older_epoch");
      log.warn({ job: job.id, epoch: job.acceptedEpoch }, "a former holder was in the room; it is put out");
    } catch (error) {
      log.warn(
        { job: job.id, error: String(error) },
        "a former holder could not be put out of the room; the next look tries again",
      );
    }
  }
}
