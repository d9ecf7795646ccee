/** Who is put out of a room under an agent's identity, and who never is. */

import { createRoomService } from "@muster/livekit/create-room-service";
import { removeAgent } from "@muster/livekit/remove-agent";
import { systemClock } from "@muster/runtime/clock";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { afterAll, beforeAll, expect, test } from "vitest";

const IDENTITY = "assistant";
let livekit: LivekitStandIn;
let count = 0;

beforeAll(async () => {
  livekit = await startLivekitStandIn();
});
afterAll(() => livekit.stop());

function setting() {
  const room = `room-${++count}`;
  const { url, apiKey, apiSecret } = livekit;
  const roomService = createRoomService({ url, apiKey, apiSecret, clock: systemClock, random: Math.random });
  return {
    room,
    join: (attributes: Record<string, string>) =>
      livekit.rooms.join(room, IDENTITY, { kind: "agent", attributes }),
    remove: () => removeAgent(roomService, { room, identity: IDENTITY, job: "AJ_1", upToEpoch: 2 }, 1_000),
    isThere: () => livekit.rooms.hasLive(room, IDENTITY),
  };
}

test.each(["1", "2"])("the agent of the job, of epoch %s, is put out, and then gone", async (epoch) => {
  const { join, remove, isThere } = setting();
  join({ "muster.job": "AJ_1", "muster.epoch": epoch });
  expect(await remove()).toBe("removed");
  expect(isThere()).toBe(false);
  expect(await remove()).toBe("absent");
});

test.each([
  ["of a newer epoch", { "muster.job": "AJ_1", "muster.epoch": "3" }],
  ["of another job under the same identity", { "muster.job": "AJ_2", "muster.epoch": "1" }],
])("the agent %s stays: the one asked about is not there", async (_, attributes) => {
  const { join, remove, isThere } = setting();
  join(attributes);
  expect(await remove()).toBe("absent");
  expect(isThere()).toBe(true);
});

test.each([
  ["without any mark", {}],
  ["that says no job", { "muster.epoch": "1" }],
  ["that says no epoch", { "muster.job": "AJ_1", "muster.epoch": "one" }],
  ["that says an epoch beyond all", { "muster.job": "AJ_1", "muster.epoch": "-1" }],
])("somebody %s stays, and it is not known who that is", async (_, attributes) => {
  const { join, remove, isThere } = setting();
  join(attributes as Record<string, string>);
  expect(await remove()).toBe("kept");
  expect(isThere()).toBe(true);
});

test("nobody, in a room or without one, is absent", async () => {
  const { room, remove } = setting();
  expect(await remove()).toBe("absent");
  livekit.rooms.startRoom(room);
  expect(await remove()).toBe("absent");
});

test("a row that its node left behind cannot be removed, and says so", async () => {
  const { room, join, remove } = setting();
  join({ "muster.job": "AJ_1", "muster.epoch": "1" });
  livekit.rooms.crashNode(room);
  await expect(remove()).rejects.toMatchObject({ method: "RemoveParticipant" });
});
