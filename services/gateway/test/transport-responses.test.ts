/**
 * What every transport promises of HTTP responses, run on each of them: heads and lengths that are right, bodies streamed
 * no faster than they are read, and failures that nobody takes for success.
 */
import { randomBytes } from "node:crypto";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";
import { call, faucet, oneConnection, urlOf } from "./transport-http-kit.js";
import { cleanUp, digest, KINDS, RawPeer, serve } from "./transport-kit.js";

afterEach(cleanUp);

describe.each(KINDS)("responses on %s", (kind) => {
  test("status, headers and every cookie arrive; the length is right", async () => {
    const served = await serve(kind, {
      http: async () => {
        const headers = new Headers({ "content-type": "text/plain", "x-own": "1" });
        headers.append("set-cookie", "a=1; Path=/");
        headers.append("set-cookie", "b=2, and more");
        return new Response("nicht hier: ä", { status: 404, headers });
      },
    });
    const answered = await call(served, { path: "/nowhere" });
    expect(answered.status).toBe(404);
    expect(answered.body.toString()).toBe("nicht hier: ä");
    expect(answered.headers).toMatchObject({
      "content-type": "text/plain",
      "content-length": "14",
      "set-cookie": ["a=1; Path=/", "b=2, and more"],
      "x-own": "1",
    });
  });

  test("HEAD announces the length and sends nothing", async () => {
    const served = await serve(kind, {
      http: async (request) =>
        new Response(request.method === "HEAD" ? null : "x", {
          headers: request.url.endsWith("/unknown") ? {} : { "content-length": "1234" },
        }),
    });
    const agent = oneConnection();
    const answered = await call(served, { method: "HEAD", agent });
    expect([answered.status, answered.headers["content-length"], answered.body.length]).toEqual([
      200,
      "1234",
      0,
    ]);
    const unknown = await call(served, { method: "HEAD", path: "/unknown", agent });
    expect([unknown.status, unknown.headers["content-length"]]).toEqual([200, undefined]);
    expect((await call(served, { agent })).body.toString()).toBe("x");
  });

  test("no body: 204 without a length, others with 0", async () => {
    const served = await serve(kind, {
      http: async (request) =>
        new Response(null, { status: Number(new URL(request.url).searchParams.get("s")) }),
    });
    const agent = oneConnection();
    const lengthOf = async (status: number) => {
      const answered = await call(served, { path: `/?s=${status}`, agent });
      expect([answered.status, answered.headers["transfer-encoding"]]).toEqual([status, undefined]);
      return answered.headers["content-length"];
    };
    expect([await lengthOf(204), await lengthOf(304), await lengthOf(200), await lengthOf(201)]).toEqual([
      undefined,
      undefined,
      "0",
      "0",
    ]);
  });

  test.each([0, 10, 900, 5_000])("a ready body of %i KiB arrives whole", async (kib) => {
    const bytes = randomBytes(kib * 1024);
    const served = await serve(kind, { http: async () => new Response(bytes) });
    const answered = await call(served, {});
    expect(answered.headers["content-length"]).toBe(String(bytes.length));
    expect(digest(answered.body)).toBe(digest(bytes));
  });

  test("a body that comes over time is passed on as it comes", async () => {
    const source = faucet();
    const served = await serve(kind, {
      http: async () => new Response(source.body, { headers: { "content-type": "text/event-stream" } }),
    });
    const peer = await RawPeer.connect(served.port);
    peer.send("GET /events HTTP/1.1", "host: a");
    for (const event of ["data: one\n\n", "data: two\n\n"]) {
      source.write(event);
      await waitUntil(`${event} arrives`, () => peer.text.includes(event));
    }
    expect(peer.text.toLowerCase()).toContain("transfer-encoding: chunked");
    expect(peer.text.toLowerCase()).not.toContain("content-length");
    source.end();
    await waitUntil("the body ends", () => peer.text.endsWith("\r\n0\r\n\r\n"));
  });

  test("a source that is silent is cancelled when its reader goes", async () => {
    let cancelled = false;
    const source = faucet(() => {
      cancelled = true;
    });
    const served = await serve(kind, { http: async () => new Response(source.body) });
    const peer = await RawPeer.connect(served.port);
    peer.send("GET /events HTTP/1.1", "host: a");
    source.write("begun");
    await waitUntil("it has begun", () => peer.text.includes("begun"));
    expect(cancelled).toBe(false);
    peer.tcp.destroy();
    await waitUntil("the source is cancelled", () => cancelled);
  });

  test("a proxied body arrives whole, whatever length it claimed", async () => {
    const bytes = randomBytes(3 * 1024 * 1024);
    const upstream = await serve(kind, { http: async () => new Response(bytes) });
    const served = await serve(kind, { http: () => fetch(urlOf(upstream)) });
    expect(digest((await call(served, {})).body)).toBe(digest(bytes));
  });

  test("an endless body is produced no faster than it is read, and cancelled when the reader goes", async () => {
    const chunk = Buffer.alloc(64 * 1024);
    let produced = 0;
    let cancelled = false;
    const served = await serve(kind, {
      http: async () =>
        new Response(
          new ReadableStream<Uint8Array>({
            pull: async (controller) => {
              // Gives the event loop a turn, as anything that reads a socket or a file does.
              await new Promise((resolve) => setImmediate(resolve));
              controller.enqueue(chunk);
              produced++;
            },
            cancel: () => {
              cancelled = true;
            },
          }),
        ),
    });
    const peer = await RawPeer.connect(served.port);
    peer.tcp.pause();
    peer.send("GET / HTTP/1.1", "host: a");
    let last = -1;
    await waitUntil(
      "production stands still",
      () => {
        const still = produced > 0 && produced === last;
        last = produced;
        return still;
      },
      { everyMs: 100 },
    );
    expect(produced * chunk.length).toBeLessThan(32 * 1024 * 1024);
    peer.tcp.resume();
    await waitUntil("it goes on", () => produced > last + 100);
    peer.tcp.destroy();
    await waitUntil("the source is cancelled", () => cancelled);
    expect(served.lines).toEqual([]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("bug");
      },
    ],
    ["rejects", () => Promise.reject(new Error("bug"))],
  ])("500 when the handler %s", async (_how, http) => {
    const served = await serve(kind, { http });
    const response = await fetch(urlOf(served));
    expect([response.status, await response.text()]).toEqual([500, "internal error"]);
    expect(served.lines).toMatchObject([{ level: "error", msg: "an http handler failed" }]);
  });

  test("a body that breaks half-way is not taken for a whole one", async () => {
    const source = faucet();
    const served = await serve(kind, { http: async () => new Response(source.body) });
    const peer = await RawPeer.connect(served.port);
    peer.send("GET / HTTP/1.1", "host: a");
    source.write("half");
    await waitUntil("half arrives", () => peer.text.includes("half"));
    source.fail();
    await waitUntil("the connection is cut", () => peer.ended);
    expect(peer.text).not.toContain("\r\n0\r\n\r\n");
    expect(served.lines).toMatchObject([{ level: "error", msg: "sending an http answer failed" }]);
  });

  test("close lets an answer under way finish, and cuts one that does not end", async () => {
    const slow = faucet();
    const endless = faucet();
    const served = await serve(kind, {
      http: async (request) => new Response(request.url.endsWith("slow") ? slow.body : endless.body),
    });
    const [first, second] = [await RawPeer.connect(served.port), await RawPeer.connect(served.port)];
    first.send("GET /slow HTTP/1.1", "host: a");
    second.send("GET /endless HTTP/1.1", "host: a");
    slow.write("begun");
    endless.write("begun");
    await waitUntil("both have begun", () => first.text.includes("begun") && second.text.includes("begun"));
    const closing = served.transport.close();
    slow.write("finished");
    slow.end();
    await waitUntil("the first is whole", () => first.text.endsWith("\r\n0\r\n\r\n"));
    expect(first.text).toContain("finished");
    await closing;
    await waitUntil("the second is cut", () => second.ended);
  });
});
