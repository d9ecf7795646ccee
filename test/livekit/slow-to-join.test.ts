/**
 * Stock agents that need longer to come into their room than the start deadline gives them, or never come though their worker
 * says that they run. Nobody waits for ever: not the first caller of slow agents, and not one whose agent hangs.
 */
import { expect, it, onTestFinished } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { SDK_DEADLINE_MS } from "../sdk/worker-process.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { does, type StockSdk, startStockAgent } from "./stock-agents.js";

const START_DEADLINE_MS = 6_000;
/** Longer than a first attempt, and shorter than a second one. */
const WARM_UP_MS = 9_000;

describeLive("an agent that is not in its room at the start deadline", () => {
  const house = liveHouse({ env: { MUSTER_START_DEADLINE_MS: String(START_DEADLINE_MS) } });

  async function twoWorkers(sdk: StockSdk, agentName: string): Promise<void> {
    const options = { agentName, url: house.muster.url };
    const workers = await Promise.all([startStockAgent(sdk, options), startStockAgent(sdk, options)]);
    onTestFinished(async () => void (await Promise.all(workers.map((worker) => worker.stop()))));
  }

  /** A caller comes and an agent is sent for; its job, once this is so. */
  async function called(
    room: string,
    agent: string,
    metadata: string,
    is: (job: Record<string, string>) => boolean,
  ) {
    await house.people.join("caller", room);
    const { id } = await house.muster.client.createDispatch(room, agent, { metadata });
    const job = async () => {
      const record = await house.muster.recordOf(id);
      return is(record) && record;
    };
    return await waitUntil(`the job in ${room} is so`, job, { deadlineMs: SDK_DEADLINE_MS });
  }

  it("comes with the second attempt when it is slow, and with the first one of the next job", async () => {
    await twoWorkers("node", "slow");
    const isThere = ({ state, participant_sid: sid }: Record<string, string>) =>
      state === "running" && sid !== undefined;
    const metadata = does("stays", { warmUpMs: WARM_UP_MS });
    expect(await called("first", "slow", metadata, isThere)).toMatchObject({ attempts: "2" });
    expect(await called("second", "slow", metadata, isThere)).toMatchObject({ attempts: "1" });
  });

  it("is replaced when it hangs, also when its worker says that it runs", async () => {
    await twoWorkers("python", "hanging");
    const askedAgain = ({ offers, attempts }: Record<string, string>) => offers === "2" && attempts === "2";
    expect(await called("silence", "hanging", does("hangs"), askedAgain)).toMatchObject({ room: "silence" });
  });
});
