/**
 * What becomes of jobs whose agents never come into their room, whatever their workers say: stock Python agents that break
 * before they connect and report success, stock Node agents that die and report nothing. Told of by webhooks, and without.
 * Runs where LIVEKIT_SERVER_BIN names a livekit-server.
 */
import { expect, it } from "vitest";
import { liveHouse } from "./live-house.js";
import { describeLive, liveRooms } from "./live-rooms.js";
import { nodeWorker, pythonWorker } from "./live-workers.js";

const TOLD = [
  ["webhooks tell", true],
  ["no webhook tells", false],
] as const;

const rooms = liveRooms();
for (const [how, isTold] of TOLD)
  describeLive(`an agent that never joins, where ${how}`, () => {
    const house = liveHouse({ rooms, isTold, env: { MUSTER_START_DEADLINE_MS: "6000" } });
    const roomOf = (name: string) => `${name}, ${how}`;
    /** The job of a dispatch that is made now, once it has ended. */
    const ended = async (room: string, agent: string) =>
      await house.ended((await house.muster.client.createDispatch(room, agent)).id);

    it("did not do its job while somebody waits: it is tried again, and fails with its last attempt", async () => {
      await pythonWorker(house, "broken", { AGENT_BREAKS: "1" });
      await house.people.join("caller", roomOf("waiting"));
      const job = await ended(roomOf("waiting"), "broken");
      expect(job).toMatchObject({ outcome: "failed", cause: "never_joined", attempts: "3" });
      expect(job.error).toBe("the agent never joined its room");
    });

    it("is nobody's failure in an empty room: the job is over, and not tried again", async () => {
      await pythonWorker(house, "absent", { AGENT_BREAKS: "1" });
      const job = await ended(roomOf("empty"), "absent");
      expect(job).toMatchObject({ outcome: "canceled", cause: "never_joined", attempts: "1" });
    });

    it("is not one that came, warmed up first or left soon: its worker is believed", async () => {
      await pythonWorker(house, "brief", { AGENT_CONNECTS: "1", AGENT_WARMS_UP_S: "3", AGENT_STAYS_S: "2" });
      await house.people.join("caller", roomOf("brief"));
      expect(await ended(roomOf("brief"), "brief")).toMatchObject({ outcome: "success", attempts: "1" });
    });

    it("of a Node worker is replaced after its start deadline, while somebody waits", async () => {
      const dead = await nodeWorker(house, "node", { env: { AGENT_DIES: "1" } });
      const room = roomOf("node");
      await house.people.join("caller", room);
      await house.muster.client.createDispatch(room, "node");
      await dead.entryIn(room);
      const good = await nodeWorker(house, "node");
      await good.entryIn(room);
    });
  });
