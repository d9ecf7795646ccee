/**
 * Tells a job what LiveKit saw of its agent: that it joined, that it left and how. What follows from that is for the
 * scripts and the job's timer; a worker that is gone as well is settled by whoever hosts the namespace, who is told.
 */

import { REJOIN_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { JobRecord } from "@muster/ledger/records";
import type { RoomPerson } from "@muster/ledger/shapes";
import type { Hints } from "../../hints.js";
import { agentLeave } from "./agent-leave.js";
import { isFormer } from "./former-agents.js";

export interface AgentsInRoomDeps {
  ledger: Pick<Ledger, "noteAgent">;
  hints: Hints;
}

export class AgentsInRoom {
  readonly #deps: AgentsInRoomDeps;

  constructor(deps: AgentsInRoomDeps) {
    this.#deps = deps;
  }

  /** Its agent, wherever it was seen: the latest of those that bear its identity is the present one. Others may bear it too. */
  async note(namespace: string, job: JobRecord, people: readonly RoomPerson[]): Promise<void> {
    if (job.agentIdentity === "" || job.state === "ended") return;
    // What a former holder does is no news of the present one.
    const isAgent = ({ identity, kind }: RoomPerson) => kind === "agent" && identity === job.agentIdentity;
    const seen = people.filter((person) => isAgent(person) && !isFormer(job, person));
    // One whose connection was aborted never joined.
    const joined = seen.filter(
      ({ left_at: leftAt, joined_at: joinedAt, publishes }) =>
        leftAt === undefined || joinedAt !== undefined || publishes === 1,
    );
    for (const person of joined.sort((a, b) => (a.joined_at ?? 0) - (b.joined_at ?? 0))) {
      await this.#tell(namespace, job, person, false);
      if (person.left_at !== undefined) await this.#tell(namespace, job, person, true);
    }
  }

  async #tell(namespace: string, job: JobRecord, person: RoomPerson, hasLeft: boolean): Promise<void> {
    const { ledger, hints } = this.#deps;
    const how = hasLeft ? agentLeave(person.left_reason ?? "") : "clean";
    if (how === "not_gone") return;
    const reply = await ledger.noteAgent({
      ...{
        namespace,
        job: job.id,
        identity: person.identity,
        sid: person.sid,
        joinedAt: person.joined_at ?? 0,
      },
      ...{ hasLeft, how, rejoinMs: REJOIN_MS },
    });
    // Its worker is gone too: whoever hosts the namespace has the evidence now.
    if (reply.status === "left" && job.state === "orphaned")
      hints.wake(namespace, { kind: "orphan", job: job.id });
  }
}
