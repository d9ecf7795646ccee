/** What a person reads when Muster has started. */
import { expect, test } from "vitest";
import { type BannerFacts, banner } from "../src/banner.js";

const facts: BannerFacts = {
  version: "1.2.3",
  host: "0.0.0.0",
  port: 7880,
  transport: "uWebSockets.js",
  redis: "own redis-server (redis://127.0.0.1:20001)",
  dataDir: "/srv/muster/data",
  devKeys: true,
  workerLivekitUrl: undefined,
};

test("with nothing configured it can be copied from, and is loud about the keys and the missing media", () => {
  expect(banner(facts)).toBe(`
Muster 1.2.3 is ready on 0.0.0.0:7880 (uWebSockets.js)
  state        own redis-server (redis://127.0.0.1:20001), kept in /srv/muster/data
  workers      LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
  dispatches   any LiveKit server SDK, or: lk --url http://127.0.0.1:7880 dispatch create …
  look         http://127.0.0.1:7880/v1/openapi.json   http://127.0.0.1:7880/metrics
  media        none: dispatch works here, media does not. MUSTER_WORKER_LIVEKIT_URL=wss://… sends workers to one

  ! Everybody's keys are in force: devkey / secret. Whoever reaches this port can take jobs and make them.
  ! Give your own with MUSTER_KEYS="key: secret" before anybody else can reach it.

`);
});

test("while only this machine is listened to, it says so, and how to open it", () => {
  const local = banner({ ...facts, host: "127.0.0.1" });
  expect(local).toContain("devkey / secret. So only this machine is listened to, on 127.0.0.1.");
  expect(local).toContain('give your own with MUSTER_KEYS="key: secret"; or MUSTER_HOST=0.0.0.0');
  expect(local).not.toContain("Whoever reaches this port");
  for (const host of ["::1", "localhost"])
    expect(banner({ ...facts, host })).toContain(`listened to, on ${host}.`);
});

test("with keys, a Redis and a LiveKit of one's own it is calm", () => {
  const calm = banner({
    ...facts,
    host: "10.0.0.5",
    redis: "redis://redis:6379",
    dataDir: undefined,
    devKeys: false,
    workerLivekitUrl: "wss://media.example.com",
  });
  expect(calm).toContain("  state        redis://redis:6379\n");
  expect(calm).toContain(
    "LIVEKIT_URL=ws://10.0.0.5:7880 with LIVEKIT_API_KEY and LIVEKIT_API_SECRET as in MUSTER_KEYS",
  );
  expect(calm).toContain("  media        workers are sent to wss://media.example.com\n");
  expect(calm).not.toMatch(/!|devkey|secret/);
});

test("an address of IPv6 is written as urls want it", () => {
  expect(banner({ ...facts, host: "::1" })).toContain("LIVEKIT_URL=ws://[::1]:7880 ");
  expect(banner({ ...facts, host: "::" })).toContain("LIVEKIT_URL=ws://127.0.0.1:7880 ");
});
