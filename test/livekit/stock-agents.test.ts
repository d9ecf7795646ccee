/** That stock agents do in real rooms what stock-agents.ts says of them, as LiveKit sees it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { INSTALL_DEADLINE_MS } from "../sdk/python-environment.js";
import { SDK_DEADLINE_MS, type SdkWorker } from "../sdk/worker-process.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import {
  type Deed,
  type DeedOptions,
  does,
  hasPython,
  type StockSdk,
  startStockAgent,
} from "./stock-agents.js";

const WARM_UP_MS = 1_500;
/** Long enough for one that means to join. */
const STAYS_AWAY_MS = 3_000;

const house = liveHouse();

describeLive("stock agents in real rooms", () => {
  describe.each<StockSdk>(["python", "node"])("%s", (sdk) => {
    let worker: SdkWorker | undefined;
    beforeAll(async () => {
      if (sdk === "python" && !(await hasPython())) return;
      worker = await startStockAgent(sdk, { agentName: sdk, url: house.muster.url });
    }, INSTALL_DEADLINE_MS + SDK_DEADLINE_MS);
    beforeEach(({ skip }) => {
      if (worker === undefined) skip("no Python SDK here");
    });
    afterAll(() => worker?.stop());

    const send = async (deed: Deed, options: DeedOptions = {}) => {
      const room = `${sdk}-${deed}`;
      await house.people.join("caller", room);
      await house.muster.client.createDispatch(room, sdk, { metadata: does(deed, options) });
      await worker?.entryIn(room);
      return room;
    };

    it("stays, after warming up", async () => {
      const room = await send("stays", { warmUpMs: WARM_UP_MS });
      const entry = await worker?.entryIn(room);
      const joined = await worker?.joinedIn(room);
      expect((joined?.atMs ?? 0) - (entry?.atMs ?? 0)).toBeGreaterThanOrEqual(WARM_UP_MS);
      expect(await house.agentsIn(room)).toHaveLength(1);
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
        for (const room of there) expect(await house.agentsIn(room)).toHaveLength(0);
        return performance.now() > untilMs;
      });
    });
  });
});

/** Told by livekit-server of somebody whose kind is AGENT. */
const leftIn = (room: string) =>
  house.tap
    .told(room)
    .some(({ event, participant }) => event === "participant_left" && participant?.kind === "AGENT");
