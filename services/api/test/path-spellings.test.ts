/** A path has one spelling: another one of it is refused, or is nobody's, and never another route. */
import { request } from "node:http";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
  api = await kit.runApi(server);
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

/** As it is: fetch would tidy it up. */
function statusOf(path: string, host?: string): Promise<number | undefined> {
  const { hostname, port } = new URL(api.url);
  const headers = {
    authorization: `Bearer ${kit.token({ roomList: true })}`,
    ...(host !== undefined && { host }),
  };
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    call.once("error", reject).end();
  });
}

test.each([
  ["//metrics", 400],
  ["/v1/../metrics", 400],
  ["/v1/%2e%2e/metrics", 400],
  ["/v1/workers/..", 400],
  ["/v1/rules/%2e%2e", 400],
  ["/v1\\workers", 400],
  ["/v1//workers", 400],
  ["/%6detrics", 404],
  ["/metrics%2f", 404],
  ["/%76%31/workers", 404],
  ["/v1%2fworkers", 404],
  ["/v1%5cworkers", 404],
  ["/twirp%2flivekit.AgentDispatchService/ListDispatch", 404],
  ["/metrics/", 404],
  ["/v1/workers", 200],
  ["/metrics", 200],
])("%s: %i", async (path, status) => {
  expect(await statusOf(path)).toBe(status);
});

test("a host never changes the path", async () => {
  for (const host of ["x/metrics#", "x/metrics?", "x\\metrics", "x/healthz/../metrics#"])
    expect(await statusOf("/nowhere", host)).toBe(400);
  expect(await statusOf("/nowhere", "x")).toBe(404);
});
