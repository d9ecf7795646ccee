/**
 * The end of rooms that Muster makes, at a real livekit-server: the same as of rooms that nobody but livekit-server made. An
 * agent that is alone is out after the room's own time-outs, and a room that closed too early is made again.
 */
import { expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { joiningWorker } from "./live-workers.js";

const DEADLINE_MS = 30_000;
/** livekit-server's own, as the tests start it. */
const EMPTY_S = 3;
const LEFT_S = 1;

const house = liveHouse();

describeLive("rooms that Muster makes", () => {
  const live = async (room: string) => (await house.rooms.listRooms([room]))[0];
  const madeFor = (room: string) => waitUntil("the room is there", () => live(room));

  it("have livekit-server's own time-outs, and an agent that nobody joins is out after them", async () => {
    const served = await worker("alone");
    const order = await house.desk.order({ room: "alone", agent_name: "alone" });
    const made = await madeFor("alone");
    expect(made).toMatchObject({ emptyTimeout: EMPTY_S, departureTimeout: LEFT_S });
    await waitUntil(
      "the agent is there",
      async () => (await house.rooms.listParticipants("alone")).length === 1,
    );
    await waitUntil("it is out, and the room over", async () => (await live("alone")) === undefined, {
      deadlineMs: DEADLINE_MS,
    });
    await waitUntil("so is its order", async () => (await house.desk.read(order)).state === "ended");
    await waitUntil("its worker is free", () => served.stopped.length > 0);
    expect(await house.desk.job(order)).toMatchObject({ state: "ended", cause: "room_finished" });
  });

  it("close after the last caller, as those of livekit-server do, whoever is left", async () => {
    await worker("greets");
    await house.desk.order({ room: "greeted", agent_name: "greets" });
    await madeFor("greeted");
    const caller = await house.people.join("caller", "greeted");
    await waitUntil(
      "both are there",
      async () => (await house.rooms.listParticipants("greeted")).length === 2,
    );
    await caller.leave();
    await waitUntil("the room is over", async () => (await live("greeted")) === undefined, {
      deadlineMs: DEADLINE_MS,
    });
  });

  it("are made again as often as they close while an order waits that nobody was there for, and are then served", async () => {
    const order = await house.desk.order({ room: "again", agent_name: "late" });
    const first = await madeFor("again");
    const next = await waitUntil(
      "it is made again",
      async () => {
        const room = await live("again");
        return room !== undefined && room.sid !== first.sid ? room : undefined;
      },
      { deadlineMs: DEADLINE_MS },
    );
    await waitUntil(
      "the order is for that life",
      async () => (await house.desk.read(order)).room_sid === next.sid,
    );
    await house.people.join("caller", "again");
    await worker("late");
    await waitUntil("it is served", async () => (await house.desk.job(order)).state === "running");
  });
});

const worker = (agentName: string) => joiningWorker(house, agentName, { reports: true });
