/** Owns a real livekit-server for a test, with people in its rooms and its webhooks written down; Muster comes beside it. */
import { type ParticipantInfo, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, describe } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET } from "../sdk/live-muster.js";
import { SDK_DEADLINE_MS } from "../sdk/worker-process.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

/** LiveKit's ParticipantInfo.Kind. */
const KIND_AGENT = 4;

export interface LiveRooms {
  readonly redis: RedisServer;
  readonly server: LivekitServer;
  /** Leads nowhere until it is told to. */
  readonly tap: WebhookTap;
  readonly people: People;
  readonly rooms: RoomServiceClient;
  agentsIn(room: string): Promise<ParticipantInfo[]>;
  /** Waits until there are so many, and answers them. */
  agentsAre(room: string, count: number): Promise<ParticipantInfo[]>;
  stop(): Promise<void>;
}

/** Skipped where no livekit-server is at hand. */
export function describeLive(name: string, tests: () => void): void {
  describe.skipIf(LIVEKIT_SERVER_BIN === "")(name, { timeout: 2 * SDK_DEADLINE_MS }, tests);
}

interface Keys {
  apiKey: string;
  apiSecret: string;
}
const MUSTERS_KEYS: Keys = { apiKey: API_KEY, apiSecret: API_SECRET };

/**
 * To be called where hooks are, once in a file, for LiveKit's client cannot be used again once it is disposed of. What it
 * answers is filled in before the first test. Its keys are those of the Muster that SDK tests talk to, if not said otherwise.
 */
export function liveRooms(keys = MUSTERS_KEYS): LiveRooms {
  const rooms = {} as LiveRooms;
  beforeAll(async () => void Object.assign(rooms, await start(keys)), SDK_DEADLINE_MS);
  afterAll(() => rooms.stop?.());
  return rooms;
}

async function start(keys: Keys): Promise<LiveRooms> {
  const redis = await startRedis();
  const tap = await startWebhookTap();
  const server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
  const people = new People({ ...keys, server });
  const rooms = new RoomServiceClient(server.url, keys.apiKey, keys.apiSecret);
  const agentsIn = async (room: string) =>
    (await rooms.listParticipants(room)).filter(({ kind }) => kind === KIND_AGENT);
  return {
    ...{ redis, tap, server, people, rooms, agentsIn },
    async agentsAre(room, count) {
      const are = async () => {
        const agents = await agentsIn(room);
        return agents.length === count && agents;
      };
      return await waitUntil(`${count} agents are in ${room}`, are, { deadlineMs: SDK_DEADLINE_MS });
    },
    async stop() {
      await people.end();
      await server.kill();
      await tap.stop();
      await redis.stop();
    },
  };
}
