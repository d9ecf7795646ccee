import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, MAX_BLOCK_MS } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisSentinel, startRedisSentinel } from "@muster/test/kit/redis-sentinel";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, describe, expect, test } from "vitest";

const silent = createLog({ level: "silent", service: "test" });
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function connect(url: string, kind: { blocking?: boolean } = {}, log = silent) {
  const client = connectRedis({ url, name: "connections-test", log, ...kind });
  cleanups.push(() => closeRedis(client));
  return client;
}

function errorsOf(client: ReturnType<typeof connect>, atLeast: number): () => boolean {
  let errors = 0;
  client.on("error", () => {
    errors += 1;
  });
  return () => errors >= atLeast;
}

async function single(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const redis = await startRedis(options);
  cleanups.push(redis.stop);
  return redis;
}

async function cluster(): Promise<RedisCluster> {
  const redis = await startRedisCluster();
  cleanups.push(redis.stop);
  return redis;
}

async function sentinel(): Promise<RedisSentinel> {
  const redis = await startRedisSentinel();
  cleanups.push(redis.stop);
  return redis;
}

describe("a single server", () => {
  test("is used with the url's credentials and database, under the connection's name", async () => {
    const redis = await single({ args: ["--requirepass", "p@ss/word"] });
    const client = connect(`redis://default:p%40ss%2Fword@127.0.0.1:${redis.port}/3`);
    await client.set("muster:k", "v");
    expect(String(await client.call("CLIENT", "INFO"))).toMatch(/name=connections-test .*db=3/);
  });

  test("is found again after a restart, and a command given meanwhile is answered", async () => {
    const redis = await single({ appendOnly: true });
    const client = connect(redis.url);
    await client.set("muster:k", "kept");
    await redis.kill();
    const answer = client.get("muster:k");
    await redis.restart();
    const restartedAt = performance.now();
    expect(await answer).toBe("kept");
    expect(performance.now() - restartedAt).toBeLessThan(1_500);
  });

  test("that loads its data is used as soon as it has, not when it guessed that it would", async () => {
    // As Redis reckons by bytes: the many small keys that come first are slow, the large one behind them is not.
    const redis = await single({ appendOnly: true, args: ["--key-load-delay", "500"] });
    const client = connect(redis.url);
    const small = Array.from({ length: 4_000 }, (_, at) => client.set(`muster:k${at}`, "v"));
    await Promise.all(small);
    await client.set("muster:large", Buffer.alloc(20_000_000));
    const answers: number[] = [];
    client.on("ready", () => answers.push(performance.now()));
    await redis.restart();
    const servesAtMs = performance.now();
    await waitUntil("it is used again", () => answers.length > 0, { deadlineMs: 15_000 });
    expect((answers[0] ?? 0) - servesAtMs).toBeLessThan(1_000);
  });

  test("that falls silent is left, and used again when it speaks", async () => {
    const redis = await single();
    const client = connect(redis.url);
    await client.set("muster:k", "v");
    redis.freeze();
    cleanups.push(async () => redis.thaw());
    let isLeft = false;
    client.once("close", () => {
      isLeft = true;
    });
    const answer = client.get("muster:k");
    await waitUntil("the silent connection is given up", () => isLeft, { deadlineMs: 8_000 });
    redis.thaw();
    expect(await answer).toBe("v");
  });

  test("is waited for only so long by a command, with an error in the end", async () => {
    const redis = await single();
    const client = connect(redis.url);
    await client.ping();
    await redis.kill();
    await expect(client.get("muster:k")).rejects.toThrow("max retries per request");
  });

  test("a blocking connection waits out the outage", async () => {
    const redis = await single({ appendOnly: true });
    const reader = connect(redis.url, { blocking: true });
    const writer = connect(redis.url);
    await reader.ping();
    const read = reader.xread("BLOCK", MAX_BLOCK_MS, "STREAMS", "muster:inbox", "$");
    await waitUntil("the reader blocks", async () =>
      String(await writer.call("INFO", "clients")).includes("blocked_clients:1"),
    );
    await redis.restart();
    await waitUntil("the reader blocks again", async () =>
      String(await writer.call("INFO", "clients")).includes("blocked_clients:1"),
    );
    await writer.xadd("muster:inbox", "1-1", "body", "hello");
    expect(await read).toEqual([["muster:inbox", [["1-1", ["body", "hello"]]]]]);
  });

  test("closing ends a blocked connection at once and one that never connected too", async () => {
    const redis = await single();
    const reader = connect(redis.url, { blocking: true });
    await reader.ping();
    const read = reader
      .xread("BLOCK", MAX_BLOCK_MS, "STREAMS", "muster:inbox", "$")
      .catch((error) => error.message);
    const nowhere = connect("redis://127.0.0.1:1");
    const startedAt = performance.now();
    await Promise.all([closeRedis(reader), closeRedis(nowhere)]);
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(await read).toBe("Connection is closed.");
    await closeRedis(reader);
  });

  test.each([
    ["a server", "redis://127.0.0.1:1"],
    ["a sentinel", "redis+sentinel://127.0.0.1:1/muster"],
    ["a cluster", "redis+cluster://127.0.0.1:1,127.0.0.1:2"],
  ])("closing while %s cannot be reached ends what waits for it", async (_, url) => {
    for (const moment of ["connecting", "reconnecting", "between"] as const) {
      const client = connect(url);
      const waiting = client.get("muster:k").catch((error) => error.message);
      if (moment === "reconnecting")
        await waitUntil("it failed", () => client.status === "reconnecting" || url.includes("sentinel"));
      if (moment === "between") await waitUntil("it failed more than once", errorsOf(client, 3));
      const startedAt = performance.now();
      await closeRedis(client);
      expect(performance.now() - startedAt).toBeLessThan(1_500);
      expect(await waiting).toMatch(/Connection is closed|None of startup nodes|max retries/);
    }
  });

  test("an outage logs a line now and then, never the password", async () => {
    const lines: string[] = [];
    const log = createLog({
      level: "info",
      service: "test",
      destination: { write: (line) => lines.push(line) },
    });
    const client = connect("redis://u:hush-hush@127.0.0.1:1", {}, log);
    await waitUntil("it tried a few times", errorsOf(client, 5));
    expect(lines.length).toBe(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "warn",
      msg: "redis connection error",
      redis: "redis://127.0.0.1:1",
    });
    expect(lines.join()).not.toContain("hush");
  });
});

describe("a cluster", () => {
  test("serves keys of every node, and blocks on a connection of its own", async () => {
    const redis = await cluster();
    const client = connect(redis.url);
    for (let tag = 0; tag < 30; tag++) await client.set(`muster:{${tag}}:k`, String(tag));
    const sizes = await Promise.all(redis.nodes.map((node) => node.client().dbsize()));
    expect(sizes.every((size) => size > 0)).toBe(true);

    const reader = connect(redis.url, { blocking: true });
    await reader.ping();
    const read = reader.xread("BLOCK", MAX_BLOCK_MS, "STREAMS", "muster:inbox:n1", "0");
    await client.xadd("muster:inbox:n1", "1-1", "body", "hello");
    expect(await read).toEqual([["muster:inbox:n1", [["1-1", ["body", "hello"]]]]]);
  });

  test("is found again after a node's restart, without an error for who waits", async () => {
    const redis = await cluster();
    const client = connect(redis.url);
    for (let tag = 0; tag < 20; tag++) await client.set(`muster:{${tag}}:k`, "v");
    const [node] = redis.nodes;
    await node?.kill();
    const answers = Array.from({ length: 20 }, (_, tag) => client.set(`muster:{${tag}}:k`, "again"));
    await node?.restart();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["OK"]));
  });
});

describe("Sentinel", () => {
  test("leads to the master, and to the next one after a failover", async () => {
    const redis = await sentinel();
    const client = connect(`${redis.url}?db=2`);
    const reader = connect(redis.url, { blocking: true });
    await client.set("muster:k", "v");
    const own = redis.master.client();
    expect(await own.info("keyspace")).toContain("db2:keys=1");
    await reader.ping();
    const replicaClient = redis.replica.client();
    await waitUntil("the replica has it", async () =>
      (await replicaClient.info("keyspace")).includes("db2:keys=1"),
    );
    const read = reader.xread("BLOCK", MAX_BLOCK_MS, "STREAMS", "muster:inbox", "0");
    await redis.master.kill();
    await waitUntil("a write is taken by the new master", () => client.set("muster:k", "w"), {
      deadlineMs: 15_000,
    });
    expect(await client.get("muster:k")).toBe("w");
    await replicaClient.xadd("muster:inbox", "1-1", "body", "hello");
    expect(await read).toEqual([["muster:inbox", [["1-1", ["body", "hello"]]]]]);
  });
});
