/**
 * What Muster asks of a real livekit-server: rooms for orders that have none, agents put out that do not leave, and what
 * rules, room configurations and a room's own metadata order. The workers are simulated, so that they can be stubborn;
 * their agents come into the room over WebRTC, with the token that they were given.
 */
import { expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { joiningWorker } from "./live-workers.js";
import type { DeskOrder } from "./muster-desk.js";

/** When it is looked for the agent of a stopped job. */
const PUT_OUT_MS = 3_000;
const PARTICIPANT = 2;

const house = liveHouse();

describeLive("orders beside a real livekit-server", () => {
  it("the room of an order is made; a person comes into it, and then the agent, when there is one", async () => {
    const order = await house.desk.order({ room: "made", agent_name: "late" });
    const made = await waitUntil("the room is there", async () => (await house.rooms.listRooms(["made"]))[0]);
    await house.people.join("caller", "made");
    await joiningWorker(house, "late");
    await house.agentsAre("made", 1);
    const [room] = await house.rooms.listRooms(["made"]);
    expect(room?.sid).toBe(made.sid);
    await waitUntil("its job is known to run, in that life of the room", async () => {
      const { room_sid } = await house.desk.read(order);
      return room_sid === made.sid && (await house.desk.job(order)).state === "running";
    });
  });

  it("of an order for participants too; who comes into it has an agent", async () => {
    const order = await house.desk.order({
      room: "for-all",
      agent_name: "each",
      target: { for: "participants" },
    });
    await waitUntil("the room is there", async () => (await house.rooms.listRooms(["for-all"])).length === 1);
    expect(order.jobs).toEqual([]);
    await joiningWorker(house, "each", { type: PARTICIPANT });
    await house.people.join("ann", "for-all");
    await house.agentsAre("for-all", 1);
  });

  it.each([
    ["of a deleted order", ({ id }: DeskOrder) => house.desk.call("DELETE", `/v1/orders/${id}`)],
    [
      "of a terminated job",
      ({ jobs }: DeskOrder) => house.desk.call("POST", `/v1/jobs/${jobs[0]?.id}/terminate`, {}),
    ],
  ])("the agent %s is put out of the room when it does not leave, after its time", async (name, end) => {
    const room = name.replaceAll(" ", "-");
    const stubborn = await joiningWorker(house, room);
    await house.people.join("caller", room);
    const order = await house.desk.order({ room, agent_name: room });
    const [agent] = await house.agentsAre(room, 1);
    const endedAtMs = Date.now();
    await end(order);
    await waitUntil("its worker is told", () => stubborn.stopped.length > 0);
    await house.agentsAre(room, 0);
    expect(Date.now() - endedAtMs).toBeGreaterThanOrEqual(PUT_OUT_MS - 100);
    const left = await waitUntil("livekit-server tells why", () =>
      house.tap
        .told(room)
        .find(({ event, participant }) => event === "participant_left" && participant?.sid === agent?.sid),
    );
    expect(left.participant?.disconnectReason).toBe("PARTICIPANT_REMOVED");
    expect((await house.rooms.listParticipants(room)).map(({ identity }) => identity)).toEqual(["caller"]);
  });

  it("a rule brings its agents when a room starts whose name matches, once", async () => {
    await joiningWorker(house, "ruled");
    await house.desk.call("PUT", "/v1/rules/support", {
      when: { room_pattern: "support-*" },
      orders: [{ agent_name: "ruled", metadata: "by rule" }],
    });
    await house.people.join("caller", "support-1");
    await house.people.join("caller", "other-1");
    const [agent] = await house.agentsAre("support-1", 1);
    await house.people.join("second", "support-1");
    await house.people.join("second", "other-1");
    expect(await ordersFor("support-1", "ruled")).toMatchObject([{ metadata: "by rule" }]);
    expect(await ordersFor("other-1", "ruled")).toEqual([]);
    expect((await house.agentsIn("support-1")).map(({ sid }) => sid)).toEqual([agent?.sid]);
  });

  it("a room whose metadata names a room configuration has its agents, as nobody but LiveKit made it", async () => {
    await joiningWorker(house, "host");
    await joiningWorker(house, "scribe");
    await house.desk.call("PUT", "/v1/room-configurations/panel", {
      agents: [{ agent_name: "host" }, { agent_name: "scribe" }],
    });
    const metadata = JSON.stringify({ muster_configuration: "panel", topic: "rooms" });
    await house.rooms.createRoom({ name: "panel-1", metadata, emptyTimeout: 60 });
    await house.agentsAre("panel-1", 2);
    for (const agent of ["host", "scribe"]) expect(await ordersFor("panel-1", agent)).toHaveLength(1);
  });

  it("a room that is made through Muster has the agents of its configuration once, whoever tells of it", async () => {
    await joiningWorker(house, "tutor");
    await house.desk.call("PUT", "/v1/room-configurations/lesson", {
      agents: [{ agent_name: "tutor", metadata: "of the lesson" }],
      metadata: JSON.stringify({ muster_configuration: "lesson" }),
    });
    const asked = { name: "lesson-1", configuration: "lesson", empty_timeout_s: 61, max_participants: 7 };
    const made = await house.desk.call<{ sid: string; orders: string[] }>("POST", "/v1/rooms", asked);
    const [room] = await house.rooms.listRooms(["lesson-1"]);
    expect(room).toMatchObject({
      ...{ sid: made.sid, emptyTimeout: 61, maxParticipants: 7 },
      metadata: JSON.stringify({ muster_configuration: "lesson" }),
    });
    expect(made.orders).toHaveLength(1);
    await house.people.join("pupil", "lesson-1");
    await house.agentsAre("lesson-1", 1);
    // Of its start livekit-server told as well, and its metadata names the configuration again.
    await waitUntil("it was told", () =>
      house.tap.told("lesson-1").some(({ event }) => event === "room_started"),
    );
    expect(await ordersFor("lesson-1", "tutor")).toMatchObject([
      { id: made.orders[0], metadata: "of the lesson" },
    ]);
    expect(await house.agentsIn("lesson-1")).toHaveLength(1);
    // LiveKit's own answer for the same name: the room as it is.
    expect(await house.desk.call("POST", "/v1/rooms", { ...asked, empty_timeout_s: 99 })).toMatchObject({
      ...{ sid: made.sid, empty_timeout_s: 61, orders: made.orders },
    });
  });
});

const ordersFor = async (room: string, agent: string) =>
  (await house.muster.client.listDispatch(room)).filter(({ agentName }) => agentName === agent);
