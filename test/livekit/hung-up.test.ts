/**
 * Callers who hang up while no agent is free, in the rooms of a real livekit-server: nobody is sent to them, and those who
 * still wait are served as if the others had never stood in line.
 */
import { expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { joiningWorker } from "./live-workers.js";

const house = liveHouse();

describeLive("callers who hang up", () => {
  it("three while no worker is free: the fourth, who stayed, is the next one, and nobody goes to the others", async () => {
    const rooms = ["gone-1", "gone-2", "gone-3", "stays"];
    const callers = [];
    const orders = [];
    for (const room of rooms) {
      callers.push(await house.people.join("caller", room));
      orders.push(await house.desk.order({ room, agent_name: "busy" }));
    }
    const [, , , fourth] = orders;
    if (fourth === undefined) throw new Error("there are four");
    await waitUntil(
      "the fourth stands behind the others",
      async () => (await house.desk.job(fourth)).position === 3,
    );
    for (const caller of callers.slice(0, 3)) await caller.leave();
    // By their rooms' end, or as long after them as livekit-server would have kept these.
    for (const order of orders.slice(0, 3)) {
      const { outcome, cause } = await waitUntil("who hung up waits no more", async () => {
        const job = await house.desk.job(order);
        return job.state === "ended" ? job : undefined;
      });
      expect({ outcome, is: ["room_closed", "caller_left"].includes(cause) }).toEqual({
        outcome: "canceled",
        is: true,
      });
    }
    expect(await house.desk.job(fourth)).toMatchObject({ state: "parked", position: 0 });
    const free = await worker("busy");
    await waitUntil("the fourth is served", () => free.assigned.length > 0);
    await waitUntil("it runs", async () => (await house.desk.job(fourth)).state === "running");
    expect(free.offered).toHaveLength(1);
    expect(free.assigned.map(({ room }) => room)).toEqual(["stays"]);
  });

  it("one who says so waits for the room's next life, and is served there", async () => {
    const first = await house.people.join("caller", "kept");
    const order = await house.desk.order({ room: "kept", agent_name: "later", keep_waiting: true });
    const sid = await waitUntil(
      "it is bound",
      async () => (await house.desk.read(order)).room_sid || undefined,
    );
    await first.leave();
    await waitUntil("it is for another life", async () => {
      const { room_sid: next } = await house.desk.read(order);
      return next !== sid;
    });
    await house.people.join("caller", "kept");
    const free = await worker("later");
    await waitUntil("it is served", () => free.assigned.length > 0);
    expect(await house.desk.read(order)).toMatchObject({ state: "live", keep_waiting: true });
  });

  it("one who comes back in time is waited for", async () => {
    const first = await house.people.join("caller", "back");
    const order = await house.desk.order({ room: "back", agent_name: "patient" });
    const sid = await waitUntil(
      "it is bound",
      async () => (await house.desk.read(order)).room_sid || undefined,
    );
    await first.leave();
    await house.people.join("caller", "back");
    const free = await worker("patient");
    await waitUntil("it is served", () => free.assigned.length > 0);
    expect(await house.desk.read(order)).toMatchObject({ state: "live", room_sid: sid });
  });
});

const worker = (agentName: string) => joiningWorker(house, agentName, { reports: true });
