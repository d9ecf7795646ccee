/**
 * What a real livekit-server said (fixtures/, written by real-rooms.test), played back in many ways: it is let in, and the
 * jobs are for whom livekit-server listed at the end, without asking it.
 */
import { createHash } from "node:crypto";
import { signAccessToken } from "@muster/wire/access-token";
import { requireDigestOf, verifyWebhookToken } from "@muster/wire/webhook-token";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { API_KEY, API_SECRET, keys, type RunningApi, runApi } from "../../services/api/test/kit.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { type Fixture, readFixtures } from "./fixture.js";
import { orderEveryKind } from "./room-orders.js";
import { STORIES } from "./stories.js";
import type { TappedWebhook } from "./webhook-tap.js";

const fixtures = readFixtures();
const TOKEN_TTL_MS = 60_000;
/** Nobody tells that whoever was there when a node crashed is gone: a look at the whole room finds them replaced. */
const ROUND_MS = 200;

let redis: RedisServer;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  api = await runApi(redis, { roomsEveryMs: ROUND_MS });
});
afterEach(async () => {
  await api.stop();
  await redis.flush();
});
afterAll(() => redis.stop());

it("every story is recorded", () => {
  expect(fixtures.map(({ story }) => story).sort()).toEqual(STORIES.map(({ name }) => name).sort());
});

describe.each(fixtures)("$story, as $version told it", (fixture) => {
  const { webhooks } = fixture;

  it("is signed for its bytes", () => {
    expect(webhooks.length).toBeGreaterThan(0);
    for (const { authorization, body, atMs } of webhooks) {
      const digest = verifyWebhookToken(authorization, keys, atMs);
      expect(() => requireDigestOf(Buffer.from(body), digest)).not.toThrow();
    }
  });

  it.each([
    ["in its order", webhooks],
    ["backwards", [...webhooks].reverse()],
    ["each twice", webhooks.flatMap((webhook) => [webhook, webhook])],
    ["all of it twice", [...webhooks, ...webhooks]],
  ])("leads to the jobs of who was there: %s", (_, told) => leadsToTheJobs(fixture, told));

  it("leads to the jobs of who was there: shuffled", async () => {
    const orders = fc.shuffledSubarray(webhooks, { minLength: webhooks.length });
    await fc.assert(
      fc.asyncProperty(orders, async (told) => {
        await redis.flush();
        await leadsToTheJobs(fixture, told);
      }),
      { numRuns: 5 },
    );
  });
});

async function leadsToTheJobs({ room, there }: Fixture, told: readonly TappedWebhook[]): Promise<void> {
  const orders = await orderEveryKind(api, room);
  for (const { body } of told) await tell(body);
  await waitUntil("the jobs are for who was there", () => orders.areFor(there));
}

/** The very bytes; signed anew, since a token lasts for minutes only. */
async function tell(body: string): Promise<void> {
  const sha256 = createHash("sha256").update(body).digest("base64");
  const signed = { apiKey: API_KEY, apiSecret: API_SECRET, nowMs: Date.now(), ttlMs: TOKEN_TTL_MS, sha256 };
  const headers = { authorization: signAccessToken(signed), "content-type": "application/webhook+json" };
  const answer = await fetch(`${api.url}/webhook`, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
}
