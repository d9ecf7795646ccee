/** What is left of an api that dies while it takes in what LiveKit said of a room. */

import { createLedger } from "@muster/ledger/ledger";
import { systemClock as clock } from "@muster/runtime/clock";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LiveRooms } from "../src/rooms/book/live-rooms.js";
import { RoomBook } from "../src/rooms/book/room-book.js";

const NOTHING = { createdAtMs: 1_000, info: "", participants: [], isComplete: false, asOfMs: 1_000 };

class Died extends Error {}

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** It dies where it would look at the room's orders, or goes on. */
function bookThat(dies: boolean) {
  const redis = server.client();
  const look = () => (dies ? Promise.reject(new Died()) : Promise.resolve());
  const book = new RoomBook({
    ledger: createLedger(redis),
    reconcile: { look },
    adopt: { lookOnce: () => Promise.resolve() },
    rules: { lookOnce: () => Promise.resolve() },
    rooms: new LiveRooms(redis),
    clock,
  });
  return { book, isListed: async (room: string) => (await redis.zscore("muster:rooms", room)) !== null };
}

test("a room whose orders were not looked at stays on the list, also when it is over, for the rounds to find", async () => {
  const { book, isListed } = bookThat(true);
  await expect(book.take({ room: "room", sid: "RM_1", isOver: false, ...NOTHING })).rejects.toThrow(Died);
  expect(await isListed("room")).toBe(true);
  await expect(book.take({ room: "room", sid: "RM_1", isOver: true, ...NOTHING })).rejects.toThrow(Died);
  expect(await isListed("room")).toBe(true);
  await bookThat(false).book.take({ room: "room", sid: "RM_1", isOver: true, ...NOTHING });
  expect(await isListed("room")).toBe(false);
});
