/**
 * What an agent is told of its job: the same by Muster as by livekit-server, for the same dispatch into the same kind of
 * room. A worker each, at livekit-server itself and at Muster, writes down the job of its offer and of its assignment.
 */
import type { Job } from "@muster/wire/generated/livekit";
import { AgentDispatchClient, RoomConfiguration } from "livekit-server-sdk";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET } from "../sdk/live-muster.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { nodeWorker } from "./live-workers.js";

const DEADLINE_MS = 30_000;
/** Longer than a room is looked at without being asked to. */
const ROUND_MS = 15_000;
const TYPES = { room: 0, publisher: 1, participant: 2 } as const;
const METADATA = JSON.stringify({ language: "de", model: "large" });

const house = liveHouse({ isTold: false });
let dispatchers: { stock: AgentDispatchClient; muster: AgentDispatchClient };

/** Of both sides, under names of their own, so that neither takes the other's work. */
type Side = "stock" | "muster";
const SIDES: readonly Side[] = ["stock", "muster"];

describeLive("the job that an agent is given", () => {
  beforeAll(async () => {
    const { muster, server } = house;
    // The first question opens the connection, which can take longer than an order waits.
    await muster.client.createDispatch("before", "nobody");
    dispatchers = {
      stock: new AgentDispatchClient(server.url, API_KEY, API_SECRET),
      muster: muster.client,
    };
  });

  it("for a room that is there has the room as it is", async () => {
    const [stock, ours] = await onBothSides("there", "room", async (side, room, agent) => {
      await house.rooms.createRoom({ name: room, metadata: METADATA, emptyTimeout: 60, maxParticipants: 7 });
      await house.people.join("caller", room);
      await dispatchers[side].createDispatch(room, agent, { metadata: "for the agent" });
    });
    expect(ours).toEqual(stock);
    expect(ours.room).toMatchObject({ metadata: METADATA, maxParticipants: 7 });
  });

  it("has the metadata as they were changed just before, of which no webhook tells", async () => {
    const [stock, ours] = await onBothSides("changed", "room", async (side, room, agent) => {
      await house.rooms.createRoom({ name: room, metadata: "before" });
      await house.people.join("caller", room);
      await house.rooms.updateRoomMetadata(room, "after");
      await dispatchers[side].createDispatch(room, agent);
    });
    expect(ours).toEqual(stock);
    expect(ours.room).toMatchObject({ metadata: "after" });
  });

  it("for a room that is not there has the room that was made for it", async () => {
    const [stock, ours] = await onBothSides("not-there", "room", async (side, room, agent) => {
      await dispatchers[side].createDispatch(room, agent);
    });
    // Muster keeps the rooms that it makes open for as long as somebody may have to wait.
    expect({ ...ours, room: { ...ours.room, emptyTimeout: 0 } }).toEqual({
      ...stock,
      room: { ...stock.room, emptyTimeout: 0 },
    });
  });

  it.each(["publisher", "participant"] as const)(
    "for a %s who is there already comes at once, and has the participant",
    async (type) => {
      const [stock, ours] = await onBothSides(`${type}-there`, type, async (side, room, agent) => {
        await house.rooms.createRoom({ name: room, metadata: METADATA });
        const person = await house.people.join("caller", room, { attributes: { tier: "gold" } });
        await person.publish();
        await waitUntil("it is known to publish", async () => {
          const [listed] = await house.rooms.listParticipants(room);
          return listed?.tracks.length === 1;
        });
        const askedAtMs = Date.now();
        await dispatchers[side].createDispatch(room, agent);
        return askedAtMs;
      });
      expect(ours).toEqual(stock);
      expect(ours.participant).toMatchObject({ attributes: { tier: "gold" }, isPublisher: true });
      expect(ours.participant?.tracks).toHaveLength(1);
    },
  );

  it("is the same in ListDispatch", async () => {
    const listed: Partial<Record<Side, unknown>> = {};
    await onBothSides("listed", "participant", async (side, room, agent) => {
      await house.rooms.createRoom({ name: room, metadata: METADATA });
      await house.people.join("caller", room);
      await dispatchers[side].createDispatch(room, agent);
      // livekit-server lists a job some seconds after its worker has it.
      listed[side] = await waitUntil(
        "the job is listed",
        async () => {
          const dispatches = await dispatchers[side].listDispatch(room);
          const jobs = dispatches.find(({ agentName }) => agentName === agent)?.state?.jobs;
          const job = jobs?.find(({ type }) => type === TYPES.participant);
          return job && comparable(job as unknown as Job);
        },
        { deadlineMs: DEADLINE_MS },
      );
    });
    expect(listed.muster).toEqual(listed.stock);
    expect(listed.muster).toMatchObject({
      room: { metadata: METADATA },
      participant: { identity: "caller" },
    });
  });

  it("of a dispatch that livekit-server made itself, too", async () => {
    house.tap.leadTo(`${house.muster.url}/webhook`);
    const [stock, ours] = await onBothSides("by-token", "room", async (_, room, agentName) => {
      const agents = [{ agentName, metadata: "by token" }];
      const roomConfig = new RoomConfiguration({ agents, metadata: METADATA, maxParticipants: 5 });
      await house.people.join("caller", room, { roomConfig });
    });
    // livekit-server sends its own while the caller is still coming in.
    const [nobody, one] = [stock, ours].map((job) => ({ ...job, room: { ...job.room, numParticipants: 0 } }));
    expect(one).toEqual(nobody);
    expect(ours.room).toMatchObject({ metadata: METADATA, maxParticipants: 5 });
  });

  it("for a publisher who begins to publish has the track", async () => {
    house.tap.leadTo(`${house.muster.url}/webhook`);
    const [stock, ours] = await onBothSides("begins", "publisher", async (side, room, agent) => {
      const person = await house.people.join("caller", room);
      await dispatchers[side].createDispatch(room, agent);
      await person.publish();
    });
    expect(ours).toEqual(stock);
    expect(ours.participant).toMatchObject({ isPublisher: true });
    expect(ours.participant?.tracks).toHaveLength(1);
  });

  it("reaches a stock Node agent", async () => {
    const worker = await nodeWorker(house, "stock-node", { env: {} });
    await house.rooms.createRoom({ name: "node", metadata: METADATA });
    await house.people.join("caller", "node");
    await house.muster.client.createDispatch("node", "stock-node");
    const { job } = await worker.entryIn("node");
    const [live] = await house.rooms.listRooms(["node"]);
    expect(job?.room).toMatchObject({ name: "node", sid: live?.sid, metadata: METADATA });
  });
});

/** The jobs as they were offered; that of the assignment says the same, which is checked. */
async function onBothSides(
  name: string,
  type: keyof typeof TYPES,
  // biome-ignore lint/suspicious/noConfusingVoidType: of interest is only when it asked, if it says so
  dispatch: (side: Side, room: string, agent: string) => Promise<number | void>,
) {
  const jobs: ReturnType<typeof comparable>[] = [];
  for (const side of SIDES) {
    const [room, agent] = [`${name}-${side}`, `${side}-${name}`];
    const offers: Job[] = [];
    const worker = await startWorker({
      url: house[side === "stock" ? "server" : "muster"].url,
      token: await house.desk.token(),
      register: { agentName: agent, type: TYPES[type] },
      onOffer({ job }) {
        if (job?.room?.name === room) offers.push(job);
        return "accept";
      },
    });
    onTestFinished(() => worker.close());
    worker.sample();
    const askedAtMs = await dispatch(side, room, agent);
    const offer = await waitUntil(`a job is offered by ${side}`, () => offers[0], {
      deadlineMs: DEADLINE_MS,
    });
    if (typeof askedAtMs === "number") expect(Date.now() - askedAtMs).toBeLessThan(ROUND_MS / 10);
    const [live] = await house.rooms.listRooms([room]);
    expect(offer.room).toMatchObject({ name: room, sid: live?.sid });
    jobs.push(comparable(offer));
  }
  const [stock, ours] = jobs;
  if (stock === undefined || ours === undefined) throw new Error("a side has no job");
  return [stock, ours] as const;
}

/** Without ids, times, and what is another on each side by its name. */
function comparable({ room, participant, ...job }: Job) {
  const { id: _, dispatchId, agentName, state, namespace, ...rest } = job;
  return {
    ...rest,
    ids: [dispatchId.slice(0, 3), agentName !== "", namespace],
    room: room && { ...room, ...none(["sid", "name", "creationTime", "creationTimeMs", "turnPassword"]) },
    participant: participant && {
      ...participant,
      ...none(["sid", "joinedAt", "joinedAtMs", "version"]),
      tracks: participant.tracks.map((track) => ({
        ...{ ...track, ...none(["sid", "version", "stream", "mid"]) },
        codecs: track.codecs.map((codec) => ({ ...codec, ...none(["cid", "mid"]) })),
      })),
    },
  };
}

const none = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, undefined]));
