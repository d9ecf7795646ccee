/** A redis-server of our own: what it keeps, how it ends, and whom it shares its folder with: nobody. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createLog } from "@muster/runtime/log";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, test } from "vitest";
import { findRedisServer } from "../src/redis/find-redis-server.js";
import { startOwnRedis } from "../src/redis/own-redis.js";
import { cleanUp, endAfterwards, isRunning, temporaryFolder } from "./standalone-kit.js";

const log = createLog({ level: "silent", service: "test" });

async function start(folder: string) {
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const program = await findRedisServer({ env: process.env, folder, say, isRoot: false });
  const redis = await startOwnRedis({ program, folder, env: process.env, say });
  cleanUp(() => redis.stop());
  return { ...redis, said };
}

function client(url: string): RedisClient {
  const created = connectRedis({ url, name: "test", log });
  cleanUp(() => closeRedis(created));
  return created;
}

/** As a Muster that was killed leaves it: running on the folder, with nobody connected. */
async function leaveBehind(folder: string): Promise<{ pid: number; url: string }> {
  const first = await start(folder);
  const port = new URL(first.url).port;
  await first.stop();
  const args = ["--bind", "127.0.0.1", "--port", port, "--dir", join(folder, "redis"), "--appendonly", "yes"];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  endAfterwards(child.pid ?? 0);
  const left = client(first.url);
  await left.set("kept", "by the one left behind");
  await closeRedis(left);
  return { pid: child.pid ?? 0, url: first.url };
}

test("keeps its data, and its port, over stop and start", async () => {
  const folder = temporaryFolder();
  const first = await start(folder);
  const before = client(first.url);
  await before.set("greeting", "hello");
  await closeRedis(before);
  await first.stop();
  const second = await start(folder);
  expect(second.url).toBe(first.url);
  expect(await client(second.url).get("greeting")).toBe("hello");
  expect(second.said).toEqual([]);
});

test("listens on loopback only, writes each second, and never evicts", async () => {
  const redis = await start(temporaryFolder());
  const asked = await Promise.all(
    ["bind", "appendonly", "appendfsync", "maxmemory-policy"].map((name) =>
      client(redis.url).config("GET", name),
    ),
  );
  expect(asked).toEqual([
    ["bind", "127.0.0.1"],
    ["appendonly", "yes"],
    ["appendfsync", "everysec"],
    ["maxmemory-policy", "noeviction"],
  ]);
});

test("says when it died, and not when it was stopped", async () => {
  const killed = await start(temporaryFolder());
  process.kill(killed.pid, "SIGKILL");
  expect(await killed.died).toBe("redis-server ended (SIGKILL)");
  const stopped = await start(temporaryFolder());
  await stopped.stop();
  expect(isRunning(stopped.pid)).toBe(false);
  const word = await Promise.race([
    stopped.died,
    new Promise((resolve) => setImmediate(resolve, "nothing said")),
  ]);
  expect(word).toBe("nothing said");
});

test("one that was left behind is ended first, and its data is there", async () => {
  const folder = temporaryFolder();
  const left = await leaveBehind(folder);
  const next = await start(folder);
  expect(next.said).toEqual([
    `An earlier Muster left its redis-server behind (pid ${left.pid}); ending it, its data is kept.`,
  ]);
  await waitUntil("the old server is gone", () => !isRunning(left.pid));
  expect(await client(next.url).get("kept")).toBe("by the one left behind");
});

test("a folder on which another Muster works is refused, and the other is left alone", async () => {
  const folder = temporaryFolder();
  const first = await start(folder);
  const muster = client(first.url);
  await muster.set("owner", "first");
  await expect(start(folder)).rejects.toThrow(
    `another Muster works on ${folder}/redis (its redis-server has the pid ${first.pid}); ` +
      "stop that one, or set MUSTER_DATA_DIR to a folder of its own",
  );
  expect(await muster.get("owner")).toBe("first");
  expect(isRunning(first.pid)).toBe(true);
});

test("of several that start on a folder at once one gets it", async () => {
  const folder = temporaryFolder();
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map(async () => {
      const redis = await start(folder);
      await client(redis.url).set("owner", String(redis.pid));
      return redis;
    }),
  );
  const started = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  expect(started.length).toBeGreaterThan(0);
  // Whoever came a moment later may have ended one that nobody had connected to yet; two at once there never are.
  expect(started.filter(({ pid }) => isRunning(pid)).length).toBe(1);
});

test("another program on its port is left alone; the server moves", async () => {
  const folder = temporaryFolder();
  const first = await start(folder);
  await first.stop();
  const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  server.listen(Number(new URL(first.url).port), "127.0.0.1");
  await once(server, "listening");
  cleanUp(() => void server.close());
  const moved = await start(folder);
  expect(moved.url).not.toBe(first.url);
  expect(readFileSync(join(folder, "redis/port"), "utf8")).toBe(`${new URL(moved.url).port}\n`);
});

test("a redis-server on other data is another program", async () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()];
  const first = await start(folder);
  await first.stop();
  const args = ["--bind", "127.0.0.1", "--port", new URL(first.url).port, "--dir", other, "--save", ""];
  const stranger = spawn("redis-server", args, { stdio: "ignore" });
  endAfterwards(stranger.pid ?? 0);
  await client(first.url).ping();
  const moved = await start(folder);
  expect(moved.url).not.toBe(first.url);
  expect(isRunning(stranger.pid ?? 0)).toBe(true);
});

test("one on its port that does not answer stops the start: it may hold the data", async () => {
  const folder = temporaryFolder();
  const left = await leaveBehind(folder);
  process.kill(left.pid, "SIGSTOP");
  await expect(start(folder)).rejects.toThrow(/is held by somebody who does not answer; stop it \(ss -ltnp/);
  process.kill(left.pid, "SIGKILL");
});

test("a port file that makes no sense is written anew", async () => {
  const folder = temporaryFolder();
  await (await start(folder)).stop();
  writeFileSync(join(folder, "redis/port"), "99999\n");
  const again = await start(folder);
  expect(readFileSync(join(folder, "redis/port"), "utf8")).toBe(`${new URL(again.url).port}\n`);
});

test("a server that cannot start says why", async () => {
  const folder = temporaryFolder();
  await (await start(folder)).stop();
  const manifest = join(folder, "redis/appendonlydir/appendonly.aof.manifest");
  expect(existsSync(manifest)).toBe(true);
  writeFileSync(manifest, "not a manifest\n");
  await expect(start(folder)).rejects.toThrow(/redis-server did not start \(exit 1\):[\s\S]*manifest/);
});

test("a program that is none says so", async () => {
  const folder = temporaryFolder();
  const program = { path: join(folder, "no-such-program") };
  await expect(startOwnRedis({ program, folder, env: {}, say: () => {} })).rejects.toThrow(
    /redis-server did not start \(spawn .*no-such-program ENOENT\)/,
  );
});
