/**
 * What goes wrong in rooms of a watched house: an agent that does not leave, one that leaves at once, an agent asked for
 * twice, and one of livekit-server's own workers beside ours. Judges nothing.
 */
import { setTimeout as pause } from "node:timers/promises";
import { AgentDispatchClient } from "livekit-server-sdk";
import type { RunningJob, SimulatedWorker, SimulatedWorkerOptions } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { KEY, SECRET, type WatchedHouse } from "./house.js";

interface RoomMishapsDeps {
  house: WatchedHouse;
  work(agentName: string, more?: object, options?: Partial<SimulatedWorkerOptions>): Promise<SimulatedWorker>;
  order(agentName: string, more?: object): Promise<unknown>;
}

export async function roomMishaps(deps: RoomMishapsDeps): Promise<void> {
  await lingers(deps);
  await leavesAtOnce(deps);
  await isOrderedTwice(deps);
  await isServedElsewhere(deps);
}

/** An order that makes its room, a rule, an agent that does not leave when its job is over. */
async function lingers({ house, work }: RoomMishapsDeps): Promise<void> {
  const { rooms } = house.livekit;
  rooms.startRoom("hall-1");
  rooms.join("hall-1", "ann");
  const worker = await work("lingering", {}, { jobMs: 60_000, reconnects: "node", reports: false });
  const dispatches = new AgentDispatchClient(house.of("api-1").url, KEY, SECRET);
  await dispatches.createDispatch("lobby", "lingering");
  const job = await jobIn("lobby", worker);
  joinsAsAgent(house, job);
  await house.call("api-1", "POST", `/v1/jobs/${job.wire}/terminate`, {});
  rooms.leave("hall-1", "ann");
}

/** Gone as soon as it was there, while its caller stays, and its worker says that all went well. Twice: a rate knows no first time. */
async function leavesAtOnce({ house, work, order }: RoomMishapsDeps): Promise<void> {
  const { rooms } = house.livekit;
  const worker = await work("brief", {}, { jobMs: 500 });
  for (const room of ["brief-1", "brief-2"]) {
    rooms.startRoom(room);
    rooms.join(room, "bob");
    await order("brief", { room });
    const job = await jobIn(room, worker);
    joinsAsAgent(house, job);
    rooms.leave(room, `agent-${job.wire}`);
    await pause(2_000);
  }
}

async function isOrderedTwice({ order }: RoomMishapsDeps): Promise<void> {
  for (let count = 0; count < 2; count++) await order("support", { room: "twice", one_per_room: true });
}

/** Adopted by us, and given away by livekit-server too. */
async function isServedElsewhere({ house, work }: RoomMishapsDeps): Promise<void> {
  const { rooms } = house.livekit;
  const worker = await work("shared", {}, { jobMs: 60_000 });
  rooms.startRoom("shared", { agents: [{ agentName: "shared" }] });
  rooms.join("shared", "cid");
  await jobIn("shared", worker);
  rooms.join("shared", "agent-AJ_theirs", { kind: "agent", attributes: { "lk.agent_name": "shared" } });
}

async function jobIn(room: string, { assigned }: SimulatedWorker): Promise<RunningJob> {
  const find = () => assigned.find((job) => job.room === room);
  await waitUntil(`it has its job in ${room}`, () => find() !== undefined, { deadlineMs: 15_000 });
  return find() as RunningJob;
}

/** With the attributes of the token that it was given. */
function joinsAsAgent({ livekit }: WatchedHouse, { wire, room, token }: RunningJob): void {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  livekit.rooms.join(room, `agent-${wire}`, { kind: "agent", attributes: claims.attributes });
}
