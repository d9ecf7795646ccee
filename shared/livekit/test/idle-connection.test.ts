/** A connection to LiveKit that is idle is closed by Muster, long before a balancer on the way would. */

import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, expect, test } from "vitest";
import { post } from "../src/post.js";

const sockets = new Set<Socket>();
/** As Go's: it closes no idle connection, and announces nothing. */
const server = createServer({ keepAliveTimeout: 0 }, (_, response) => {
  response.setHeader("content-type", "application/protobuf");
  response.end();
});
server.on("connection", (socket) => sockets.add(socket));
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** Of an nginx, an AWS balancer. */
const BALANCER_MS = 60_000;

test("it is used again at once, and closed by us within a small part of a balancer's time", async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const signal = AbortSignal.timeout(10_000);
  const request = { url: `http://127.0.0.1:${port}/`, method: "X", token: "t", body: new Uint8Array([1]) };
  for (let i = 0; i < 3; i++) await post({ ...request, timeoutMs: 1_000, signal });
  expect(sockets.size).toBe(1);
  await waitUntil("we close it", () => [...sockets].every((one) => one.closed), {
    deadlineMs: BALANCER_MS / 6,
    everyMs: 100,
  });
});
