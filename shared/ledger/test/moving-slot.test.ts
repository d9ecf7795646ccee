import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namespaceTag } from "../src/keys.js";
import { assertConsistent } from "./consistency.js";
import { Scene } from "./scene.js";
import { readNamespace } from "./snapshot.js";

describe("a slot on its way to another node", () => {
  let redis: RedisCluster;
  let client: RedisClient;
  beforeAll(async () => {
    redis = await startRedisCluster();
    client = redis.client();
  });
  afterAll(() => redis?.stop());

  /** Begins to move the namespace's slot, with or without its keys; `finish` ends it on the new node. */
  async function move(namespace: string, moved: (key: string) => boolean) {
    const nodes = await Promise.all(
      redis.nodes.map(async (server) => {
        const node = server.client();
        return { server, node, id: String(await node.call("CLUSTER", "MYID")) };
      }),
    );
    const slot = String(await nodes[0]?.node.call("CLUSTER", "KEYSLOT", namespaceTag(namespace)));
    const holds = await Promise.all(nodes.map(({ node }) => node.call("CLUSTER", "COUNTKEYSINSLOT", slot)));
    const from = nodes[holds.findIndex((count) => Number(count) > 0)];
    const to = nodes.find((node) => node !== from);
    if (from === undefined || to === undefined) throw new Error("no node holds the slot");
    const migrate = async (wanted: (key: string) => boolean) => {
      const keys = (await from.node.call("CLUSTER", "GETKEYSINSLOT", slot, "1000")) as string[];
      for (const key of keys.filter(wanted)) {
        await from.node.call("MIGRATE", "127.0.0.1", String(to.server.port), key, "0", "5000");
      }
    };
    await to.node.call("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    await from.node.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    await migrate(moved);
    return {
      from,
      async finish() {
        await migrate(() => true);
        for (const { node } of [to, from]) await node.call("CLUSTER", "SETSLOT", slot, "NODE", to.id);
      },
    };
  }

  test.each([
    ["none of its keys", () => false],
    ["some of its keys", (key: string) => /:(job|session|pool|jobs|gateways)/.test(key)],
    ["all of its keys", () => true],
  ])("with %s there: scripts wait, and none is half done", async (_, moved) => {
    const scene = new Scene(client);
    await scene.worker("AW_1", 0, { cap: 1 });
    await scene.running("AJ_1", "AW_1");
    const other = await scene.order("AD_2");
    expect(other.status).toBe("created");
    const before = await readNamespace(client, scene.namespace);
    const { finish } = await move(scene.namespace, moved);
    const calls = [
      scene.report("AJ_1", "AW_1", "success"),
      scene.terminate("AJ_2"),
      scene.sample("AW_1", 0.5),
      scene.order("AD_3"),
    ];
    let settled = 0;
    for (const call of calls) void call.finally(() => settled++);
    // Reads of single keys follow the slot to wherever each key is.
    expect(await scene.field("job", "AJ_1", "state")).toBe("running");
    expect(await scene.field("session", "AW_1", "load")).toBe(before.hashes.get("session:AW_1")?.load);
    expect(await scene.field("session", "AW_1", "reports")).toBe("0");
    expect(settled).toBe(0);
    await finish();
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses).toEqual(["ended", "terminated", "sampled", "created"]);
    await waitUntil("all calls are done", () => settled === calls.length);
    await assertConsistent(client, scene.namespace, scene.nowMs);
  });
});
