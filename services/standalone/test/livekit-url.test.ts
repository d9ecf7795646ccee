/** MUSTER_LIVEKIT_URL in the one process: what is LiveKit's goes there, on either transport, and the rest stays. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { freePort } from "@muster/test/kit/ports";
import { AgentDispatchClient, RoomServiceClient } from "livekit-server-sdk";
import { expect, test } from "vitest";
import { cleanUp, runMuster, temporaryFolder } from "./standalone-kit.js";

const ROOM = "x".repeat(3 * 1024 * 1024);

/** Answers any call with its body, as it comes. */
async function livekit() {
  const seen: { path: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((req, res) => {
    seen.push({ path: req.url, headers: req.headers });
    res.setHeader("content-type", "application/json");
    req.pipe(res);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  cleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `ws://127.0.0.1:${port}`, seen };
}

test.each(["uws", "ws"])("rooms are managed there, dispatches made here (%s)", async (transport) => {
  const { url, seen } = await livekit();
  const muster = await runMuster({
    env: { MUSTER_DATA_DIR: temporaryFolder(), MUSTER_LIVEKIT_URL: url, MUSTER_TRANSPORT: transport },
  });
  await muster.ready();
  const rooms = new RoomServiceClient(muster.url, "devkey", "secret");
  expect((await rooms.createRoom({ name: ROOM })).name).toBe(ROOM);
  // Beside what is passed on, Muster asks for the rooms there are, in its own name.
  const passedOn = () => seen.filter(({ path }) => path !== "/twirp/livekit.RoomService/ListRooms");
  expect(passedOn()).toHaveLength(1);
  expect(passedOn()[0]?.path).toBe("/twirp/livekit.RoomService/CreateRoom");
  expect(passedOn()[0]?.headers["x-forwarded-for"]).toBe("127.0.0.1");
  const dispatches = new AgentDispatchClient(muster.url, "devkey", "secret");
  expect((await dispatches.createDispatch("room", "agent")).id).toMatch(/^AD_/);
  expect(passedOn()).toHaveLength(1);
  expect(await (await fetch(`${muster.url}/rtc`)).text()).toContain(`at ${url}`);
});
