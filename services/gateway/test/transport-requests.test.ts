/**
 * What every transport promises of HTTP requests, run on each of them: they arrive as they were sent, bounded, streamed,
 * and leave no trace when the peer goes away.
 */
import { randomBytes } from "node:crypto";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";
import { call, oneConnection, urlOf } from "./transport-http-kit.js";
import { cleanUp, digest, KINDS, RawPeer, serve } from "./transport-kit.js";

afterEach(cleanUp);

describe.each(KINDS)("requests on %s", (kind) => {
  test.each(["POST", "PUT", "PATCH", "DELETE"])("%s arrives as it was sent", async (method) => {
    const served = await serve(kind, {
      http: async (request, remoteAddress) =>
        Response.json({
          method: request.method,
          url: request.url,
          own: request.headers.get("x-own"),
          body: await request.text(),
          remoteAddress,
        }),
    });
    const response = await fetch(urlOf(served, "/twirp/a.B/C?x=1&y=%20"), {
      method,
      headers: { "X-Own": "a, b" },
      body: '{"room":"grüße"}',
    });
    expect(await response.json()).toEqual({
      method,
      url: urlOf(served, "/twirp/a.B/C?x=1&y=%20"),
      own: "a, b",
      body: '{"room":"grüße"}',
      remoteAddress: "127.0.0.1",
    });
  });

  test("GET has no body, an empty POST an empty one", async () => {
    const served = await serve(kind, {
      http: async (request) =>
        Response.json([request.body === null, (await request.arrayBuffer()).byteLength]),
    });
    expect(await (await fetch(urlOf(served))).json()).toEqual([true, 0]);
    expect(await (await fetch(urlOf(served), { method: "POST" })).json()).toEqual([true, 0]);
  });

  test("the request is fetch's in every member", async () => {
    const seen: unknown[] = [];
    const served = await serve(kind, {
      http: async (request) => {
        const copy = request.clone();
        seen.push(
          request instanceof Request,
          request.bodyUsed,
          request.redirect,
          (await copy.formData()).get("a"),
        );
        const passedOn = new Request("http://elsewhere/", {
          method: request.method,
          headers: request.headers,
          body: request.body,
          signal: request.signal,
          duplex: "half",
        });
        seen.push(passedOn.headers.get("x-own"), await passedOn.text(), request.bodyUsed);
        return new Response();
      },
    });
    await fetch(urlOf(served), {
      method: "POST",
      headers: { "x-own": "1" },
      body: new URLSearchParams({ a: "b" }),
    });
    expect(served.lines).toEqual([]);
    expect(seen).toEqual([true, false, "follow", "b", "1", "a=b", true]);
  });

  test("a body is read once, as text, json or bytes", async () => {
    const served = await serve(kind, {
      http: async (request) => {
        const way = new URL(request.url).searchParams.get("way");
        if (way === "json") return Response.json([await request.json(), request.bodyUsed]);
        if (way === "bytes") return new Response((await request.arrayBuffer()).slice(1, 3));
        await request.text();
        return new Response(await request.text().catch((error: Error) => error.name));
      },
    });
    const post = async (way: string) =>
      (await fetch(urlOf(served, `/?way=${way}`), { method: "POST", body: '{"a":1}' })).text();
    expect([await post("json"), await post("bytes"), await post("twice")]).toEqual([
      '[{"a":1},true]',
      '"a',
      "TypeError",
    ]);
  });

  test.each([1, 200, 5_000])("a body of %i KiB arrives whole", async (kib) => {
    const served = await serve(kind, {
      maxBodyBytes: 10 * 1024 * 1024,
      http: async (request) => new Response(digest(Buffer.from(await request.arrayBuffer()))),
    });
    const body = randomBytes(kib * 1024);
    const response = await fetch(urlOf(served), { method: "POST", body });
    expect(await response.text()).toBe(digest(body));
  });

  test("a chunked body can be read while it comes", async () => {
    const seen: string[] = [];
    const served = await serve(kind, {
      http: async (request) => {
        for await (const part of request.body ?? []) seen.push(Buffer.from(part).toString());
        return new Response(seen.join("|"));
      },
    });
    const peer = await RawPeer.connect(served.port);
    peer.send("POST / HTTP/1.1", "host: a", "transfer-encoding: chunked", "connection: close");
    for (const part of ["first", "second", "third"]) {
      peer.tcp.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      await waitUntil(`${part} is read`, () => seen.at(-1) === part);
    }
    peer.tcp.write("0\r\n\r\n");
    await waitUntil("the answer comes", () => peer.text.includes("first|second|third"));
  });

  test("headers up to 15 KiB are taken", async () => {
    const served = await serve(kind, {
      http: async (request) => new Response(String(request.headers.get("x-long")?.length)),
    });
    expect(await (await fetch(urlOf(served), { headers: { "x-long": "x".repeat(15_000) } })).text()).toBe(
      "15000",
    );
  });

  test("413 for a body that announces too much, without asking the handler", async () => {
    let asked = 0;
    const served = await serve(kind, {
      maxBodyBytes: 1000,
      http: async () => {
        asked++;
        return new Response("ok");
      },
    });
    const response = await fetch(urlOf(served), { method: "POST", body: Buffer.alloc(300_000) });
    expect([response.status, await response.text()]).toEqual([413, "body above 1000 bytes"]);
    expect(asked).toBe(0);
    expect((await fetch(urlOf(served), { method: "POST", body: Buffer.alloc(1000) })).status).toBe(200);
  });

  test("413 for a body that turns out too large, and the handler's read fails", async () => {
    const failures: string[] = [];
    const served = await serve(kind, {
      maxBodyBytes: 1000,
      http: async (request) => {
        try {
          return new Response(await request.text());
        } catch (error) {
          failures.push(String(error));
          throw error;
        }
      },
    });
    const peer = await RawPeer.connect(served.port);
    peer.send("POST / HTTP/1.1", "host: a", "transfer-encoding: chunked");
    peer.tcp.write(`2bc\r\n${"x".repeat(700)}\r\n`);
    peer.tcp.write(`2bc\r\n${"x".repeat(700)}\r\n`);
    await waitUntil("the answer comes", () => peer.text.includes("body above 1000 bytes"));
    expect(peer.text).toMatch(/^HTTP\/1\.1 413 /);
    await waitUntil("the read fails", () => failures.length);
    expect(failures).toEqual(["Error: body above 1000 bytes"]);
    expect(served.lines).toEqual([]);
    expect((await fetch(urlOf(served), { method: "POST", body: "y" })).status).toBe(200);
  });

  test("a body that nobody reads does not stand in the way of the next request", async () => {
    const served = await serve(kind, {
      maxBodyBytes: 10 * 1024 * 1024,
      http: async (request) => new Response(request.method),
    });
    const agent = oneConnection();
    for (const method of ["POST", "PUT", "POST"]) {
      const answered = await call(served, { method, agent }, Buffer.alloc(4 * 1024 * 1024));
      expect(answered.body.toString()).toBe(method);
    }
    expect((await call(served, { agent })).body.toString()).toBe("GET");
  });

  test("400 for what fetch cannot express", async () => {
    const served = await serve(kind);
    const agent = oneConnection();
    const answered = await call(served, { method: "TRACE", agent });
    expect([answered.status, answered.body.toString()]).toEqual([
      400,
      expect.stringContaining("bad request: "),
    ]);
    expect((await call(served, { agent })).status).toBe(200);
  });

  test("the signal aborts when the peer goes away", async () => {
    const signals: AbortSignal[] = [];
    const served = await serve(kind, {
      http: (request) => {
        signals.push(request.signal);
        return new Promise((_resolve, reject) => {
          request.signal.addEventListener("abort", () => reject(new Error("aborted")));
        });
      },
    });
    const peer = await RawPeer.connect(served.port);
    peer.send("GET / HTTP/1.1", "host: a");
    const signal = await waitUntil("the handler is called", () => signals[0]);
    expect(signal.aborted).toBe(false);
    peer.tcp.destroy();
    await waitUntil("the signal aborts", () => signal.aborted);
    expect(served.lines).toEqual([]);
  });

  test("a peer that goes away in the middle of its body fails the read, and nothing is logged", async () => {
    const failures: unknown[] = [];
    const served = await serve(kind, {
      http: async (request) => {
        try {
          return new Response(await request.text());
        } catch (error) {
          failures.push(error);
          throw error;
        }
      },
    });
    const peer = await RawPeer.connect(served.port);
    peer.send("POST / HTTP/1.1", "host: a", "content-length: 1000");
    peer.tcp.write("half of it");
    await waitUntil("it is read", async () => (await fetch(urlOf(served), { method: "POST", body: "x" })).ok);
    peer.tcp.destroy();
    await waitUntil("the read fails", () => failures.length);
    expect(served.lines).toEqual([]);
  });
});
