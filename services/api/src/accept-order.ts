/**
 * Takes a work order in: three steps, each of which can be repeated by anybody. Owns their order and nothing of what
 * they write. An order that was answered is kept; one that was not is repeated by its caller, with the same ids.
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
 *
 * An agent that nobody has registered is no error: the order waits in the default namespace.
 */

import type { DueIndex } from "@muster/actor/due-index";
import { DispatchError } from "@muster/domain/errors";
import { poolName } from "@muster/domain/pool";
import type { CreateOrderReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { IntakeProducer } from "@muster/runtime/queue/intake-producer";
import type { Hints } from "./hints.js";
import { orderIdOf, roomJobId } from "./order-ids.js";
import type { NewOrder } from "./order-request.js";
import type { Placement } from "./placement.js";
import type { OrderPolicy } from "./policy.js";

export interface AcceptOrderDeps {
  ledger: Pick<Ledger, "createOrder">;
  placement: Placement;
  dueIndex: Pick<DueIndex, "markDue">;
  producer: Pick<IntakeProducer, "add">;
  hints: Hints;
  clock: Clock;
  randomBytes: (size: number) => Uint8Array;
  policy: OrderPolicy;
}

export interface AcceptedOrder {
  /** `exists`: a call with this request id was taken before; what has become of it is in the ledger. */
  status: "created" | "exists";
  order: string;
  jobs: { id: string; namespace: string }[];
}

/** The namespace may go to rest again between mark and write; a few times in a row is already unlikely. */
const MAX_INDEX_ROUNDS = 8;
/** Well below the age at which a mark without a fact behind it is taken away (5 s). */
const FRESH_MARK_MS = 2_000;
/** The queue serves 1 first, orders have 1000 for the most urgent. */
const QUEUE_PRIORITY_OF_0 = 1_001;

export class AcceptOrder {
  readonly #deps: AcceptOrderDeps;

  constructor(deps: AcceptOrderDeps) {
    this.#deps = deps;
  }

  /** @throws DispatchError `unavailable`; any other error means that the call may be repeated */
  async accept(order: NewOrder): Promise<AcceptedOrder> {
    const id = orderIdOf(order, this.#deps.randomBytes);
    const namespaces = await this.#deps.placement.place(order, id);
    const taken = await Promise.all(namespaces.map((namespace) => this.#acceptIn(namespace, order, id)));
    return {
      status: taken.some(({ status }) => status === "created") ? "created" : "exists",
      order: id,
      jobs: taken.map(({ job, namespace }) => ({ id: job, namespace })),
    };
  }

  async #acceptIn(namespace: string, order: NewOrder, id: string) {
    const job = roomJobId(id, namespace, order.room);
    const created = await this.#create(namespace, order, id, job);
    const queued = created.status === "created" ? [job] : created.queued;
    if (queued.length > 0) await this.#enqueue(namespace, order, id, queued);
    return { status: created.status, namespace, job };
  }

  async #create(namespace: string, order: NewOrder, id: string, job: string) {
    const { ledger, dueIndex, clock, policy } = this.#deps;
    const { room, agent, deployment } = order;
    const pool = poolName({ agentName: agent, type: "room", deployment });
    const args = {
      namespace,
      order: id,
      room,
      facts: {
        agent,
        deployment,
        metadata: order.metadata,
        attributes: JSON.stringify(order.attributes),
        priority: order.priority,
        restart_policy: order.restartPolicy,
        target: "room",
      },
      newJobs: [
        { id: job, type: "room", pool, room_sid: "", participant_info: "", max_attempts: policy.maxAttempts },
      ],
      retainMs: policy.retainMs,
      guardMs: policy.guardMs,
      waitMs: policy.waitMs,
    } as const;
    let rests = -1;
    let markedAtMs = Number.POSITIVE_INFINITY;
    for (let round = 0; round < MAX_INDEX_ROUNDS; round++) {
      const reply: CreateOrderReply = await ledger.createOrder({ ...args, rests });
      if (reply.status !== "unindexed") {
        // So slow that a sweep may have looked, seen nothing yet, and taken the mark away.
        if (clock.now() - markedAtMs >= FRESH_MARK_MS) await dueIndex.markDue(namespace);
        return reply;
      }
      markedAtMs = clock.now();
      await dueIndex.markDue(namespace);
      rests = reply.rests;
    }
    throw new DispatchError(
      "unavailable",
      "the namespace keeps going to rest; repeat the call with the same request id",
    );
  }

  async #enqueue(namespace: string, order: NewOrder, id: string, jobs: readonly string[]): Promise<void> {
    const { producer, hints } = this.#deps;
    await producer.add(namespace, { id, priority: QUEUE_PRIORITY_OF_0 - order.priority, data: { jobs } });
    hints.wake(namespace, { kind: "intake", count: 1 });
  }
}
