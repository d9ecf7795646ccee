/** What every transport promises of frames, run on each of them: both kinds, their bounds, back-pressure, keep-alive. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";
import {
  cleanUp,
  dial,
  dialled,
  echo,
  httpRoundTrip,
  KINDS,
  RawPeer,
  roundTrip,
  serve,
} from "./transport-kit.js";

afterEach(cleanUp);

describe.each(KINDS)("frames on %s", (kind) => {
  test("binary and text come and go as such, in order, also empty and at the bound", async () => {
    const served = await serve(kind, { onMessage: echo, maxFrameBytes: 1000 });
    const { client, seen } = await dialled(served);
    const frames = [Buffer.from([0, 255, 1]), "grüße ✓", Buffer.alloc(0), "", Buffer.alloc(1000, 7), "last"];
    for (const frame of frames) client.ws.send(frame);
    await waitUntil("all come back", () => client.received.length === frames.length);
    expect(client.received).toEqual(frames);
    expect(seen.messages[1]).toBe("grüße ✓");
    expect(seen.messages[0]).toBeInstanceOf(Uint8Array);
  });

  test("sends from open arrive first, and a view is sent, not its whole buffer", async () => {
    const pool = Buffer.from("xxHELLOxx");
    const served = await serve(kind, {
      onOpen: ({ socket }) => {
        expect(socket.send(pool.subarray(2, 7))).toBe("sent");
      },
      onMessage: echo,
    });
    const { client } = await dialled(served);
    await roundTrip(client, "then");
    expect(client.received).toEqual([Buffer.from("HELLO"), "then"]);
  });

  test.each([Buffer.alloc(1001), "x".repeat(1001)])(
    "a frame above the bound closes with 1009",
    async (frame) => {
      const served = await serve(kind, { maxFrameBytes: 1000 });
      const { client, seen } = await dialled(served);
      client.ws.send(frame);
      expect(await client.closed).toEqual({ code: 1009, reason: "frame above 1000 bytes" });
      expect(seen.closed).toEqual([{ code: 1009, reason: "frame above 1000 bytes" }]);
      expect(seen.messages).toEqual([]);
    },
  );

  test("a frame far above the bound ends the socket, once", async () => {
    const served = await serve(kind, { maxFrameBytes: 1000 });
    const { client, seen } = await dialled(served);
    client.ws.send(Buffer.alloc(100_000));
    expect([1006, 1009]).toContain((await client.closed).code);
    await waitUntil("closed is told", () => seen.closed.length > 0);
    await httpRoundTrip(served);
    expect(seen.closed).toHaveLength(1);
    expect([1006, 1009]).toContain(seen.closed[0]?.code);
  });

  test("bytes that are no WebSocket frame end the socket, once", async () => {
    const served = await serve(kind);
    const peer = await RawPeer.upgraded(served);
    peer.tcp.write(Buffer.alloc(64, 0xff));
    await waitUntil("closed is told", () => served.seen[0]?.closed.length);
    await waitUntil("the peer is cut", () => peer.ended);
    expect(served.seen[0]?.closed).toMatchObject([{ code: 1006 }]);
  });

  test("a handler that throws costs its own socket and nothing else", async () => {
    const served = await serve(kind, {
      onMessage: (seen, data) => {
        if (data === "boom") throw new Error("bug");
        echo(seen, data);
      },
    });
    const [bad, good] = [await dialled(served), await dialled(served)];
    bad.client.ws.send("boom");
    expect(await bad.client.closed).toEqual({ code: 1011, reason: "internal error" });
    expect(bad.seen.closed).toEqual([{ code: 1011, reason: "internal error" }]);
    await roundTrip(good.client, "still here");
    expect(served.lines).toMatchObject([{ level: "error", msg: "handling an agent frame failed" }]);
  });

  test("open that throws closes with 1011", async () => {
    const served = await serve(kind, {
      onOpen: () => {
        throw new Error("bug");
      },
    });
    const client = await dial(served);
    expect(await client.closed).toEqual({ code: 1011, reason: "internal error" });
    expect(served.transport.connections()).toBe(0);
  });
});

describe.each(KINDS)("back-pressure on %s", (kind) => {
  const CHUNK = Buffer.alloc(64 * 1024, 1);

  test("a peer that does not read: buffered, then dropped and 1013, within the bound", async () => {
    const maxBufferedBytes = 512 * 1024;
    const served = await serve(kind, { maxBufferedBytes });
    const { client, seen } = await dialled(served);
    client.ws.pause();
    const results: string[] = [];
    let mostBuffered = 0;
    await waitUntil(
      "a message is dropped",
      () => {
        results.push(seen.socket.send(CHUNK));
        mostBuffered = Math.max(mostBuffered, seen.socket.bufferedBytes);
        return results.at(-1) === "dropped";
      },
      { everyMs: 0 },
    );
    expect(results.lastIndexOf("sent")).toBeLessThan(results.indexOf("buffered"));
    expect(mostBuffered).toBeGreaterThan(0);
    expect(mostBuffered).toBeLessThanOrEqual(maxBufferedBytes + 64); // and the frame headers
    expect(seen.socket.closed).toBe(true);
    expect(seen.socket.send(CHUNK)).toBe("dropped");
    await waitUntil("closed is told", () => seen.closed.length);
    expect(seen.closed).toEqual([{ code: 1013, reason: "reads too slowly" }]);
    expect(served.transport.connections()).toBe(0);
    client.ws.resume();
    expect(await client.closed).toEqual({ code: 1013, reason: "reads too slowly" });
    expect(client.received).toHaveLength(results.length - 1);
    expect(served.lines).toMatchObject([{ level: "warn", msg: "agent reads too slowly" }]);
  });

  test("drained is told once, when all that waited has left", async () => {
    const served = await serve(kind, { maxBufferedBytes: 64 * 1024 * 1024 });
    const { client, seen } = await dialled(served);
    client.ws.pause();
    let sent = 1;
    while (seen.socket.send(CHUNK) === "sent") sent++;
    for (; sent < 100; sent++) expect(seen.socket.send(CHUNK)).toBe("buffered");
    expect(seen.drained).toBe(0);
    client.ws.resume();
    await waitUntil("drained is told", () => seen.drained > 0);
    expect(seen.socket.bufferedBytes).toBe(0);
    await waitUntil("all arrive", () => client.received.length === sent);
    expect(seen.drained).toBe(1);
    expect(seen.socket.send("more")).toBe("sent");
  });

  test("a message above the bound goes when nothing waits", async () => {
    const served = await serve(kind, { maxBufferedBytes: 1000 });
    const { client, seen } = await dialled(served);
    expect(["sent", "buffered"]).toContain(seen.socket.send(Buffer.alloc(100_000)));
    await waitUntil("it arrives", () => client.received.length === 1);
    expect(seen.closed).toEqual([]);
  });
});

describe.each(KINDS)("keep-alive on %s", (kind) => {
  test("a silent peer is pinged, then cut", async () => {
    const served = await serve(kind, { pingIntervalMs: 40, silenceMs: 200 });
    const peer = await RawPeer.upgraded(served);
    const seen = await waitUntil("the socket is open", () => served.seen[0]);
    await waitUntil("closed is told", () => seen.closed.length);
    expect(seen.closed).toMatchObject([{ code: 1006, reason: expect.stringMatching(/^silent for \d+ ms$/) }]);
    await waitUntil("the peer is cut", () => peer.ended);
    expect(peer.pings).toBeGreaterThanOrEqual(1);
    expect(served.transport.connections()).toBe(0);
  });

  test.each([
    ["pongs", 10],
    ["pings of its own", 9],
    ["frames", 1],
  ])("%s keep a peer that does nothing else", async (_what, opcode) => {
    const served = await serve(kind, { pingIntervalMs: 40, silenceMs: 200 });
    const peer = await RawPeer.upgraded(served);
    let answered = 0;
    peer.tcp.on("data", () => {
      if (peer.pings > answered) peer.sendFrame(opcode, "");
      answered = peer.pings;
    });
    await waitUntil("it outlived its silence three times", () => peer.pings >= 15);
    expect(served.seen[0]?.closed).toEqual([]);
    expect(peer.ended).toBe(false);
  });

  test("a ping is answered with its own bytes", async () => {
    const served = await serve(kind);
    const client = await dial(served);
    client.ws.ping("are you there");
    await waitUntil("the pong comes", () => client.pongs.length);
    expect(client.pongs).toEqual(["are you there"]);
  });
});
