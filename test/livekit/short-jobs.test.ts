/**
 * Which jobs count as short, by what a real LiveKit tells of stock Python agents that leave their room by themselves.
 * Runs where LIVEKIT_SERVER_BIN names a livekit-server.
 */
import { expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { SDK_DEADLINE_MS } from "../sdk/worker-process.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { pythonWorker } from "./live-workers.js";

const house = liveHouse();

describeLive("an agent that leaves a caller behind", () => {
  it("at once had a short job; one that stayed for longer had none", async () => {
    const long = await ended("long", { AGENT_CONNECTS: "1", AGENT_STAYS_S: "5" });
    const brief = await ended("brief", { AGENT_CONNECTS: "1", AGENT_STAYS_S: "0.5" });
    // The looks come in the order in which the agents left.
    await waitUntil("it is short", async () => (await house.muster.recordOf(brief)).short === "1", {
      deadlineMs: SDK_DEADLINE_MS,
    });
    expect(await house.muster.recordOf(long)).not.toHaveProperty("short");
  });
});

/** The order of a worker's only job, which went well; a caller is in the room, and stays. */
async function ended(name: string, env: Record<string, string>): Promise<string> {
  await pythonWorker(house, name, env);
  await house.people.join("caller", name);
  const { id } = await house.muster.client.createDispatch(name, name);
  expect(await house.ended(id)).toMatchObject({ outcome: "success" });
  return id;
}
