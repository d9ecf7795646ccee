/**
 * What becomes of an HTTP connection between two requests. A proxy keeps it for a minute and more; what it sends on one
 * that we are closing is lost, and its client gets 502.
 */
import { afterEach, describe, expect, test } from "vitest";
import { call, faucet, oneConnection } from "./transport-http-kit.js";
import { cleanUp, serve } from "./transport-kit.js";

afterEach(cleanUp);

const FORWARDED = { "x-forwarded-for": "192.0.2.7" };

describe("idle connections on uWebSockets.js, which closes them after about 30 s", () => {
  test.each([
    ["a whole answer", () => "whole"],
    ["no body", () => null],
    ["an answer in parts", () => inParts()],
  ])("a proxy is told to close after %s", async (_, body) => {
    const served = await serve("uWebSockets.js", { http: async () => new Response(body()) });
    const agent = oneConnection();
    const forwarded = await call(served, { agent, headers: FORWARDED });
    expect(forwarded.headers.connection).toBe("close");
    // The agent opens another.
    expect((await call(served, { agent, headers: FORWARDED })).status).toBe(200);
  });

  test("a client of its own keeps its connection", async () => {
    const served = await serve("uWebSockets.js");
    expect((await call(served, { agent: oneConnection() })).headers.connection).not.toBe("close");
  });
});

describe("idle connections on ws", () => {
  test("are kept for as long as it is told", async () => {
    const served = await serve("ws", { keepAliveMs: 90_000 });
    const answered = await call(served, { agent: oneConnection(), headers: FORWARDED });
    expect(answered.headers["keep-alive"]).toBe("timeout=90");
  });

  test("are kept longer than by usual balancers, unless it is told", async () => {
    const answered = await call(await serve("ws"), { agent: oneConnection() });
    expect(answered.headers["keep-alive"]).toBe("timeout=620");
  });
});

function inParts() {
  const parts = faucet();
  parts.write("first ");
  setImmediate(() =>
    setImmediate(() => {
      parts.write("second");
      parts.end();
    }),
  );
  return parts.body;
}
