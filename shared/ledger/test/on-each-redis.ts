/**
 * Owns where the ledger's suites run: each on one Redis and on a Cluster of three, every test in a namespace of its own
 * whose keys are held against each other when it ends.
 */

import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";
import { assertConsistent } from "./consistency.js";
import { Scene } from "./scene.js";

export function onEachRedis(subject: string, tests: (scene: () => Scene) => void): void {
  describe.each(["single", "cluster"] as const)(`${subject} on a %s Redis`, (kind) => {
    let redis: RedisServer | RedisCluster;
    let client: RedisClient;
    let scene: Scene;
    beforeAll(async () => {
      redis = kind === "single" ? await startRedis() : await startRedisCluster();
      client = redis.client();
    });
    afterAll(() => redis?.stop());
    beforeEach(() => {
      scene = new Scene(client);
    });
    afterEach(() => assertConsistent(client, scene.namespace, scene.nowMs));
    tests(() => scene);
  });
}
