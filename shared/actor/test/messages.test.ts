/** Messages from node to node: in order, in few commands, and "gone" where nobody reads. */
import { Inbox, type InboxDeps, type InboxGap } from "@muster/actor/inbox";
import { inboxKey } from "@muster/actor/keys";
import { createOutbox, type OutboxDeps } from "@muster/actor/outbox";
import { systemClock } from "@muster/runtime/clock";
import { countCommands } from "@muster/runtime/redis/command-count";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LogLine, newNodeId, recordingLog } from "./actor-kit.js";

interface Receiver {
  nodeId: string;
  inbox: Inbox;
  received: unknown[];
  gaps: InboxGap[];
  lines: LogLine[];
  blocking: RedisClient;
}

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function openInbox(
  server: RedisServer | RedisCluster,
  options: Partial<InboxDeps> = {},
): Promise<Receiver> {
  const nodeId = newNodeId();
  const received: unknown[] = [];
  const gaps: InboxGap[] = [];
  const lines: LogLine[] = [];
  const log = recordingLog(lines);
  const blocking = connectRedis({ url: server.url, name: "test-inbox", log: recordingLog(), blocking: true });
  const inbox = new Inbox({
    redis: server.client(),
    blocking,
    nodeId,
    handle: (message) => void received.push(message),
    onGap: (gap) => void gaps.push(gap),
    clock: systemClock,
    log,
    ...options,
  });
  await inbox.open();
  closers.push(async () => {
    await inbox.close();
    await closeRedis(blocking);
  });
  return { nodeId, inbox, received, gaps, lines, blocking };
}

const outboxOn = (redis: RedisClient, options: Partial<OutboxDeps> = {}) =>
  createOutbox({ redis, clock: systemClock, log: recordingLog(), ...options });

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("messages through a single Redis", () => {
  let server: RedisServer;
  let redis: RedisClient;

  beforeAll(async () => {
    server = await startRedis();
    redis = server.client();
  });
  afterAll(() => server.stop());
  beforeEach(() => server.flush());

  it("arrive as they were when sent", async () => {
    const { nodeId, received } = await openInbox(server);
    const message = { text: "ünïcode \n\u0000", list: [1, null, true], deep: { er: "" } };
    const sent = outboxOn(redis).send(nodeId, message);
    message.text = "changed afterwards";
    expect(await sent).toBe("sent");
    await waitUntil("it arrived", () => received.length === 1);
    expect(received).toEqual([{ ...message, text: "ünïcode \n\u0000" }]);
  });

  it("of a burst travel in few commands, in order", async () => {
    const { nodeId, received } = await openInbox(server);
    await redis.ping();
    const commands = countCommands(redis);
    const outbox = outboxOn(redis);
    const outcomes = await Promise.all(numbers(1_000).map((number) => outbox.send(nodeId, number)));
    expect(new Set(outcomes)).toEqual(new Set(["sent"]));
    await waitUntil("all arrived", () => received.length >= 1_000);
    expect(received).toEqual(numbers(1_000));
    // The first goes alone at once, 999 follow in entries of at most 256.
    expect(commands.byName()).toEqual({ xadd: 5 });
  });

  it("of a steady flow keep their order too", async () => {
    const { nodeId, received } = await openInbox(server);
    const outbox = outboxOn(redis);
    const sends: Promise<unknown>[] = [];
    for (const number of numbers(2_000)) {
      sends.push(outbox.send(nodeId, number));
      if (number % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(sends);
    await waitUntil("all arrived", () => received.length >= 2_000);
    expect(received).toEqual(numbers(2_000));
    expect(outbox.counts.entries).toBeLessThan(1_000);
  });

  it("are split by size: no entry above a mebibyte, but for a message that is larger by itself", async () => {
    const { nodeId, received } = await openInbox(server);
    const outbox = outboxOn(redis);
    const large = "x".repeat(400 * 1024);
    const larger = "y".repeat(2 * 1024 * 1024);
    const messages = [0, large, large, large, larger, 1];
    await Promise.all(messages.map((message) => outbox.send(nodeId, message)));
    await waitUntil("all arrived", () => received.length === messages.length);
    expect(received).toEqual(messages);
    // 0 alone at once; two large; one large; the larger one; the last.
    expect(outbox.counts.entries).toBe(5);
  });

  it("that are too large or not JSON are refused with the field named", async () => {
    const outbox = outboxOn(redis);
    await expect(outbox.send("NO_x", "z".repeat(9 * 1024 * 1024))).rejects.toThrow(
      /^message: .*at most 8388608/,
    );
    await expect(outbox.send("NO_x", undefined)).rejects.toThrow(
      /^message: is not a value that JSON can hold/,
    );
  });

  it("to a node that is not there are gone, and make nothing", async () => {
    const outbox = outboxOn(redis);
    const nodeId = newNodeId();
    expect(await Promise.all(numbers(20).map((number) => outbox.send(nodeId, number)))).toEqual(
      numbers(20).map(() => "gone"),
    );
    expect(await redis.exists(inboxKey(nodeId))).toBe(0);
  });

  it("to a node that died are gone when its inbox ends", async () => {
    const nodeId = newNodeId();
    const connections = [server.client(), server.client()] as const;
    const dying = new Inbox({
      redis: connections[0],
      blocking: connections[1],
      nodeId,
      handle: () => {},
      onGap: () => {},
      clock: systemClock,
      log: recordingLog(),
      ttlMs: 300,
      keepEveryMs: 100,
    });
    await dying.open();
    closers.push(() => dying.close(10));
    const outbox = outboxOn(redis);
    const openedAt = performance.now();
    await waitUntil("it lived longer than its TTL", async () => {
      expect(await outbox.send(nodeId, "hello")).toBe("sent");
      return performance.now() - openedAt > 600;
    });
    for (const connection of connections) connection.disconnect();
    await waitUntil("it is gone", async () => (await outbox.send(nodeId, "hello")) === "gone");
  });

  it("sent until its last moment are handed over by a close, and gone afterwards", async () => {
    const { nodeId, inbox, received } = await openInbox(server);
    const outbox = outboxOn(redis);
    const sends: Promise<"sent" | "gone">[] = [];
    let isClosed = false;
    const closing = inbox.close().then(() => {
      isClosed = true;
    });
    for (let number = 0; !isClosed; number++) {
      sends.push(outbox.send(nodeId, number));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closing;
    expect(await outbox.send(nodeId, "late")).toBe("gone");
    const outcomes = await Promise.all(sends);
    const taken = outcomes.filter((outcome) => outcome === "sent").length;
    expect(outcomes.slice(0, taken)).not.toContain("gone");
    expect(received).toEqual(numbers(taken));
  });

  it("are trimmed when they were read", async () => {
    const { nodeId, received } = await openInbox(server, { keepEveryMs: 50 });
    const outbox = outboxOn(redis);
    for (const number of numbers(300)) await outbox.send(nodeId, number);
    await waitUntil("all arrived", () => received.length === 300);
    await waitUntil("the stream is short", async () => (await redis.xlen(inboxKey(nodeId))) <= 1);
  });

  it("that are malformed are counted and skipped, and a handler that throws stops nothing", async () => {
    const received: unknown[] = [];
    const { nodeId, inbox, lines } = await openInbox(server, {
      handle: (message) => {
        if (message === "bad") throw new Error("a handler's bug");
        received.push(message);
      },
    });
    for (const fields of [
      ["m", "not json"],
      ["m", '{"a":1}'],
      ["other", "[1]"],
    ] as const) {
      await redis.xadd(inboxKey(nodeId), "*", ...fields);
    }
    const outbox = outboxOn(redis);
    await Promise.all(["bad", "good"].map((message) => outbox.send(nodeId, message)));
    await waitUntil("the good one arrived", () => received.length === 1);
    expect(received).toEqual(["good"]);
    expect(inbox.counts).toMatchObject({ malformed: 3, failed: 1, messages: 2 });
    expect(lines.map((line) => line.msg)).toContain("the handler of an inbox message failed");
  });

  it("that were cut off by the bound on length are told as a gap", async () => {
    const { nodeId, received, gaps } = await openInbox(server, { keepEveryMs: 50 });
    const outbox = outboxOn(redis);
    await outbox.send(nodeId, "first");
    await waitUntil("it reads", () => received.length === 1);
    // One step that no reader comes between: more entries than the bound leaves.
    const pipeline = redis.multi();
    for (const number of numbers(50))
      pipeline.xadd(inboxKey(nodeId), "MAXLEN", "10", "*", "m", `[${number}]`);
    await pipeline.exec();
    await waitUntil("the gap is told", () => gaps.length > 0);
    await waitUntil("what is left arrived", () => received.at(-1) === 49);
    expect(received.slice(1)).toEqual(numbers(50).slice(40));
    await outbox.send(nodeId, "later");
    await waitUntil("it was trimmed", async () => (await redis.xlen(inboxKey(nodeId))) === 1);
    expect(gaps).toEqual(["overflow"]);
  });

  it("flow again after a flush, which is told as a gap", async () => {
    const { nodeId, received, gaps } = await openInbox(server, { keepEveryMs: 50 });
    const outbox = outboxOn(redis);
    await outbox.send(nodeId, "before");
    await waitUntil("it reads", () => received.length === 1);
    await server.flush();
    await waitUntil("it is sent again", async () => (await outbox.send(nodeId, "after")) === "sent");
    await waitUntil("it arrived", () => received.at(-1) === "after");
    expect(gaps).toEqual(["missing"]);
  });

  it("flow again after a flush also when the clock of Redis is behind its old one", async () => {
    const { nodeId, received, gaps } = await openInbox(server, { keepEveryMs: 50 });
    // Entries of an hour ahead, as a master whose clock was ahead wrote them.
    await redis.xadd(inboxKey(nodeId), `${Date.now() + 3_600_000}-0`, "m", '["ahead"]');
    await waitUntil("it reads", () => received.length === 1);
    await server.flush();
    await waitUntil("the gap is told", () => gaps.length === 1);
    const outbox = outboxOn(redis);
    await waitUntil("it is sent again", async () => (await outbox.send(nodeId, "after")) === "sent");
    await waitUntil("it arrived", () => received.at(-1) === "after");
    expect(received).toEqual(["ahead", "after"]);
  });

  it("sent while Redis does not answer are given up in time, and flow again when it does", async () => {
    const { nodeId, received, blocking } = await openInbox(server, { ttlMs: 60_000 });
    const outbox = outboxOn(redis, { retryForMs: 300 });
    server.freeze();
    try {
      const startedAt = performance.now();
      const sends = await Promise.allSettled(numbers(3).map((number) => outbox.send(nodeId, number)));
      expect(performance.now() - startedAt).toBeLessThan(1_500);
      expect(sends.map((send) => send.status)).toEqual(["rejected", "rejected", "rejected"]);
      expect(outbox.counts.rejected).toBe(3);
      await waitUntil("the reader takes its connection for dead", () => blocking.status !== "ready", {
        deadlineMs: 8_000,
      });
    } finally {
      server.thaw();
    }
    await waitUntil(
      "it flows again",
      async () => (await outbox.send(nodeId, "after").catch(() => "")) === "sent",
    );
    await waitUntil("it arrived", () => received.includes("after"));
  });
});

describe("messages through a Redis that restarts", () => {
  it("go on from where they were when it kept its data: none lost, none twice", async () => {
    const server = await startRedis({ appendOnly: true });
    try {
      const { nodeId, received, gaps } = await openInbox(server, { ttlMs: 60_000, keepEveryMs: 100 });
      const outbox = outboxOn(server.client(), { retryForMs: 10_000 });
      const sends = numbers(200).map((number) => outbox.send(nodeId, number));
      await Promise.all(sends);
      const restarted = server.restart();
      const during = numbers(100).map((number) => outbox.send(nodeId, 200 + number));
      await restarted;
      expect(new Set(await Promise.all(during))).toEqual(new Set(["sent"]));
      await waitUntil("all arrived", () => new Set(received).size === 300);
      // At least once: what was under way when Redis went down may come again, and only that.
      const firsts = [...new Set(received)];
      expect(firsts).toEqual(numbers(300));
      expect(received.slice(0, 200)).toEqual(numbers(200));
      expect(gaps).toEqual([]);
      await Promise.all(closers.splice(0).map((close) => close()));
    } finally {
      await server.stop();
    }
  });

  it("flow again when it forgot everything, which is told as a gap", async () => {
    const server = await startRedis();
    try {
      const { nodeId, received, gaps } = await openInbox(server, { keepEveryMs: 100 });
      const outbox = outboxOn(server.client(), { retryForMs: 500 });
      await outbox.send(nodeId, "before");
      await waitUntil("it reads", () => received.length === 1);
      await server.restart();
      await waitUntil("it is sent again", async () => (await outbox.send(nodeId, "after")) === "sent");
      await waitUntil("it arrived", () => received.at(-1) === "after");
      expect(gaps).toEqual(["missing"]);
      await Promise.all(closers.splice(0).map((close) => close()));
    } finally {
      await server.stop();
    }
  });
});

describe("messages through a Redis Cluster", () => {
  it("reach nodes whose inboxes lie on any of its masters", async () => {
    const cluster = await startRedisCluster({ masters: 3 });
    try {
      const receivers = await Promise.all(numbers(6).map(() => openInbox(cluster, { keepEveryMs: 100 })));
      const outbox = outboxOn(cluster.client());
      const sends = numbers(100).flatMap((number) =>
        receivers.map(({ nodeId }) => outbox.send(nodeId, number)),
      );
      expect(new Set(await Promise.all(sends))).toEqual(new Set(["sent"]));
      for (const { received } of receivers) {
        await waitUntil("all arrived", () => received.length >= 100);
        expect(received).toEqual(numbers(100));
      }
      expect(await outbox.send(newNodeId(), "hello")).toBe("gone");
      await Promise.all(closers.splice(0).map((close) => close()));
    } finally {
      await cluster.stop();
    }
  });
});

describe("an inbox that is not read", () => {
  it("says so after 10 s, for readiness, and no longer once it is read again", async () => {
    const server = await startRedis();
    closers.push(() => server.stop());
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    const { inbox, blocking } = await openInbox(server, { clock });
    expect(inbox.isRead()).toBe(true);
    // A read that began before ends within a second.
    aheadMs = 11_000;
    expect(inbox.isRead()).toBe(false);
    await waitUntil("it was read", () => inbox.isRead());
    await closeRedis(blocking);
    aheadMs += 11_000;
    const closedAtMs = performance.now();
    await waitUntil("further reads were tried", () => performance.now() - closedAtMs > 1_500);
    expect(inbox.isRead()).toBe(false);
  });
});
