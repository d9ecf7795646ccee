/**
 * A LiveKit, an api and their Redis for the suites on rooms. Webhooks go when a test hands them over, in the order it
 * wants; LiveKit's clock goes on by a second with each thing that happens, since its events have whole seconds.
 */

import { createHash } from "node:crypto";
import { type JobRecord, jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import type { LivekitRooms } from "@muster/test/kit/livekit-stand-in/rooms";
import { signWebhook } from "@muster/test/kit/livekit-stand-in/webhooks";
import type { RedisServer } from "@muster/test/kit/redis-server";
import { signAccessToken } from "@muster/wire/access-token";
import { ParticipantInfo, type WebhookEvent } from "@muster/wire/generated/livekit";
import { expect } from "vitest";
import * as kit from "./kit.js";

export type House = Awaited<ReturnType<typeof openHouse>>;

export interface HouseOptions {
  /** Whether the api may ask LiveKit; else it only hears of rooms. */
  asks?: boolean;
  /** How often it looks after rooms by itself; hardly ever, unless given. */
  roomsEveryMs?: number;
  stepMs?: number;
}

interface SeenOrder {
  order: OrderRecord;
  jobs: JobRecord[];
}

const DAY_MS = 86_400_000;

export async function openHouse(
  server: RedisServer,
  { asks = false, roomsEveryMs = 600_000, stepMs = 1_000 }: HouseOptions = {},
) {
  // Its rooms had their times yesterday, so that a long story stays in the past; its tokens are of now.
  let storyMs = Date.now() - DAY_MS;
  let isPlaying = false;
  const livekit: LivekitStandIn = await startLivekitStandIn({
    nowMs: () => (isPlaying ? storyMs : Date.now()),
  });
  const api = await kit.runApi(server, { roomsEveryMs, ...(asks && { livekitUrl: livekit.url }) });
  const webhook = `${api.url}/webhook`;
  let toldUpTo = 0;

  const deliver = async (events: readonly WebhookEvent[]) => {
    for (const event of events) {
      const { body, headers } = signWebhook(
        event,
        { apiKey: kit.API_KEY, apiSecret: kit.API_SECRET },
        Date.now(),
      );
      const answer = await fetch(webhook, { method: "POST", body, headers });
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
    }
  };
  return {
    ...{ api, livekit, webhook, deliver },
    /** What happens in rooms, each thing a step later than the one before. Returns what was told of it. */
    play<T>(happens: (rooms: LivekitRooms) => T): T {
      storyMs += stepMs;
      isPlaying = true;
      try {
        return happens(livekit.rooms);
      } finally {
        isPlaying = false;
      }
    },
    /** The events since the last call, which nobody has been told of. */
    untold(): WebhookEvent[] {
      const events = livekit.events.slice(toldUpTo);
      toldUpTo = livekit.events.length;
      return events;
    },
    /** Tells all of them, in the order in which they happened. */
    async tell(): Promise<void> {
      await deliver(this.untold());
    },
    /** Any body, signed. */
    post(body: string, secret = kit.API_SECRET): Promise<Response> {
      const sha256 = createHash("sha256").update(body).digest("base64");
      const signed = { apiKey: kit.API_KEY, apiSecret: secret, nowMs: Date.now(), ttlMs: 60_000, sha256 };
      return fetch(webhook, { method: "POST", body, headers: { authorization: signAccessToken(signed) } });
    },
    async order(body: { room: string; agent_name?: string; namespace?: string; target?: object }) {
      const answer = await api.rest("/v1/orders", {
        ...{ method: "POST", video: { roomAdmin: true } },
        body: JSON.stringify({ agent_name: "agent", ...body }),
        headers: { "content-type": "application/json" },
      });
      const made = (await answer.json()) as { id: string };
      expect({ status: answer.status, made }).toMatchObject({ status: 201 });
      return made.id;
    },
    async seen(room: string, id: string, namespace = "default"): Promise<SeenOrder> {
      const { orders } = await api.ledger.listRoomOrders({ namespace, room, only: id, limit: 1_000 });
      const [found] = Object.values(orders);
      if (found === undefined) throw new Error(`the order ${id} is not in ${namespace}`);
      return { order: orderRecord(found.order), jobs: Object.values(found.jobs).map(jobRecord) };
    },
    async stop() {
      await api.stop();
      await livekit.stop();
    },
  };
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
