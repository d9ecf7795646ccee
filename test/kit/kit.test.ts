import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { freePort } from "./ports.js";
import { startRedis } from "./redis-server.js";
import { waitUntil } from "./wait-until.js";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("waitUntil", () => {
  test("returns the first truthy value, and a check that throws does not hold yet", async () => {
    let calls = 0;
    const value = await waitUntil("three calls were made", () => {
      calls += 1;
      if (calls === 1) throw new Error("too early");
      return calls === 3 && { calls };
    });
    expect(value).toEqual({ calls: 3 });
  });

  test("fails at its deadline with what it saw last", async () => {
    await expect(waitUntil("it rains", () => 0, { deadlineMs: 30 })).rejects.toThrow(
      /^waited \d+ ms \(\d+ polls\) in vain until it rains; last value: 0$/,
    );
    const throwing = () => {
      throw new Error("still dry");
    };
    await expect(waitUntil("it rains", throwing, { deadlineMs: 30 })).rejects.toThrow(
      "last error: still dry",
    );
  });

  test("ends at once when its invariant breaks", async () => {
    const invariant = () => {
      throw new Error("two holders");
    };
    await expect(waitUntil("never", () => false, { deadlineMs: 60_000, invariant })).rejects.toThrow(
      "two holders",
    );
  });
});

describe("a Redis for tests", () => {
  test("keeps what was written over kill and restart only when asked to", async () => {
    for (const appendOnly of [true, false]) {
      const redis = await startRedis({ appendOnly });
      cleanups.push(redis.stop);
      const client = redis.client();
      await client.set("muster:k", "v");
      await redis.kill();
      await redis.restart();
      expect(await client.get("muster:k")).toBe(appendOnly ? "v" : null);
    }
  });

  test("is gone, with its files, after stop; flush empties it", async () => {
    const redis = await startRedis();
    const client = redis.client();
    const [, directory] = (await client.config("GET", "dir")) as [string, string];
    expect(existsSync(directory)).toBe(true);
    await client.set("muster:k", "v");
    await redis.flush();
    expect(await client.dbsize()).toBe(0);
    await redis.stop();
    const socket = connect(redis.port, "127.0.0.1");
    const [error] = await once(socket, "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    expect(existsSync(directory)).toBe(false);
  });

  test("listens on loopback only, below the range of the system", async () => {
    const redis = await startRedis();
    cleanups.push(redis.stop);
    expect(redis.port).toBeLessThan(32_768);
    expect(await redis.client().config("GET", "bind")).toEqual(["bind", "127.0.0.1"]);
  });

  test("that cannot be started says why, and how to name another", async () => {
    process.env.MUSTER_REDIS_SERVER = "/nowhere/redis-server";
    try {
      await expect(startRedis()).rejects.toThrow("cannot run /nowhere/redis-server");
    } finally {
      delete process.env.MUSTER_REDIS_SERVER;
    }
  });
});

test("a free port is one that can be listened on, below the range of the system", async () => {
  const port = await freePort();
  expect(port).toBeLessThan(32_768);
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
});
