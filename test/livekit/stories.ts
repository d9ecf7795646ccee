/**
 * What happens in a room of a real livekit-server, and who is there at the end is then asked of LiveKit. Played to
 * check Muster against it, and to record what livekit-server says meanwhile.
 */
import { RoomConfiguration, type RoomServiceClient } from "livekit-server-sdk";
import { waitUntil } from "../kit/wait-until.js";
import type { LivekitServer } from "./livekit-server.js";
import type { People } from "./people.js";

export interface Stage {
  room: string;
  people: People;
  server: LivekitServer;
  rooms: RoomServiceClient;
  /** Until livekit-server told so many of these. */
  told(event: string, times: number): Promise<unknown>;
}

export interface Story {
  /** Names the fixture, too. */
  name: string;
  play(stage: Stage): Promise<void>;
}

const gone = (rooms: RoomServiceClient, room: string) =>
  waitUntil("the room is over", async () => (await rooms.listRooms([room])).length === 0, {
    deadlineMs: 15_000,
  });

export const STORIES: readonly Story[] = [
  {
    name: "people-come-and-go",
    async play({ room, people, told }) {
      const ann = await people.join("ann", room, { attributes: { tier: "gold" } });
      await ann.publish();
      const ben = await people.join("ben", room, { kind: "sip" });
      await ben.publish();
      await people.join("agent-somebody", room, { kind: "agent" });
      await ben.leave();
      await people.join("ben", room, { kind: "sip" });
      await people.join("cleo", room);
      await told("participant_joined", 5);
      await told("track_published", 2);
      await told("participant_left", 1);
    },
  },
  {
    name: "an-identity-comes-twice",
    async play({ room, people, told }) {
      const first = await people.join("ann", room);
      await first.publish();
      await told("track_published", 1);
      const second = await people.join("ann", room);
      await told("participant_left", 1);
      await second.publish();
      await told("track_published", 2);
    },
  },
  {
    name: "a-join-is-given-up",
    async play({ room, people, told }) {
      await people.join("ann", room);
      await people.giveUpJoining("ben", room);
      await told("participant_connection_aborted", 1);
    },
  },
  {
    name: "a-room-ends-and-begins-again",
    async play({ room, people, rooms, told }) {
      const ann = await people.join("ann", room);
      await ann.publish();
      await ann.leave();
      await gone(rooms, room);
      await told("room_finished", 1);
      await people.join("ann", room);
      await people.join("ben", room);
      await told("participant_joined", 3);
    },
  },
  {
    name: "a-room-is-deleted-with-people-in-it",
    async play({ room, people, rooms, told }) {
      const ann = await people.join("ann", room);
      await ann.publish();
      await people.join("ben", room);
      await told("participant_joined", 2);
      await rooms.deleteRoom(room);
      await told("room_finished", 1);
    },
  },
  {
    name: "a-node-crashes",
    async play({ room, people, server, told }) {
      const ann = await people.join("ann", room);
      await ann.publish();
      await people.join("ben", room);
      await told("participant_joined", 2);
      await told("track_published", 1);
      await server.kill();
      await server.start();
      await people.join("cleo", room);
      // The others' clients connect again by themselves, as new participants.
      await told("participant_joined", 5);
      await told("track_published", 2);
    },
  },
  {
    name: "agents-are-named-in-a-token",
    async play({ room, people, told }) {
      const roomConfig = new RoomConfiguration({
        agents: [{ agentName: "named", metadata: "by the token" }],
      });
      await people.join("ann", room, { roomConfig });
      await told("participant_joined", 1);
    },
  },
];
