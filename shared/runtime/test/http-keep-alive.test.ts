/** Connections between two requests: how long they stay open, and that they do not hold up the end. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createLog } from "@muster/runtime/log";
import { type HttpServer, serveHttp } from "@muster/runtime/serve-http";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, expect, test } from "vitest";

const log = createLog({ level: "silent", service: "test" });
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Fetch = () => Response | Promise<Response>;

async function serve(fetch: Fetch = () => new Response("hi"), keepAliveMs?: number): Promise<HttpServer> {
  const server = await serveHttp({
    ...{ host: "127.0.0.1", port: 0, fetch, log },
    ...(keepAliveMs !== undefined && { keepAliveMs }),
  });
  ends.push(() => server.close());
  return server;
}

async function peerOf({ port }: HttpServer) {
  const socket: Socket = connect(port, "127.0.0.1");
  ends.push(() => socket.destroy());
  await once(socket, "connect");
  let text = "";
  socket.on("data", (chunk) => {
    text += String(chunk);
  });
  return {
    isClosed: () => socket.closed || socket.readableEnded,
    answers: () => text.split("HTTP/1.1 200 OK").length - 1,
    text: () => text,
    ask: () => void socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
  };
}

test("a connection is kept longer than balancers keep theirs: 620 s", async () => {
  const peer = await peerOf(await serve());
  peer.ask();
  await waitUntil("it is answered", () => peer.answers() === 1);
  expect(peer.text().toLowerCase()).toContain("keep-alive: timeout=620\r\n");
});

test("it is used again after a while, and closed when that is over", async () => {
  const peer = await peerOf(await serve(undefined, 1_500));
  peer.ask();
  await waitUntil("it is answered", () => peer.answers() === 1);
  const idleSince = performance.now();
  await waitUntil("it was idle for a while", () => performance.now() - idleSince > 700);
  peer.ask();
  await waitUntil("it is answered again", () => peer.answers() === 2);
  await waitUntil("it is closed", () => peer.isClosed(), { deadlineMs: 5_000 });
  expect(performance.now() - idleSince).toBeGreaterThan(700 + 1_400);
});

test("an idle connection does not hold up the end", async () => {
  const server = await serve();
  const peer = await peerOf(server);
  peer.ask();
  await waitUntil("it is answered", () => peer.answers() === 1);
  const startedAt = performance.now();
  await server.close();
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("nor does one that is answered after the end began", async () => {
  let answer: ((response: Response) => void) | undefined;
  const server = await serve(() => new Promise((resolve) => (answer = resolve)));
  const peer = await peerOf(server);
  peer.ask();
  await waitUntil("it is asked", () => answer !== undefined);
  const startedAt = performance.now();
  const closed = server.close();
  answer?.(new Response("late"));
  await closed;
  expect(peer.answers()).toBe(1);
  // Cut are connections after 5 s.
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
