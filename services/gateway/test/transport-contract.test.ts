/**
 * What every transport promises of agent WebSockets, run on each of them: the upgrade, closing, coming and leaving. Frames,
 * bounds and keep-alive are in transport-frames.test.ts; HTTP is in transport-requests.test.ts and transport-responses.test.ts.
 */
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";
import type { UpgradeDecision } from "../src/transport/transport.js";
import {
  cleanUp,
  dial,
  dialled,
  echo,
  httpRoundTrip,
  KINDS,
  RawPeer,
  refusal,
  roundTrip,
  serve,
} from "./transport-kit.js";

afterEach(cleanUp);

describe.each(KINDS)("upgrade on %s", (kind) => {
  test.each(["/agent", "//agent", "/agent/"])("%s is accepted", async (path) => {
    const served = await serve(kind, { authorize: ({ path: asked }) => ({ accept: true, context: asked }) });
    const { seen } = await dialled(served, `${path}?a=1`);
    expect(seen.context).toBe(path);
    expect(seen.socket.remoteAddress).toBe("127.0.0.1");
    expect(served.transport.name).toBe(kind);
    expect(served.transport.connections()).toBe(1);
  });

  test("authorize sees path, query, token and addresses", async () => {
    const served = await serve(kind);
    const peer = await RawPeer.connect(served.port);
    const forwarded = ["X-Forwarded-For: 10.0.0.1", "x-forwarded-for: 10.0.0.2"];
    const headers = ["Authorization: Bearer t", "User-Agent: Python/3.11 aiohttp/3.14.5", ...forwarded];
    peer.sendUpgrade("/agent?access_token=a%20b&protocol=1", headers);
    const request = await waitUntil("authorize is called", () => served.requests[0]);
    expect(request).toMatchObject({ path: "/agent", authorization: "Bearer t", remoteAddress: "127.0.0.1" });
    expect(request.userAgent).toBe("Python/3.11 aiohttp/3.14.5");
    expect(request.forwardedFor).toBe("10.0.0.1, 10.0.0.2");
    expect(Object.fromEntries(request.query)).toEqual({ access_token: "a b", protocol: "1" });
  });

  test("authorize sees what is absent as absent", async () => {
    const served = await serve(kind);
    await dial(served);
    expect(served.requests[0]).toMatchObject({
      ...{ authorization: undefined, userAgent: undefined, forwardedFor: undefined },
    });
    expect(served.requests[0]?.query.size).toBe(0);
  });

  test("a refusal is an HTTP status with the reason as text", async () => {
    const served = await serve(kind, {
      authorize: () => ({ accept: false, status: 401, reason: "token: expired — get another" }),
    });
    expect(await refusal(served)).toEqual({ status: 401, text: "token: expired — get another" });
    expect(served.seen).toHaveLength(0);
    expect(served.transport.connections()).toBe(0);
  });

  test("authorize may take its time, either way", async () => {
    let settle = (_decision: UpgradeDecision<string>) => {};
    const served = await serve(kind, {
      authorize: () =>
        new Promise((resolve) => {
          settle = resolve;
        }),
      onMessage: echo,
    });
    const accepted = dial(served);
    await waitUntil("authorize is called", () => served.requests.length === 1);
    settle({ accept: true, context: "late" });
    await roundTrip(await accepted, "hello");
    expect(served.seen[0]?.context).toBe("late");
    const refused = refusal(served);
    await waitUntil("authorize is called", () => served.requests.length === 2);
    settle({ accept: false, status: 403, reason: "no" });
    expect(await refused).toEqual({ status: 403, text: "no" });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("lost the keys");
      },
    ],
    ["rejects", () => Promise.reject(new Error("lost the keys"))],
  ])("500 when authorize %s", async (_how, authorize) => {
    const served = await serve(kind, { authorize });
    expect(await refusal(served)).toEqual({ status: 500, text: "internal error" });
    expect(served.lines).toMatchObject([{ level: "error", msg: "authorizing an agent failed" }]);
  });

  test("a client that leaves while it is being authorized is never opened", async () => {
    const settled: ((decision: UpgradeDecision<string>) => void)[] = [];
    const served = await serve(kind, { authorize: () => new Promise((resolve) => settled.push(resolve)) });
    const peer = await RawPeer.connect(served.port);
    peer.sendUpgrade();
    await waitUntil("authorize is called", () => settled.length === 1);
    peer.tcp.destroy();
    await waitUntil("the client is gone", () => peer.ended);
    await httpRoundTrip(served);
    settled[0]?.({ accept: true, context: "gone" });
    const stays = dial(served);
    await waitUntil("authorize is called", () => settled.length === 2);
    settled[1]?.({ accept: true, context: "stays" });
    await stays;
    expect(served.seen.map((seen) => seen.context)).toEqual(["stays"]);
    expect(served.transport.connections()).toBe(1);
  });

  test("no compression and no subprotocol is agreed on", async () => {
    const served = await serve(kind);
    const peer = await RawPeer.connect(served.port);
    const offers = [
      "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
      "sec-websocket-protocol: a, b",
    ];
    peer.sendUpgrade("/agent", offers);
    await waitUntil("the upgrade is answered", () => peer.text.includes("\r\n\r\n"));
    expect(peer.text).toMatch(/^HTTP\/1\.1 101 /);
    expect(peer.text.toLowerCase()).not.toMatch(/sec-websocket-(extensions|protocol)/);
  });

  test("without an upgrade /agent is HTTP, and an upgrade elsewhere is too", async () => {
    const served = await serve(kind);
    expect(await (await fetch(`http://127.0.0.1:${served.port}/agent`)).text()).toBe("GET /agent");
    expect(await refusal(served, "/rtc?x=1")).toEqual({ status: 200, text: "GET /rtc" });
    expect(served.requests).toHaveLength(0);
  });
});

describe.each(KINDS)("closing on %s", (kind) => {
  test("by the server, with code and reason", async () => {
    const served = await serve(kind, { onMessage: ({ socket }) => socket.close(4001, "enough") });
    const { client, seen } = await dialled(served);
    client.ws.send("a");
    client.ws.send("b");
    expect(await client.closed).toEqual({ code: 4001, reason: "enough" });
    await httpRoundTrip(served);
    expect(seen.closed).toEqual([{ code: 4001, reason: "enough" }]);
    expect(seen.messages).toEqual(["a"]);
  });

  test.each([
    [4002, "bye"],
    [1000, ""],
    [1011, "crashed"],
  ])("by the client, with %i", async (code, reason) => {
    const served = await serve(kind);
    const { client, seen } = await dialled(served);
    client.ws.close(code, reason);
    expect(await client.closed).toEqual({ code, reason });
    await waitUntil("closed is told", () => seen.closed.length);
    expect(seen.closed).toEqual([{ code, reason }]);
    expect(seen.socket.closed).toBe(true);
  });

  test("by the client without a code, and without a word", async () => {
    const served = await serve(kind);
    const [polite, rude] = [await dialled(served), await dialled(served)];
    polite.client.ws.close();
    rude.client.ws.terminate();
    await waitUntil("both are told", () => polite.seen.closed.length && rude.seen.closed.length);
    expect(polite.seen.closed).toEqual([{ code: 1005, reason: "" }]);
    expect(rude.seen.closed).toMatchObject([{ code: 1006 }]);
    expect(served.transport.connections()).toBe(0);
  });

  test("a closed socket takes everything and does nothing", async () => {
    const served = await serve(kind);
    const { client, seen } = await dialled(served);
    seen.socket.close(1000, "done");
    expect(seen.closed, "closed came from inside close").toEqual([]);
    expect(seen.socket.closed).toBe(true);
    expect(seen.socket.send("x")).toBe("dropped");
    seen.socket.close(4000, "again");
    expect(seen.socket.bufferedBytes).toBe(0);
    expect(seen.socket.remoteAddress).toBe("127.0.0.1");
    expect(await client.closed).toEqual({ code: 1000, reason: "done" });
    await httpRoundTrip(served);
    expect(seen.closed).toEqual([{ code: 1000, reason: "done" }]);
    expect(seen.socket.send(new Uint8Array(3))).toBe("dropped");
  });

  test("close from open, with a reason too long for a frame", async () => {
    const served = await serve(kind, { onOpen: ({ socket }) => socket.close(4003, "ü".repeat(100)) });
    const client = await dial(served);
    expect(await client.closed).toEqual({ code: 4003, reason: "ü".repeat(61) });
    expect(served.seen[0]?.closed).toHaveLength(1);
  });

  test("a code that must not be sent is a bug of the caller", async () => {
    const served = await serve(kind);
    const { seen } = await dialled(served);
    for (const code of [999, 1005, 1006, 1015, 2000, 5000])
      expect(() => seen.socket.close(code, "")).toThrow("close code");
    expect(seen.socket.closed).toBe(false);
  });
});

describe.each(KINDS)("coming and leaving on %s", (kind) => {
  test.each(KINDS)("a port taken by %s is refused by name", async (other) => {
    const { port } = await serve(other);
    await expect(serve(kind, { port })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken by another process: stop that one, or choose another port`,
    );
  });

  test("a host that is not ours is refused by name", async () => {
    await expect(serve(kind, { host: "192.0.2.1" })).rejects.toThrow(
      "host 192.0.2.1 is no address of this machine",
    );
  });

  test("port 0 is any free port, and it is told which", async () => {
    const served = await serve(kind, { port: 0 });
    expect(served.port).toBeGreaterThan(0);
    await httpRoundTrip(served);
  });

  test("stopAccepting refuses upgrades with 503 and keeps the rest", async () => {
    const served = await serve(kind, { onMessage: echo });
    const { client } = await dialled(served);
    served.transport.stopAccepting();
    expect(await refusal(served)).toEqual({
      status: 503,
      text: "this gateway is shutting down, connect again",
    });
    await roundTrip(client, "still here");
    await httpRoundTrip(served);
    expect(served.transport.connections()).toBe(1);
  });

  test("an upgrade being authorized when accepting stops is refused too", async () => {
    let settle = (_decision: UpgradeDecision<string>) => {};
    const served = await serve(kind, {
      authorize: () =>
        new Promise((resolve) => {
          settle = resolve;
        }),
    });
    const refused = refusal(served);
    await waitUntil("authorize is called", () => served.requests.length === 1);
    served.transport.stopAccepting();
    settle({ accept: true, context: "too late" });
    expect((await refused).status).toBe(503);
    expect(served.seen).toHaveLength(0);
  });

  test("close ends every socket with 1001, once, and frees the port", async () => {
    const served = await serve(kind);
    const clients = await Promise.all(Array.from({ length: 20 }, () => dial(served)));
    await Promise.all([served.transport.close(), served.transport.close()]);
    for (const client of clients) {
      expect(await client.closed).toEqual({ code: 1001, reason: "server going away" });
    }
    for (const seen of served.seen)
      expect(seen.closed).toEqual([{ code: 1001, reason: "server going away" }]);
    expect(served.transport.connections()).toBe(0);
    await expect(fetch(`http://127.0.0.1:${served.port}/`)).rejects.toThrow();
    // A gateway is restarted on its port while the kernel still remembers connections that the old one closed.
    expect((await serve(kind, { port: served.port })).port).toBe(served.port);
  });

  test("close does not wait for a peer that never reads or answers", async () => {
    const served = await serve(kind);
    const peer = await RawPeer.upgraded(served);
    peer.tcp.pause();
    const seen = await waitUntil("the socket is open", () => served.seen[0]);
    while (seen.socket.send(Buffer.alloc(64 * 1024)) === "sent");
    const startedAt = performance.now();
    await served.transport.close();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(seen.closed).toEqual([{ code: 1001, reason: "server going away" }]);
  });
});
