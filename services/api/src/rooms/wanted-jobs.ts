/**
 * Which jobs an order wants for those who are in its room. Pure. Ids are derived from order, namespace, type and the
 * participant's sid: looked at again, by whomever and from whatever event, the same participant wants the same job; who
 * comes back has another sid and wants another.
 *
 * An order on participants says by its target whom it is for. One for the room wants, as in LiveKit, a job for each
 * publisher and each participant too, where the agent has workers that register for those.
 */

import { type JobType, poolName } from "@muster/domain/pool";
import { knownTarget, matches, type Target } from "@muster/domain/target";
import type { OrderRecord } from "@muster/ledger/records";
import type { NewJob } from "@muster/ledger/shapes";
import { participantJobId } from "../order-ids.js";
import { publisherInfo } from "./people/publisher-info.js";
import type { KnownPerson } from "./room-look.js";

/** Types of participant jobs that the agent was ever seen to serve in the namespace. */
export type ServedTypes = readonly Exclude<JobType, "room">[];

const TARGET_OF = { publisher: "publishers", participant: "participants" } as const;
const TYPE_OF = { publishers: "publisher", participants: "participant" } as const;

export function wantedJobs(
  namespace: string,
  order: OrderRecord,
  people: readonly KnownPerson[],
  served: ServedTypes,
  maxAttempts: number,
): NewJob[] {
  const target = knownTarget(order.target);
  // Of a later version: its apis see to the order.
  if (target === undefined) return [];
  const wanted: [Exclude<JobType, "room">, Target][] =
    target.for === "room"
      ? served.map((type) => [type, { for: TARGET_OF[type] }])
      : [[TYPE_OF[target.for], target]];
  return wanted.flatMap(([type, whom]) =>
    people.filter((person) => matches(whom, matchableOf(person))).map((person) => jobFor(person, type)),
  );

  function jobFor(person: KnownPerson, type: JobType): NewJob {
    const { agent: agentName, deployment } = order;
    return {
      id: participantJobId(order.id, namespace, type, person.sid),
      type,
      pool: poolName({ agentName, type, deployment }),
      room_sid: "",
      participant_info: type === "publisher" ? publisherInfo(person) : (person.info ?? ""),
      participant_info_at: Math.max(person.said_at, person.published?.saidAtMs ?? person.said_at),
      max_attempts: order.maxAttempts === 0 ? maxAttempts : order.maxAttempts,
    };
  }
}

function matchableOf({ identity, kind, attributes = {}, publishes }: KnownPerson) {
  return { identity, kind, attributes, publishes: publishes === 1 };
}
