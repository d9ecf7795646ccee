/** That stock agents do in real rooms what stock-agents.ts says of them, as LiveKit sees it. */
import { RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { INSTALL_DEADLINE_MS } from "../sdk/python-environment.js";
import { SDK_DEADLINE_MS, type SdkWorker } from "../sdk/worker-process.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import {
  type Deed,
  type DeedOptions,
  does,
  hasPython,
  type StockSdk,
  startStockAgent,
} from "./stock-agents.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

const WARM_UP_MS = 1_500;
/** Long enough for one that means to join. */
const STAYS_AWAY_MS = 3_000;
const KIND_AGENT = 4;

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;
let rooms: RoomServiceClient;

describe.skipIf(LIVEKIT_SERVER_BIN === "")(
  "stock agents in real rooms",
  { timeout: 2 * SDK_DEADLINE_MS },
  () => {
    beforeAll(async () => {
      redis = await startRedis();
      tap = await startWebhookTap();
      const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
      server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
      muster = await startLiveMuster({
        MUSTER_LIVEKIT_URL: server.url,
        MUSTER_WORKER_LIVEKIT_URL: server.wsUrl,
      });
      tap.leadTo(`${muster.url}/webhook`);
      people = new People({ ...keys, server });
      rooms = new RoomServiceClient(server.url, API_KEY, API_SECRET);
    }, SDK_DEADLINE_MS);
    beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
    afterAll(async () => {
      await people?.end();
      await muster?.stop();
      await server?.kill();
      await tap?.stop();
      await redis?.stop();
    });

    describe.each<StockSdk>(["python", "node"])("%s", (sdk) => {
      let worker: SdkWorker | undefined;
      beforeAll(async () => {
        if (sdk === "python" && !(await hasPython())) return;
        worker = await startStockAgent(sdk, { agentName: sdk, url: muster.url });
      }, INSTALL_DEADLINE_MS + SDK_DEADLINE_MS);
      beforeEach(({ skip }) => {
        if (worker === undefined) skip("no Python SDK here");
      });
      afterAll(() => worker?.stop());

      const send = async (deed: Deed, options: DeedOptions = {}) => {
        const room = `${sdk}-${deed}`;
        await people.join("caller", room);
        await muster.client.createDispatch(room, sdk, { metadata: does(deed, options) });
        await worker?.entryIn(room);
        return room;
      };

      it("stays, after warming up", async () => {
        const room = await send("stays", { warmUpMs: WARM_UP_MS });
        const entry = await worker?.entryIn(room);
        const joined = await worker?.joinedIn(room);
        expect((joined?.atMs ?? 0) - (entry?.atMs ?? 0)).toBeGreaterThanOrEqual(WARM_UP_MS);
        expect(await agentsIn(room)).toBe(1);
      });

      it.each<Deed>(["leaves", "dies_after"])("comes, and %s", async (deed) => {
        const room = await send(deed);
        await worker?.joinedIn(room);
        await waitUntil("it is gone", () => leftIn(room), { deadlineMs: SDK_DEADLINE_MS });
      });

      it("raises after it joined, and stays in the room", async () => {
        const room = await send("raises_after");
        await worker?.joinedIn(room);
      });

      it("never comes: raises, dies, ends, or hangs before it joins", async () => {
        const deeds: Deed[] = ["raises_before", "dies_before", "ends_unjoined", "hangs"];
        const there: string[] = [];
        for (const deed of deeds) there.push(await send(deed));
        const untilMs = performance.now() + STAYS_AWAY_MS;
        await waitUntil("none of them has come for a while", async () => {
          for (const room of there) expect(await agentsIn(room)).toBe(0);
          return performance.now() > untilMs;
        });
      });
    });
  },
);

const agentsIn = async (room: string) =>
  (await rooms.listParticipants(room)).filter(({ kind }) => kind === KIND_AGENT).length;

/** Told by livekit-server of somebody whose kind is AGENT. */
function leftIn(room: string): boolean {
  return tap.of(room).some(({ body }) => {
    const { event, participant } = JSON.parse(body) as { event: string; participant?: { kind?: string } };
    return event === "participant_left" && participant?.kind === "AGENT";
  });
}
