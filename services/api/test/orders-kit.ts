/** Orders made as a caller makes them, and what has become of them as the ledger has it. */

import { type JobRecord, jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";
import { ParticipantInfo } from "@muster/wire/generated/livekit";
import { expect } from "vitest";
import type { RunningApi } from "./kit.js";

export interface OrderBody {
  room: string;
  agent_name?: string;
  namespace?: string;
  target?: object;
  keep_waiting?: boolean;
  restart_policy?: "never";
}

export interface SeenOrder {
  order: OrderRecord;
  jobs: JobRecord[];
}

export async function makeOrder(api: RunningApi, body: OrderBody): Promise<string> {
  const answer = await api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true } },
    body: JSON.stringify({ agent_name: "agent", ...body }),
    headers: { "content-type": "application/json" },
  });
  const made = (await answer.json()) as { id: string };
  expect({ status: answer.status, made }).toMatchObject({ status: 201 });
  return made.id;
}

export async function seenOrder(
  { ledger }: RunningApi,
  room: string,
  id: string,
  namespace = "default",
): Promise<SeenOrder> {
  const { orders } = await ledger.listRoomOrders({ namespace, room, only: id, limit: 1_000 });
  const [found] = Object.values(orders);
  if (found === undefined) throw new Error(`the order ${id} is not in ${namespace}`);
  return { order: orderRecord(found.order), jobs: Object.values(found.jobs).map(jobRecord) };
}

/** Who a job is for: "identity sid", or the room. */
export function whomOf({ participantInfo }: Pick<JobRecord, "participantInfo">): string {
  if (participantInfo === "") return "the room";
  return nameOf(ParticipantInfo.decode(Buffer.from(participantInfo, "base64")));
}

export const nameOf = ({ identity, sid }: { identity: string; sid: string }) => `${identity} ${sid}`;

/** Of the jobs that are not over, whom each is for, in order. */
export const liveFor = ({ jobs }: SeenOrder): string[] =>
  jobs
    .filter(({ state }) => state !== "ended")
    .map(whomOf)
    .sort();
