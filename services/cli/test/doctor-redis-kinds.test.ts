/** What the doctor says of Clusters, of Sentinel, and of users with too few rights. */
import type { RedisClient } from "@muster/runtime/redis/connect";
import { readPage } from "@muster/test/kit/page-commands";
import { startRedisCluster } from "@muster/test/kit/redis-cluster";
import { startRedisSentinel } from "@muster/test/kit/redis-sentinel";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { diagnose, verdicts } from "./doctor-kit.js";

test("a Cluster: whole; one of its nodes taken for all; nodes that cannot be reached; slots that nobody serves", async () => {
  const cluster = await startRedisCluster({ appendOnly: true });
  onTestFinished(() => cluster.stop());
  const env = { MUSTER_REDIS_URL: cluster.url };
  expect(verdicts(await diagnose(env, { only: ["redis"], skip: ["redis-latency"] }))).toEqual({
    ...{ "redis-reach": "ok", "redis-eviction": "ok", "redis-persistence": "ok" },
    ...{ "redis-memory": "ok", "redis-connections": "ok", "redis-cluster": "ok" },
    ...{ "redis-sentinel": "skipped", "redis-rights": "ok" },
  });

  const [first, second] = cluster.nodes;
  const alone = await diagnose({ MUSTER_REDIS_URL: first?.url ?? "" }, { only: ["redis-cluster"] });
  expect(alone.troubles).toEqual({ "redis-cluster": "fail" });
  expect(alone.said("redis-cluster")).toContain(
    `fix: MUSTER_REDIS_URL=redis+cluster://127.0.0.1:${first?.port}`,
  );

  // One eviction policy that is wrong is found on whichever master has it.
  const other = second?.client();
  await other?.config("SET", "maxmemory-policy", "allkeys-random");
  const uneven = await diagnose(env, { only: ["redis"], skip: ["redis-latency"] });
  expect(uneven.troubles).toEqual({ "redis-eviction": "warn" });
  expect(uneven.said("redis-eviction")).toContain(`127.0.0.1:${second?.port} has allkeys-random`);
  await other?.config("SET", "maxmemory-policy", "noeviction");

  // All of 127.0.0.0/8 is this machine; nobody listens there.
  await other?.config("SET", "cluster-announce-ip", "127.0.0.99");
  const announced = await waitUntil("the address is known to the first", async () => {
    const found = await diagnose(env, { only: ["redis-cluster"] });
    return found.said("redis-cluster").includes("127.0.0.99") && found;
  });
  expect(announced.troubles).toEqual({ "redis-cluster": "fail" });
  expect(announced.said("redis-cluster")).toMatch(
    new RegExp(
      `go to 127.0.0.99:${second?.port}, which is not reached from here \\(ECONNREFUSED\\)\n.*cluster-announce`,
    ),
  );
  await other?.config("SET", "cluster-announce-ip", "127.0.0.1");

  await first?.client().call("CLUSTER", "DELSLOTS", "0", "1");
  const gap = await diagnose(env, { only: ["redis-cluster"] });
  expect(gap.troubles).toEqual({ "redis-cluster": "fail" });
  expect(gap.said("redis-cluster")).toMatch(/serves 16382 of 16384 slots\n.*fix: redis-cli --cluster check/);
});

test("Sentinel: three that agree; one alone; a name that none knows; a master that is gone", async () => {
  const sentinel = await startRedisSentinel({ sentinels: 3 });
  onTestFinished(() => sentinel.stop());
  const env = { MUSTER_REDIS_URL: sentinel.url };
  await waitUntil(
    "the sentinels know each other",
    async () =>
      (await diagnose(env, { only: ["redis-sentinel"] })).said("redis-sentinel").includes("3 sentinels"),
    { deadlineMs: 10_000, everyMs: 200 },
  );
  expect((await diagnose(env, { only: ["redis-reach", "redis-sentinel"] })).troubles).toEqual({});

  const wrong = await diagnose(
    { MUSTER_REDIS_URL: sentinel.url.replace(/[^/]+$/, "mustard") },
    { only: ["redis-reach", "redis-sentinel"] },
  );
  expect(wrong.troubles).toEqual({ "redis-reach": "fail", "redis-sentinel": "fail" });
  expect(wrong.said("redis-sentinel")).toMatch(/knows no master "mustard"\n.*it knows muster/);

  const lonely = await startRedisSentinel();
  onTestFinished(() => lonely.stop());
  const one = await diagnose({ MUSTER_REDIS_URL: lonely.url }, { only: ["redis-sentinel"] });
  expect(one.troubles).toEqual({ "redis-sentinel": "warn" });
  expect(one.said("redis-sentinel")).toContain("there is 1 sentinel");
  lonely.replica.freeze();
  await lonely.master.kill();
  const gone = await diagnose({ MUSTER_REDIS_URL: lonely.url }, { only: ["redis-sentinel"] });
  expect(gone.said("redis-sentinel")).toMatch(
    /the master is said to be at 127.0.0.1:\d+, which is not reached/,
  );
});

test("Sentinel with passwords of both: as the chart's page writes it; without the sentinels' own", async () => {
  const password = "p@ss word+1";
  const set = await startRedisSentinel({ sentinelPassword: password });
  onTestFinished(() => set.stop());
  const replica = set.replica.client();
  await replica.config("SET", "masterauth", password);
  await set.master.client().config("SET", "requirepass", password);
  const host = /\/\/([^/]+)\/(\w+)$/.exec(set.url);
  const page = readPage("KUBERNETES.md");
  const [, row = ""] = /\| Sentinel \| `([^`]+)` \|/.exec(page) ?? [];
  const url = row
    .replaceAll("$(REDIS_PASSWORD)", encodeURIComponent(password))
    .replace(/@[^@/]+\/mymaster/, `@${host?.[1]}/${host?.[2]}`);
  const only = { only: ["redis-reach", "redis-sentinel"] };
  // One sentinel is warned of, and nothing else.
  expect((await diagnose({ MUSTER_REDIS_URL: url }, only)).troubles).toEqual({ "redis-sentinel": "warn" });
  const without = await diagnose({ MUSTER_REDIS_URL: url.replace(/\?.*$/, "") }, only);
  expect(without.troubles).toEqual({ "redis-reach": "fail", "redis-sentinel": "fail" });
  for (const check of ["redis-reach", "redis-sentinel"])
    expect(without.said(check)).toContain("sentinelPassword=");
});

describe("rights", () => {
  let redis: RedisServer;
  let admin: RedisClient;

  beforeAll(async () => {
    redis = await startRedis();
    admin = redis.client();
  });
  afterAll(() => redis.stop());

  async function of(...rules: string[]) {
    await admin.call("ACL", "SETUSER", "muster", "reset", "on", ">the-password-of-muster", ...rules);
    const url = redis.url.replace("//", "//muster:the-password-of-muster@");
    return await diagnose({ MUSTER_REDIS_URL: url }, { only: ["redis-reach", "redis-rights"] });
  }

  test.each([
    ["with all rights on its keys, told by ACL DRYRUN", ["~muster:*", "+@all"]],
    ["without those of an admin, told by trying", ["~muster:*", "+@all", "-@admin"]],
  ])("a user %s", async (_, rules) => {
    expect((await of(...rules)).troubles).toEqual({});
    expect(await admin.keys("*"), "nothing is left behind").toEqual([]);
  });

  test.each([
    ["by ACL DRYRUN", ["+acl"]],
    ["by trying", ["-acl"]],
  ])("commands that are missing are named, %s", async (_, acl) => {
    const found = await of("~muster:*", "+@all", "-xadd", "-evalsha", "-client|setname", ...acl);
    expect(found.troubles).toEqual({ "redis-rights": "fail" });
    expect(found.said("redis-rights")).toMatch(
      /muster may not run client\|setname, evalsha, xadd\n.*fix: ACL SETUSER muster \+client\|setname \+evalsha \+xadd,/,
    );
    expect(await admin.keys("*"), "nothing is left behind").toEqual([]);
  });

  test.each([
    ["by ACL DRYRUN", ["+acl"]],
    ["by trying", ["-acl"]],
  ])("keys that may not be touched, %s", async (_, acl) => {
    const found = await of("~other:*", "+@all", ...acl);
    expect(found.troubles).toEqual({ "redis-rights": "fail" });
    expect(found.said("redis-rights")).toMatch(/keys of muster:\*\n.*fix: ACL SETUSER muster ~muster:\*,/);
  });

  test("what is said to mend it does", async () => {
    const found = await of("+@read", "+ping", "+hello");
    const [, fix = ""] = /fix: (ACL SETUSER muster [^,]+),/.exec(found.said("redis-rights")) ?? [];
    const [name = "", ...args] = fix.split(" ");
    await admin.call(name, ...args);
    const url = redis.url.replace("//", "//muster:the-password-of-muster@");
    expect((await diagnose({ MUSTER_REDIS_URL: url }, { only: ["redis-rights"] })).troubles).toEqual({});
  });
});
