/** Who has no grant has no body read: on each route, over the wire, with a body of which nothing ever comes. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { VideoGrant } from "@muster/wire/video-grant";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROUTE_GRANTS, type RouteGrant } from "../src/rest/route-grants.js";
import { type RunningApi, runApi, token } from "./kit.js";
import { slowSender } from "./slow-sender.js";

let server: RedisServer;
let api: RunningApi;
beforeAll(async () => {
  server = await startRedis();
  api = await runApi(server);
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

const HUGE = { "content-type": "application/json", "content-length": String(9 * 1024 * 1024) };

/** The answer to a head alone. */
async function answered(path: string, method: string, headers: Record<string, string>) {
  const sender = slowSender(api.url + path, { method, headers: { ...HUGE, ...headers } });
  return await waitUntil(`${method} ${path} is answered`, () => sender.status !== undefined && sender);
}
const bearer = (video: Partial<VideoGrant>) => ({ authorization: `Bearer ${token(video)}` });

/** Each with the least that is too little for it. */
const TOO_LITTLE: Record<Exclude<RouteGrant, "none">, Partial<VideoGrant>[]> = {
  read_all: [
    { roomJoin: true, room: "a" },
    { roomAdmin: true, room: "a" },
  ],
  read_some: [{ roomJoin: true, room: "a" }],
  change_all: [{ roomList: true }, { roomAdmin: true, room: "a" }],
  change_some: [
    { roomJoin: true, room: "a" },
    { roomList: true, roomCreate: true },
  ],
  create_room: [{ roomCreate: true }, { roomAdmin: true }],
};
const ALL = { roomList: true, roomAdmin: true, roomCreate: true };

interface Operation {
  id: string;
  method: string;
  path: string;
}

async function operations(): Promise<Operation[]> {
  const document = (await (await fetch(`${api.url}/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId: id }]) => {
      return { id, method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, "x") };
    }),
  );
}

test("the table of grants has each operation, once, and no other", async () => {
  const ids = (await operations()).map(({ id }) => id);
  expect(Object.keys(ROUTE_GRANTS).sort()).toEqual([...ids].sort());
});

test("each operation of REST refuses before the body whoever has less than its grant", async () => {
  const asked = await operations();
  for (const { id, method, path } of asked) {
    const grant = ROUTE_GRANTS[id] ?? "none";
    if (grant === "none") continue;
    for (const video of TOO_LITTLE[grant]) {
      const { status } = await answered(path, method, bearer(video));
      expect(status, `${method} ${path} with ${JSON.stringify(video)}`).toBe(403);
    }
    expect((await answered(path, method, {})).status, `${method} ${path} without token`).toBe(401);
    const whole = await fetch(api.url + path, { method, headers: bearer(ALL) });
    await whole.body?.cancel();
    expect([401, 403], `${method} ${path} with all grants`).not.toContain(whole.status);
  }
}, 60_000);

test("what is no route has no body read", async () => {
  expect((await answered("/v1/nothing", "POST", bearer(ALL))).status).toBe(404);
});

test.each(["CreateDispatch", "DeleteDispatch", "ListDispatch"])(
  "%s refuses before the body whoever administers no room",
  async (method) => {
    const path = `/twirp/livekit.AgentDispatchService/${method}`;
    const refused = await answered(path, "POST", bearer({ roomJoin: true, roomList: true, room: "a" }));
    expect(refused.status).toBe(401);
    expect(refused.text).toContain("the token needs the grant video.roomAdmin");
    expect((await answered(path, "POST", {})).status).toBe(401);
  },
);

test("a webhook without LiveKit's signature has no body read", async () => {
  const headers = { authorization: token({ roomJoin: true, room: "a" }, { secret: "another" }) };
  expect((await answered("/webhook", "POST", headers)).status).toBe(401);
  // Signed with the right secret, and for no body.
  const { authorization } = bearer({ roomJoin: true, room: "a" });
  expect((await answered("/webhook", "POST", { authorization })).status).toBe(401);
});
