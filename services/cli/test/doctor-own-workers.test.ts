/** What the doctor says of workers at livekit-server itself: of those that were just seen, that are gone, and when nobody could see any. */
import { OwnWorkers } from "@muster/livekit/own-workers";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Diagnosis, diagnose, type Env, SECRET, verdicts } from "./doctor-kit.js";

const KEY = "doctor-key";
const AGO_MS = 40_000;

let redis: RedisServer;
let livekit: LivekitStandIn;
let seen: OwnWorkers;
let env: Env;

beforeAll(async () => {
  redis = await startRedis({ appendOnly: true });
  livekit = await startLivekitStandIn({ apiKey: KEY, apiSecret: SECRET });
  seen = new OwnWorkers(redis.client());
  env = {
    ...{ MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: `${KEY}: ${SECRET}`, MUSTER_HOST: "127.0.0.1" },
    MUSTER_LIVEKIT_URL: livekit.url,
  };
});
afterAll(async () => {
  await livekit?.stop();
  await redis?.stop();
});
beforeEach(async () => {
  await redis.client().flushall();
});

const look = (given: Env = {}): Promise<Diagnosis> =>
  diagnose({ ...env, ...given }, { only: ["own-workers"] });
const verdict = (found: Diagnosis) => verdicts(found)["own-workers"];

test("none was seen: well, where LiveKit answers; else there was nothing to see with", async () => {
  const { MUSTER_LIVEKIT_URL: _, ...alone } = env;
  expect(verdict(await look())).toBe("ok");
  const silent = await look({ MUSTER_LIVEKIT_URL: `http://127.0.0.1:${await freePort()}` });
  expect([verdict(silent), silent.said("own-workers")]).toEqual([
    "skipped",
    expect.stringContaining("LiveKit did not answer"),
  ]);
  const unknown = await diagnose(alone, { only: ["own-workers"] });
  expect([verdict(unknown), unknown.said("own-workers")]).toEqual([
    "skipped",
    expect.stringContaining("MUSTER_LIVEKIT_URL is not set"),
  ]);
});

test("one that was seen is named, with when; also while LiveKit does not answer", async () => {
  await seen.note(["greeter"], Date.now() - AGO_MS);
  for (const given of [{}, { MUSTER_LIVEKIT_URL: `http://127.0.0.1:${await freePort()}` }]) {
    const found = await look(given);
    expect(verdict(found)).toBe("warn");
    expect(found.said("own-workers")).toMatch(
      /greeter \(seen 4\d s ago\) are registered at livekit-server itself/,
    );
  }
});

test("one whose next dispatch was not claimed is still told, as one that may be gone", async () => {
  await seen.note(["greeter", "scribe"], Date.now() - AGO_MS);
  await seen.forget(["greeter"]);
  const found = await look();
  expect(verdict(found)).toBe("warn");
  expect(found.said("own-workers")).toMatch(/scribe \(seen 4\d s ago\) are registered/);
  expect(found.said("own-workers")).toMatch(
    /greeter \(seen 4\d s ago\) were registered at livekit-server itself/,
  );
});

test("what is an hour old says nothing", async () => {
  await seen.note(["greeter"], Date.now() - 3_601_000);
  await seen.forget(["greeter"]);
  expect(verdict(await look())).toBe("ok");
});
