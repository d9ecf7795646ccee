/**
 * The orders that every story is judged by, and whom they are for: the same whether livekit-server is at hand or its
 * webhooks are played back.
 */
import { expect } from "vitest";
import type { RunningApi } from "../../services/api/test/kit.js";
import { liveFor, makeOrder, nameOf, seenOrder } from "../../services/api/test/orders-kit.js";

/** Somebody whom LiveKit lists. */
export interface Listed {
  identity: string;
  sid: string;
  kind: "standard" | "sip" | "agent" | "egress" | "ingress" | "other";
  publishes: boolean;
}

const isPerson = ({ kind }: Listed) => kind !== "agent" && kind !== "egress";
const ORDERS = {
  participants: { target: { for: "participants" }, isFor: isPerson },
  publishers: { target: { for: "publishers" }, isFor: (one: Listed) => isPerson(one) && one.publishes },
  callers: {
    target: { for: "participants", kinds: ["sip"] },
    isFor: ({ kind }: Listed) => kind === "sip",
  },
} as const;

export interface RoomOrders {
  /** Throws while the jobs that live are not exactly those for whom is there. */
  areFor(there: readonly Listed[]): Promise<boolean>;
}

export async function orderEveryKind(api: RunningApi, room: string): Promise<RoomOrders> {
  const made: [keyof typeof ORDERS, string][] = [];
  for (const kind of Object.keys(ORDERS) as (keyof typeof ORDERS)[]) {
    const { target } = ORDERS[kind];
    // For each life of the room.
    const order = { room, agent_name: `of-${kind}`, target, keep_waiting: true };
    made.push([kind, await makeOrder(api, order)]);
  }
  return {
    async areFor(there) {
      for (const [kind, id] of made) {
        const jobs = liveFor(await seenOrder(api, room, id));
        const whom = there.filter(ORDERS[kind].isFor).map(nameOf).sort();
        expect({ kind, jobs }).toEqual({ kind, jobs: whom });
      }
      return true;
    },
  };
}
