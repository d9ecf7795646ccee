/** A gateway whose Redis is there and takes nothing more says so in its readiness, as apis and dispatchers do. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, expect, it } from "vitest";
import { bench, cleanUp, type RunningGateway, stopRedis } from "./gateway-kit.js";

afterEach(async () => {
  await cleanUp();
  await stopRedis();
});
afterAll(stopRedis);

async function ready(gateway: RunningGateway) {
  const answer = await fetch(`${gateway.url}/readyz`);
  return { status: answer.status, body: (await answer.json()) as unknown };
}

it("names a full Redis and what to do, until there is room", async () => {
  const test = await bench();
  const gateway = await test.start();
  expect(await ready(gateway)).toEqual({ status: 200, body: { status: "ready" } });
  const admin = test.redis.client();
  await admin.config("SET", "maxmemory-policy", "noeviction");
  await admin.config("SET", "maxmemory", "1mb");
  const { status, body } = await ready(gateway);
  expect(status).toBe(503);
  expect(body).toMatchObject({
    failing: expect.arrayContaining(["redis"]),
    reasons: { redis: expect.stringMatching(/^Redis is full \(maxmemory\); give it more memory/) },
  });
  await admin.config("SET", "maxmemory", "0");
  await waitUntil("it is ready again", async () => (await ready(gateway)).status === 200);
});
