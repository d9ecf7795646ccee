/**
 * The orders of a room over all namespaces of a project in which they may live. Reads only. Owns the merging: one order
 * may have a part in several namespaces, each with its own jobs.
 */

import { namespaceName } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import { type JobRecord, jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";

/** One order as it stands in one namespace. */
export interface OrderPart {
  namespace: string;
  order: OrderRecord;
  jobs: JobRecord[];
}

export interface OrderQuery {
  project: string;
  room: string;
  /** One order, or empty for all of the room. */
  order: string;
}

/** The answer is not paged, in LiveKit's API; a room has a handful. Per namespace, and jobs per order. */
const MAX_LISTED = 1_000;

type RoomOrdersLedger = Pick<Ledger, "findOrder" | "listRoomOrders" | "readRecord">;

export class RoomOrders {
  readonly #ledger: RoomOrdersLedger;

  constructor(ledger: RoomOrdersLedger) {
    this.#ledger = ledger;
  }

  /** By order, oldest first. An order of another room is not found. */
  async find({ project, room, order }: OrderQuery): Promise<OrderPart[][]> {
    const namespaces = await this.#namespaces(project, room, order);
    const listed = await Promise.all(
      namespaces.map(async (namespace) => {
        const { orders } = await this.#ledger.listRoomOrders({
          namespace,
          room,
          only: order,
          limit: MAX_LISTED,
        });
        // Lists that Redis wrote empty come as {}.
        return Object.values(orders).map((entry) => ({
          namespace,
          order: orderRecord(entry.order),
          jobs: Object.values(entry.jobs).map(jobRecord),
        }));
      }),
    );
    const byOrder = new Map<string, OrderPart[]>();
    for (const part of listed.flat())
      byOrder.set(part.order.id, [...(byOrder.get(part.order.id) ?? []), part]);
    return [...byOrder.values()].sort((a, b) => createdAtMs(a) - createdAtMs(b));
  }

  /** The room of an order of which only the id is known. */
  async roomOf(project: string, order: string): Promise<string | undefined> {
    const namespaces = await this.#namespaces(project, "", order);
    const parts = await Promise.all(
      namespaces.map((namespace) => this.#ledger.readRecord({ namespace, kind: "order", id: order })),
    );
    const found = parts.find((part) => part.status === "found");
    return found && orderRecord(found.record).room;
  }

  /** The default one needs no entry in the directory. */
  async #namespaces(project: string, room: string, order: string): Promise<string[]> {
    const found = await this.#ledger.findOrder({ project, order, room: order === "" ? room : "" });
    return [...new Set([namespaceName(project, ""), ...found.namespaces])];
  }
}

function createdAtMs(parts: readonly OrderPart[]): number {
  return Math.min(...parts.map((part) => part.order.createdAtMs));
}
