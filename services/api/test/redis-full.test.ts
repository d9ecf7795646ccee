/** Redis that is there and takes nothing more is called full, with what to do: in answers, in readiness, over the wire. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningApi, runApi } from "./kit.js";

let server: RedisServer;
let api: RunningApi;
beforeAll(async () => {
  server = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
  api = await runApi(server);
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

const create = (room: string) => api.twirp("CreateDispatch", { room, agent_name: "a" } as { room: string });
const ready = async () => {
  const answer = await fetch(`${api.url}/readyz`);
  return { status: answer.status, body: (await answer.json()) as unknown };
};

test("a full Redis: calls and readiness say so and what to do, and go on when there is room", async () => {
  expect((await create("r")).status).toBe(200);
  expect(await ready()).toEqual({ status: 200, body: { status: "ready" } });
  const admin = server.client();
  await admin.config("SET", "maxmemory", "1mb");

  const full = expect.stringMatching(/^Redis is full \(maxmemory\); give it more memory/);
  const refused = await create("s");
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ code: "unavailable", msg: full });
  const rest = await api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true }, headers: { "content-type": "application/json" } },
    body: JSON.stringify({ room: "s", agent_name: "a" }),
  });
  expect(await rest.json()).toMatchObject({ status: 503, code: "unavailable", message: full });
  // What is only read is answered.
  expect((await api.rest("/v1/orders")).status).toBe(200);
  expect(await ready()).toEqual({
    status: 503,
    body: { status: "not ready", failing: ["redis"], reasons: { redis: full } },
  });

  await admin.config("SET", "maxmemory", "0");
  await waitUntil("it is ready again", async () => (await ready()).status === 200);
  expect((await create("s")).status).toBe(200);
});
