import { createHash } from "node:crypto";
import { countCommands } from "@muster/runtime/redis/command-count";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript, type Script } from "@muster/runtime/redis/script";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

function script(name: string, source: string, keyCount = 1): Script {
  return { name, source, keyCount, sha: createHash("sha1").update(source).digest("hex") };
}

const append = script(
  "append",
  "redis.call('RPUSH', KEYS[1], ARGV[1]); return { 'stored', redis.call('LLEN', KEYS[1]) }",
);

describe.each(["single", "cluster"] as const)("scripts on a %s Redis", (kind) => {
  let redis: RedisServer | RedisCluster;
  let client: RedisClient;

  beforeAll(async () => {
    redis = kind === "single" ? await startRedis() : await startRedisCluster();
    client = redis.client();
    await waitUntil("the client is ready", () => client.status === "ready");
  });
  afterAll(() => redis?.stop());

  test("an unknown script is sent as text once, then by its sha", async () => {
    await redis.flush();
    const commands = countCommands(client);
    expect(await runScript(client, append, ["muster:{a}:list"], ["one"])).toEqual(["stored", 1]);
    expect(commands.byName()).toEqual({ evalsha: 1, eval: 1 });
    commands.reset();
    expect(await runScript(client, append, ["muster:{a}:list"], ["two"])).toEqual(["stored", 2]);
    expect(commands.byName()).toEqual({ evalsha: 1 });
  });

  test("a script is found again after the server forgot all scripts", async () => {
    await redis.flush();
    for (const tag of ["a", "b", "c", "d", "e", "f"]) {
      await runScript(client, append, [`muster:{${tag}}:list`], ["x"]);
    }
    await redis.flush();
    for (const tag of ["a", "b", "c", "d", "e", "f"]) {
      expect(await runScript(client, append, [`muster:{${tag}}:list`], ["x"])).toEqual(["stored", 1]);
    }
  });

  test("bytes and numbers arrive as given", async () => {
    const lengths = script("lengths", "return { #ARGV[1], ARGV[2] }");
    expect(await runScript(client, lengths, ["muster:{a}:k"], [Buffer.from([0, 255, 254]), 42])).toEqual([
      3,
      "42",
    ]);
  });

  test("an error of the script is thrown as it is, and not tried again", async () => {
    const broken = script("broken", "redis.call('INCR', KEYS[1]); return redis.error_reply('NOPE it broke')");
    await expect(runScript(client, broken, ["muster:{a}:runs"], [])).rejects.toThrow("NOPE it broke");
    expect(await client.get("muster:{a}:runs")).toBe("1");
  });

  test("a transient refusal is tried again until it passes", async () => {
    const later = script(
      "later",
      "if redis.call('INCR', KEYS[1]) < 3 then return redis.error_reply('LOADING not yet') end return 'done'",
    );
    expect(await runScript(client, later, ["muster:{a}:tries"], [])).toBe("done");
    expect(await client.get("muster:{a}:tries")).toBe("3");
  });

  test("a refusal that stays is thrown in the end", async () => {
    const never = script("never", "redis.call('INCR', KEYS[1]); return redis.error_reply('MASTERDOWN gone')");
    await expect(runScript(client, never, ["muster:{a}:never"], [])).rejects.toThrow("MASTERDOWN");
    expect(Number(await client.get("muster:{a}:never"))).toBe(9);
  });

  test("another number of keys than declared is a bug of the caller", async () => {
    await expect(runScript(client, append, [], ["x"])).rejects.toThrow("number of keys");
  });

  test("a pipeline counts each of its commands, and a failed one counts", async () => {
    const own = redis.client();
    await waitUntil("the client is ready", () => own.status === "ready");
    const heard: string[] = [];
    const commands = countCommands(own, (name) => heard.push(name));
    await own.pipeline().set("muster:{p}:a", "1").incr("muster:{p}:a").get("muster:{p}:a").exec();
    await expect(own.call("NOSUCH")).rejects.toThrow("unknown command");
    expect(commands.byName()).toEqual({ set: 1, incr: 1, get: 1, nosuch: 1 });
    expect(commands.total()).toBe(4);
    expect(heard).toEqual(["set", "incr", "get", "nosuch"]);
    commands.reset();
    expect(commands.total()).toBe(0);
  });
});

test("a command that waits out a restart counts once, and the handshakes do not", async () => {
  const redis = await startRedis({ appendOnly: true });
  try {
    const client = redis.client();
    const commands = countCommands(client);
    await client.set("muster:k", "v");
    await redis.kill();
    const answer = client.get("muster:k");
    await redis.restart();
    expect(await answer).toBe("v");
    expect(commands.byName()).toEqual({ set: 1, get: 1 });
  } finally {
    await redis.stop();
  }
});
