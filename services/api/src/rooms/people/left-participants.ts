/**
 * Takes back the jobs that wait for participants who have left: nobody is there to be served. One that runs is its
 * agent's business, which sees for itself who is in the room.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { JobRecord } from "@muster/ledger/records";
import type { RoomPerson } from "@muster/ledger/shapes";
import type { Hints } from "../../hints.js";
import type { ApiMetrics } from "../../metrics.js";
import { participantJobId } from "../../order-ids.js";
import type { OrderPolicy } from "../../policy.js";
import { type WakeHeldDeps, wakeHeld } from "../../wake-held.js";

export interface LeftParticipantsDeps extends WakeHeldDeps {
  ledger: Pick<Ledger, "terminateJob" | "findPerson" | "wakeNamespace">;
  hints: Hints;
  metrics: Pick<ApiMetrics, "jobsEnded">;
  policy: Pick<OrderPolicy, "stopMs">;
}

const WAITING = new Set(["queued", "parked", "offered"]);

export class LeftParticipants {
  readonly #deps: LeftParticipantsDeps;

  constructor(deps: LeftParticipantsDeps) {
    this.#deps = deps;
  }

  /** Those of these who have left since they were read. */
  async whoLeft(room: string, people: readonly RoomPerson[]): Promise<RoomPerson[]> {
    const { ledger } = this.#deps;
    const found = await Promise.all(people.map(({ sid }) => ledger.findPerson({ room, sid })));
    return people.flatMap((person, at) => {
      const reply = found[at];
      return reply?.status === "left" ? [{ ...person, left_at: 0, left_reason: reply.reason }] : [];
    });
  }

  async settle(namespace: string, order: string, jobs: readonly JobRecord[], people: readonly RoomPerson[]) {
    const waiting = jobs.filter((job) => WAITING.has(job.state));
    if (waiting.length === 0) return;
    const left = people.filter((person) => person.left_at !== undefined);
    const gone = new Set(
      left.flatMap(({ sid }) =>
        (["publisher", "participant"] as const).map((type) => participantJobId(order, namespace, type, sid)),
      ),
    );
    const theirs = waiting.filter(({ id }) => gone.has(id));
    await wakeHeld(this.#deps, namespace, theirs);
    for (const { id } of theirs) await this.#end(namespace, id);
  }

  async #end(namespace: string, job: string): Promise<void> {
    const { ledger, hints, metrics, policy } = this.#deps;
    const reply = await ledger.terminateJob({
      ...{ namespace, job, cause: "participant_left", reason: "the participant left the room" },
      // Nobody has it yet.
      ...{ stopMs: policy.stopMs, removeMs: 0 },
    });
    if (reply.status !== "terminated") return;
    metrics.jobsEnded("canceled");
    if (reply.stop !== null) hints.stop(namespace, reply.stop);
    if (reply.serve !== "") hints.wake(namespace, { kind: "serve", pool: reply.serve });
  }
}
