/**
 * Takes a work order in: three steps, each of which can be repeated by anybody. Owns their order and nothing of what
 * they write. An order that was answered is kept; one that was not is repeated by its caller, with the same ids.
 *
 * Beside step 1 LiveKit is asked what the room is, so that the job is made with what its agent is to be told of it; for 100
 * ms at most, and not at all while it does not answer (rooms/known-rooms.ts).
 *
 * 1. Placement. The namespaces that know the agent, or the default one. Unless it is the default one alone, where
 *    everybody looks, the choice is entered in the project's directory. Died after it: the directory names places where
 *    nothing is; whoever looks there finds nothing, and the repeat takes the same choice from it.
 * 2. Creation, in each namespace: one script writes the order, its job and the job's guard timer. A namespace at rest is
 *    first listed in the due index. Died after it: the repeat is answered `exists` and goes on with step 3; without a
 *    repeat, the index finds the namespace and the timer finds the job, in seconds. Died between two namespaces: the
 *    repeat makes the others.
 * 3. The queue entry, and behind it the wake-up of the dispatcher. Died after the entry: the order is durable and in the
 *    queue, only later by one look at the index; the repeat adds an entry under the same id, which changes nothing.
 *    `outdated`: a namespace has come to know the agent since the list of step 1 was read, at most 5 s ago. Nothing was made
 *    there, and step 1 is done again with a list read anew; what was made elsewhere is answered `exists` then. Died in between: as
 *    after step 1; a repeat makes it where it was to go at first.
 * At the same time the room is put on the list of wanted ones, where Muster creates rooms (rooms/missing-rooms.ts). When
 * LiveKit has just said that it is not there, the entry waits for the room, for 100 ms at most: its agent is to know it.
 *
 * An order that stays open for participants has no job yet in step 2, and none in step 3: its jobs are made by looking
 * at the room, at once and then whenever something is heard of it. Died before that look: the next one makes them. So is
 * the room of any order whose agent has workers for publishers or participants (rooms/order-room.ts).
 *
 * An order of an agent that is one per room may be merged in step 2 into the live one which the room has: nothing more is to be
 * done for it, and the script remembers it for a repeat. Namespace by namespace: with a part made in one, the order is made.
 *
 * An agent that nobody has registered is no error: the order waits in the default namespace.
 */

import type { CreateOrderArgs } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { NewJob } from "@muster/ledger/shapes";
import type { Enqueue } from "./enqueue.js";
import type { KnownListeners } from "./known-listeners.js";
import { firstJobs, orderFacts, waitMsOf } from "./order-facts.js";
import { formerOrderIdOf, orderIdOf } from "./order-ids.js";
import type { NewOrder } from "./order-request.js";
import type { Choice, Placement } from "./placement.js";
import type { OrderPolicy } from "./policy.js";
import type { KnownRoom } from "./rooms/making/known-rooms.js";
import type { OrderRoom } from "./rooms/making/order-room.js";
import { refuseAnother, refuseOther } from "./same-order.js";
import { type UntilIndexedDeps, untilIndexed } from "./until-indexed.js";

export interface AcceptOrderDeps extends UntilIndexedDeps {
  ledger: Pick<Ledger, "createOrder" | "findCall">;
  placement: Placement;
  listeners: Pick<KnownListeners, "listenMs">;
  enqueue: Enqueue;
  orderRoom: Pick<OrderRoom, "known" | "wanted" | "look">;
  randomBytes: (size: number) => Uint8Array;
  policy: OrderPolicy;
}

export interface AcceptedOrder {
  /**
   * `exists`: this call was taken before; what has become of its order is in the ledger. `merged`: its agent is one per room,
   * and has an order there already, which is `order` then.
   */
  status: "created" | "exists" | "merged";
  order: string;
  /** Those that were known when it was made; none for an order on participants. */
  jobs: { id: string; namespace: string; roomInfo: string }[];
}

/** What became of an order in one namespace. */
interface Made {
  status: AcceptedOrder["status"] | "outdated";
  into: string;
  jobs: AcceptedOrder["jobs"];
}

/** Each needs another newcomer among the namespaces that know the agent. */
const MAX_PLACINGS = 3;

export class AcceptOrder {
  readonly #deps: AcceptOrderDeps;

  constructor(deps: AcceptOrderDeps) {
    this.#deps = deps;
  }

  /**
   * @throws DispatchError `unavailable`, `already_exists` (its key stands for another order); any other error means that
   *   the call may be repeated
   */
  async accept(order: NewOrder): Promise<AcceptedOrder> {
    const { placement, orderRoom } = this.#deps;
    const former = formerOrderIdOf(order);
    const isFormer = former !== undefined && (await placement.isRepeat(order, former));
    const id = isFormer ? former : orderIdOf(order, this.#deps.randomBytes);
    const [placed, room] = await Promise.all([placement.place(order, id), orderRoom.known(order)]);
    let choice: Choice = placed;
    let made = await this.#acceptInAll(choice, order, id, room);
    for (let round = 1; isOutdated(made) && round <= MAX_PLACINGS; round++) {
      choice = await placement.placeAnew(order, id, choice.namespaces);
      // Newcomers without end do not keep an order from being made.
      const asked = round === MAX_PLACINGS ? { namespaces: choice.namespaces } : choice;
      made = await this.#acceptInAll(asked, order, id, room);
    }
    const { namespaces } = choice;
    const taken = made.filter((one) => one.status !== "outdated");
    const [first] = taken;
    if (first !== undefined && taken.every(({ status }) => status === "merged"))
      return { status: "merged", order: first.into, jobs: [] };
    await orderRoom.look(order, room, namespaces);
    return {
      status: taken.some(({ status }) => status === "created") ? "created" : "exists",
      order: id,
      jobs: taken.flatMap(({ jobs }) => jobs),
    };
  }

  #acceptInAll({ namespaces, listedAtMs }: Choice, order: NewOrder, id: string, room: KnownRoom) {
    return Promise.all(namespaces.map((namespace) => this.#acceptIn(namespace, order, id, room, listedAtMs)));
  }

  async #acceptIn(
    namespace: string,
    order: NewOrder,
    id: string,
    room: KnownRoom,
    listedAtMs: number | undefined,
  ): Promise<Made> {
    const { ledger, enqueue, orderRoom, policy } = this.#deps;
    const facts = orderFacts(order, policy, room);
    const newJobs = firstJobs(namespace, order, id, policy, room);
    const created = await this.#create({
      ...{ namespace, order: id, room: order.room, facts, newJobs },
      waitMs: waitMsOf(order, policy),
      knownForMs: listedAtMs === undefined ? -1 : Math.max(0, Math.ceil(this.#deps.clock.now() - listedAtMs)),
    });
    if (created.status === "outdated") return { status: created.status, into: id, jobs: [] };
    if (created.status === "merged") {
      refuseOther(order, created.asked);
      return { status: created.status, into: created.into, jobs: [] };
    }
    // Somebody came first between the look for an earlier call and this one.
    if (created.status === "exists" && order.repeat?.by === "idempotency_key")
      await refuseAnother(ledger, order, id, [namespace]);
    const queued = created.status === "created" ? wantingEntry(order, newJobs) : created.queued;
    const isOver = created.status === "exists" && created.state !== "live";
    const wanting = isOver ? undefined : orderRoom.wanted(order, room, { namespace, order: id });
    // Its room is being made: whoever is asked first is to hear of it too.
    if (room.status === "absent") await wanting;
    await Promise.all([
      enqueue.add(namespace, { order: id, priority: order.priority, jobs: queued }),
      wanting,
    ]);
    const jobs = newJobs.map((job) => ({ id: job.id, namespace, roomInfo: job.room_info ?? "" }));
    return { status: created.status, into: id, jobs };
  }

  async #create(
    order: Pick<
      CreateOrderArgs,
      "namespace" | "order" | "room" | "facts" | "newJobs" | "waitMs" | "knownForMs"
    >,
  ) {
    const { ledger, listeners, policy } = this.#deps;
    const { retainMs, guardMs } = policy;
    const listenMs = await listeners.listenMs(order.namespace);
    return untilIndexed(this.#deps, order.namespace, (rests) =>
      ledger.createOrder({ ...order, retainMs, guardMs, listenMs, rests }),
    );
  }
}

function isOutdated(made: readonly Made[]): boolean {
  return made.some(({ status }) => status === "outdated");
}

/** What is on hold is not tried. */
function wantingEntry({ hold }: NewOrder, jobs: readonly NewJob[]): string[] {
  return hold ? [] : jobs.map((job) => job.id);
}
