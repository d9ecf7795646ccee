/**
 * The whole thing, with nothing played: a real livekit-server, a caller over WebRTC, stock workers whose agents come into
 * the room, and Muster between them. Runs where a livekit-server is at hand.
 */
import { RoomConfiguration } from "livekit-server-sdk";
import { expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { JS_RUNNING } from "../sdk/live-muster.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { nodeWorker } from "./live-workers.js";

const AGENT = "greeter";
/** A worker that is killed says nothing to livekit-server, which takes its agent for gone after a while. */
const NOTICED_MS = 60_000;
/** From then on: the bound of the design. */
const REPLACED_MS = 2_000;

const house = liveHouse();

describeLive("agents beside a real livekit-server", () => {
  it("a dispatch brings the agent into the room, and takes it out again", async () => {
    await worker();
    await house.people.join("caller", "dispatched");
    const dispatch = await house.muster.client.createDispatch("dispatched", AGENT);
    await house.agentsAre("dispatched", 1);
    // Beside it is the automatic dispatch of livekit-server's own, which no worker here takes.
    const isRunning = async () => {
      const made = await house.muster.client.listDispatch("dispatched");
      return made.find(({ id }) => id === dispatch.id)?.state?.jobs[0]?.state?.status === JS_RUNNING;
    };
    await waitUntil("it is known to run", isRunning);
    await house.muster.client.deleteDispatch(dispatch.id, "dispatched");
    await house.agentsAre("dispatched", 0);
  });

  it("an agent that is named in the caller's token comes, once", async () => {
    await worker();
    const roomConfig = new RoomConfiguration({
      agents: [{ agentName: AGENT, metadata: "from the token" }],
    });
    await house.people.join("caller", "by-token", { roomConfig });
    await house.agentsAre("by-token", 1);
    const dispatches = await house.muster.client.listDispatch("by-token");
    expect(dispatches.map(({ agentName, metadata }) => ({ agentName, metadata }))).toEqual([
      { agentName: AGENT, metadata: "from the token" },
    ]);
  });

  it("an agent whose worker died is replaced when livekit-server says that it is gone", async () => {
    const first = await worker();
    await house.people.join("caller", "replaced");
    await house.muster.client.createDispatch("replaced", AGENT);
    const [dead] = await house.agentsAre("replaced", 1);
    const second = await worker();
    await first.stop();
    await waitUntil("livekit-server says that it left", () => leftAtMs("replaced", dead?.sid), {
      deadlineMs: NOTICED_MS,
    });
    await second.entryIn("replaced");
    const entry = second.events().find(({ event }) => event === "entry");
    expect((entry?.atMs ?? 0) - (leftAtMs("replaced", dead?.sid) ?? 0)).toBeLessThan(REPLACED_MS);
    await waitUntil("the other is in the room, alone", async () => {
      const [agent, ...others] = await house.agentsIn("replaced");
      return agent !== undefined && agent.sid !== dead?.sid && others.length === 0;
    });
  });
});

const worker = () => nodeWorker(house, AGENT);

const leftAtMs = (room: string, sid: string | undefined) =>
  house.tap
    .told(room)
    .find(({ event, participant }) => event === "participant_left" && participant?.sid === sid)?.atMs;
