/**
 * A LiveKit, an api and their Redis for the suites on rooms. Webhooks go when a test hands them over, in the order it
 * wants; LiveKit's clock goes on by a second with each thing that happens, since its events have whole seconds.
 */

import { createHash } from "node:crypto";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import type { LivekitRooms } from "@muster/test/kit/livekit-stand-in/rooms";
import { signWebhook } from "@muster/test/kit/livekit-stand-in/webhooks";
import type { RedisServer } from "@muster/test/kit/redis-server";
import { signAccessToken } from "@muster/wire/access-token";
import type { WebhookEvent } from "@muster/wire/generated/livekit";
import { expect } from "vitest";
import * as kit from "./kit.js";
import { makeOrder, type OrderBody, seenOrder } from "./orders-kit.js";

export type House = Awaited<ReturnType<typeof openHouse>>;

export interface HouseOptions {
  /** Whether the api may ask LiveKit; else it only hears of rooms. */
  asks?: boolean;
  /** How often it looks after rooms by itself; hardly ever, unless given. */
  roomsEveryMs?: number;
  /** Whether it creates the rooms of orders that are not there. */
  createRooms?: boolean;
  stepMs?: number;
}

const DAY_MS = 86_400_000;

export async function openHouse(
  server: RedisServer,
  { asks = false, roomsEveryMs = 600_000, createRooms = false, stepMs = 1_000 }: HouseOptions = {},
) {
  // Its rooms had their times yesterday, so that a long story stays in the past; its tokens are of now.
  let storyMs = Date.now() - DAY_MS;
  let isPlaying = false;
  const livekit: LivekitStandIn = await startLivekitStandIn({
    nowMs: () => (isPlaying ? storyMs : Date.now()),
  });
  const api = await kit.runApi(server, {
    roomsEveryMs,
    createRooms,
    ...(asks && { livekitUrl: livekit.url }),
  });
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
    order: (body: OrderBody) => makeOrder(api, body),
    seen: (room: string, id: string, namespace?: string) => seenOrder(api, room, id, namespace),
    async stop() {
      await api.stop();
      await livekit.stop();
    },
  };
}
