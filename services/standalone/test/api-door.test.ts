/** The api's door in the one process, on either transport: what slow and greedy senders cost it, while honest calls go on. */

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { waitUntil } from "@muster/test/kit/wait-until";
import { signAccessToken } from "@muster/wire/access-token";
import { AgentDispatchClient } from "livekit-server-sdk";
import { expect, test } from "vitest";
import { cleanUp, runMuster, temporaryFolder } from "./standalone-kit.js";

const MIB = 1024 * 1024;
const UPLOADS = 40;

/** A sender of 9 MiB that never ends, and the status that it was answered. */
function upload(url: string, video: object, identity: string): { socket: Socket; status: () => string } {
  const { hostname, port } = new URL(url);
  const grant = { apiKey: "devkey", apiSecret: "secret", nowMs: Date.now(), identity, video };
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (part) => (text += String(part)));
  socket.on("error", () => {});
  socket.write(
    "POST /twirp/livekit.AgentDispatchService/CreateDispatch HTTP/1.1\r\nhost: x\r\n" +
      `authorization: Bearer ${signAccessToken(grant)}\r\n` +
      `content-type: application/json\r\ncontent-length: ${9 * MIB + 1}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(9 * MIB, " "));
  cleanUp(() => void socket.destroy());
  return { socket, status: () => text.slice(9, 12) };
}

const rssBytes = (pid: number) =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

test.each(["uws", "ws"])(
  "uploads that do not end cost their share and no more (%s)",
  async (transport) => {
    const muster = await runMuster({
      env: { MUSTER_DATA_DIR: temporaryFolder(), MUSTER_TRANSPORT: transport },
    });
    await muster.ready();
    const before = rssBytes(muster.pid);
    const dispatches = new AgentDispatchClient(muster.url, "devkey", "secret");
    const joiners = Array.from({ length: UPLOADS }, (_, at) =>
      upload(muster.url, { roomJoin: true, room: "r" }, `caller-${at}`),
    );
    await waitUntil("each is refused", () => joiners.every(({ status }) => status() === "401"), {
      deadlineMs: 20_000,
    });
    const admins = Array.from({ length: UPLOADS }, (_, at) =>
      upload(muster.url, { roomAdmin: true, room: "r" }, `admin-${at % 4}`),
    );
    await waitUntil(
      "who is beyond a share, or all of them, is refused",
      () => admins.filter(({ status }) => status() === "429" || status() === "503").length >= UPLOADS - 6,
      { deadlineMs: 20_000 },
    );
    expect((await dispatches.createDispatch("room", "agent")).id).toMatch(/^AD_/);
    expect(rssBytes(muster.pid) - before).toBeLessThan(250 * MIB);
  },
  60_000,
);
