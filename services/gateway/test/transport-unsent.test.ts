/** What waits for peers that do not read, of all together: the one that most waits for goes, whoever is written to. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";
import { cleanUp, dialled, echo, KINDS, roundTrip, type Seen, serve } from "./transport-kit.js";

afterEach(cleanUp);

const KIB = 1024;
const CHUNK = Buffer.alloc(64 * KIB, 1);

/** Until so much waits in this process, beyond what the kernel takes. */
function fill(seen: Seen, bytes: number): void {
  while (!seen.socket.closed && seen.socket.bufferedBytes < bytes) seen.socket.send(CHUNK);
}

describe.each(KINDS)("what waits for all peers on %s", (kind) => {
  const bounds = { maxBufferedBytes: 4_096 * KIB, maxUnsentBytes: 2_048 * KIB };

  test("cuts the peer that most waits for, and not the one that is written to", async () => {
    const served = await serve(kind, { ...bounds, onMessage: echo });
    const [greedy, slow, quick] = [await dialled(served), await dialled(served), await dialled(served)];
    for (const { client } of [greedy, slow]) client.ws.pause();
    fill(greedy.seen, 1_300 * KIB);
    expect(greedy.seen.socket.closed).toBe(false);
    fill(slow.seen, 1_000 * KIB);
    await waitUntil("the greedy one is gone", () => greedy.seen.closed.length);
    expect(greedy.seen.closed).toMatchObject([{ code: 1013, reason: /^reads too slowly, and most/ }]);
    expect(slow.seen.socket.closed).toBe(false);
    await roundTrip(quick.client, "still served");
    slow.client.ws.resume();
    await waitUntil("all is read", () => slow.seen.socket.bufferedBytes === 0);
    expect(slow.seen.drained).toBe(1);
    // What was read is free again.
    const next = await dialled(served);
    next.client.ws.pause();
    fill(next.seen, 1_500 * KIB);
    expect(next.seen.socket.closed).toBe(false);
  });

  test("counts what closed sockets have not sent yet, and cuts those for which there is no room", async () => {
    const served = await serve(kind, bounds);
    const peers = [await dialled(served), await dialled(served)];
    for (const { client, seen } of peers) {
      client.ws.pause();
      fill(seen, 700 * KIB);
      seen.socket.close(1000, "enough");
    }
    for (const { client } of peers) client.ws.resume();
    const codes = await Promise.all(peers.map(async ({ client }) => (await client.closed).code));
    // The first keeps what waits for it and its goodbye; for the second there is no room.
    expect(codes).toEqual([1000, 1006]);
  });
});
