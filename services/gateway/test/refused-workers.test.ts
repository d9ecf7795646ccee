/** What the log is told of workers that are refused: enough to mend it, and never more than a few lines. */

import { BlockList } from "node:net";
import { createLog } from "@muster/runtime/log";
import { signAccessToken } from "@muster/wire/access-token";
import { expect, test } from "vitest";
import { authenticate } from "../src/authenticate.js";
import type { GatewayMetrics } from "../src/gateway-metrics.js";
import { RefusedWorkers } from "../src/refused-workers.js";

const NOW_MS = 1_800_000_000_000;

function bench() {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  const timers: { atMs: number; run: () => void }[] = [];
  const clock = {
    now: () => clock.nowMs,
    nowMs: NOW_MS,
    setTimer(delayMs: number, run: () => void) {
      const timer = { atMs: clock.nowMs + delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer) >>> 0, 1);
    },
    /** To this time, by way of each timer that is due. */
    advanceTo(nowMs: number) {
      for (;;) {
        const [next] = timers.toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined || next.atMs > nowMs) break;
        timers.splice(timers.indexOf(next), 1);
        clock.nowMs = next.atMs;
        next.run();
      }
      clock.nowMs = nowMs;
    },
  };
  const log = createLog({ level: "info", service: "gateway", destination });
  const counts = { refused: 0 };
  const metrics = { upgradeRefused: () => void counts.refused++ } as unknown as GatewayMetrics;
  const trustedProxies = new BlockList();
  const deps = {
    ...{ keys: new Map([["key", "secret"]]), trustedProxies, allowedOrigins: [], clock, metrics },
    refusedWorkers: new RefusedWorkers({ clock, log }),
  };
  const { refusedWorkers } = deps;
  const dial = (apiKey: string, { apiSecret = "wrong", from = "192.0.2.1" } = {}) => {
    const token = signAccessToken({ apiKey, apiSecret, nowMs: NOW_MS, video: { agent: true } });
    return authenticate(
      {
        ...{ path: "/agent", query: new URLSearchParams(), authorization: `Bearer ${token}` },
        ...{ userAgent: undefined, origin: undefined, remoteAddress: from, forwardedFor: undefined },
      },
      deps,
    );
  };
  return { dial, lines, clock, counts, timers, refusedWorkers };
}

test("one that is refused is told of at once: why, by which key, from where", () => {
  const { dial, lines } = bench();
  dial("key");
  expect(lines).toMatchObject([
    {
      level: "warn",
      msg: "worker refused",
      reason: "bad_token",
      problem: expect.stringContaining("signature"),
      apiKey: "key",
      clientIp: "192.0.2.1",
    },
  ]);
  expect(JSON.stringify(lines)).not.toContain("eyJ");
});

test("who is let in is not told of", () => {
  const { dial, lines } = bench();
  expect(dial("key", { apiSecret: "secret" })).toMatchObject({ accept: true });
  expect(lines).toEqual([]);
});

test("thousands of one cause are a line each 10 s, with their number", () => {
  const { dial, lines, clock } = bench();
  for (let at = 0; at < 30_000; at += 10) {
    clock.nowMs = NOW_MS + at;
    dial("key");
  }
  clock.nowMs = NOW_MS + 30_000;
  dial("key");
  expect(lines.map(({ again }) => again)).toEqual([undefined, 999, 999, 999]);
});

test("each cause has its own line: another key, another address", () => {
  const { dial, lines } = bench();
  dial("key");
  dial("old-key");
  dial("key", { from: "192.0.2.2" });
  expect(lines.map(({ apiKey, clientIp }) => [apiKey, clientIp])).toEqual([
    ["key", "192.0.2.1"],
    ["old-key", "192.0.2.1"],
    ["key", "192.0.2.2"],
  ]);
});

test("who makes up key ids gets few lines, short ones, and no memory; the rest is a number", () => {
  const { dial, lines, clock, counts } = bench();
  for (let index = 0; index < 5_000; index++) dial(`${index}-${"x".repeat(5_000)}`);
  expect(lines).toHaveLength(20);
  for (const { apiKey } of lines) expect(String(apiKey).length).toBeLessThanOrEqual(64);
  clock.nowMs += 10_000;
  dial("key");
  expect(lines.at(-1)).toMatchObject({ apiKey: "key", others: 4_980 });
  expect(counts.refused).toBe(5_001);
});

test("how many had no line is told once the burst has stopped, and then nothing is waited for", () => {
  const { dial, lines, clock, timers } = bench();
  for (let index = 0; index < 3_000; index++) {
    clock.advanceTo(NOW_MS + Math.floor(index / 1.5));
    dial(index % 3 === 0 ? "old-key" : `made-up-${index}`);
  }
  expect(lines).toHaveLength(20);
  expect(timers).toHaveLength(1);
  const stoppedAtMs = clock.nowMs;
  clock.advanceTo(stoppedAtMs + 9_999);
  expect(lines).toHaveLength(20);
  clock.advanceTo(stoppedAtMs + 10_000);
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toMatchObject({ level: "warn", others: 2_980 });
  expect(timers).toEqual([]);
  clock.advanceTo(stoppedAtMs + 3_600_000);
  expect(lines).toHaveLength(21);
  dial("old-key");
  expect(lines.at(-1)).toMatchObject({ apiKey: "old-key", again: 0 });
  expect(timers).toEqual([]);
});

test("while it goes on, its lines have the number, and no refusal is told twice", () => {
  const { dial, lines, clock, refusedWorkers } = bench();
  for (let at = 0; at <= 60_000; at += 100) {
    clock.advanceTo(NOW_MS + at);
    dial("key");
    for (let index = 0; index < 5; index++) dial(`made-up-${at}-${index}`);
  }
  expect(lines.every(({ msg }) => msg === "worker refused")).toBe(true);
  refusedWorkers.stop();
  const told = lines.map(
    ({ msg, again = 0, others = 0 }) => Number(msg === "worker refused") + Number(again) + Number(others),
  );
  expect(told.reduce((sum, count) => sum + count, 0)).toBe(601 * 6);
  const before = lines.length;
  refusedWorkers.stop();
  expect(lines).toHaveLength(before);
});
