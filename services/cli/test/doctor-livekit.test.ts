/**
 * The doctor beside a real livekit-server: what it takes from the stand-in's answers must be what LiveKit answers. Runs where
 * one is at hand.
 */
import { freePort } from "@muster/test/kit/ports";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { type ServiceProcess, startService } from "@muster/test/kit/service-process";
import { waitUntil } from "@muster/test/kit/wait-until";
import {
  LIVEKIT_SERVER_BIN,
  type LivekitServer,
  startLivekitServer,
} from "@muster/test/livekit/livekit-server";
import { People } from "@muster/test/livekit/people";
import { RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diagnose, type Env, SECRET, verdicts } from "./doctor-kit.js";

const KEY = "doctor-key";
const ONLY = ["livekit", "worker-livekit-url", "room-creation", "webhook", "stale-participants", "clock"];

describe.skipIf(LIVEKIT_SERVER_BIN === "")("beside a real livekit-server", () => {
  let redis: RedisServer;
  let livekit: LivekitServer;
  let closed: LivekitServer;
  let api: ServiceProcess;
  let env: Env;

  beforeAll(async () => {
    redis = await startRedis();
    const apiPort = await freePort();
    const keys = { apiKey: KEY, apiSecret: SECRET };
    const webhookUrl = `http://127.0.0.1:${apiPort}/webhook`;
    const nobody = `http://127.0.0.1:${await freePort()}/webhook`;
    [livekit, closed] = await Promise.all([
      startLivekitServer({ ...keys, redis, webhookUrl }),
      startLivekitServer({ ...keys, redis: await anotherRedis(), webhookUrl: nobody, autoCreate: false }),
    ]);
    env = {
      ...{ MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: `${KEY}: ${SECRET}`, MUSTER_HOST: "127.0.0.1" },
      ...{ MUSTER_LIVEKIT_URL: livekit.url, MUSTER_WORKER_LIVEKIT_URL: livekit.wsUrl },
    };
    const { MUSTER_WORKER_LIVEKIT_URL: _, ...ofApi } = env;
    api = await startService("api", { ...ofApi, MUSTER_PORT: String(apiPort), MUSTER_DRAIN_MS: "0" });
  });
  afterAll(async () => {
    await api?.stop();
    await Promise.all([livekit?.kill(), closed?.kill()]);
    await Promise.all([redis?.stop(), ...others.map((one) => one.stop())]);
  });

  const others: RedisServer[] = [];
  async function anotherRedis(): Promise<RedisServer> {
    const started = await startRedis();
    others.push(started);
    return started;
  }

  test("in good health: its webhooks come, and no room of the doctor's is left", async () => {
    const found = await diagnose({ ...env, MUSTER_API_URL: api.url }, { only: ONLY });
    expect(verdicts(found), JSON.stringify(found.all)).toEqual({
      ...{ clock: "ok", "livekit-reach": "ok", "livekit-keys": "ok", "worker-livekit-url": "ok" },
      ...{ "room-creation": "ok", webhook: "ok", "stale-participants": "ok" },
    });
    expect(found.said("room-creation")).toContain("LiveKit makes a room when somebody joins it");
    expect(await new RoomServiceClient(livekit.url, KEY, SECRET).listRooms()).toEqual([]);
  });

  test("a key that it does not know, and one with another secret", async () => {
    const keys = `${KEY}: not-${SECRET}, other: ${SECRET}`;
    const found = await diagnose(
      { ...env, MUSTER_KEYS: keys, MUSTER_LIVEKIT_KEYS: `${KEY}: ${SECRET}` },
      { only: ["livekit-keys"] },
    );
    expect(found.troubles).toEqual({ "livekit-keys": "fail" });
    expect(found.said("livekit-keys")).toMatch(
      /another secret for the key doctor-key[\s\S]*does not know the key other/,
    );
    expect(JSON.stringify(found.all)).not.toContain(SECRET);
  });

  test("rooms that nobody makes, and webhooks that go elsewhere", async () => {
    const found = await diagnose(
      { ...env, MUSTER_LIVEKIT_URL: closed.url, MUSTER_CREATE_ROOMS: "false" },
      { only: ONLY },
    );
    expect(found.troubles).toEqual({ "room-creation": "warn", webhook: "fail" });
    expect(await new RoomServiceClient(closed.url, KEY, SECRET).listRooms()).toEqual([]);
  });

  test("a node that died with somebody in a room, who did not come back", async () => {
    const people = new People({ server: livekit, apiKey: KEY, apiSecret: SECRET });
    const rooms = new RoomServiceClient(livekit.url, KEY, SECRET);
    const ann = await people.join("ann", "calls");
    await waitUntil("she is listed", async () => (await rooms.listParticipants("calls")).length > 0);
    await livekit.kill();
    await ann.leave();
    await livekit.start();
    const found = await diagnose(env, { only: ["stale-participants"] });
    expect(found.troubles).toEqual({ "stale-participants": "warn" });
    expect(found.said("stale-participants")).toContain("calls");
  });
});
