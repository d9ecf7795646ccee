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
  const clock = { now: () => clock.nowMs, nowMs: NOW_MS, setTimer: () => () => {} };
  const log = createLog({ level: "info", service: "gateway", destination });
  const counts = { refused: 0 };
  const metrics = { upgradeRefused: () => void counts.refused++ } as unknown as GatewayMetrics;
  const trustedProxies = new BlockList();
  const deps = {
    ...{ keys: new Map([["key", "secret"]]), trustedProxies, clock, metrics },
    refusedWorkers: new RefusedWorkers({ clock, log }),
  };
  const dial = (apiKey: string, { apiSecret = "wrong", from = "192.0.2.1" } = {}) => {
    const token = signAccessToken({ apiKey, apiSecret, nowMs: NOW_MS, video: { agent: true } });
    return authenticate(
      {
        ...{ path: "/agent", query: new URLSearchParams(), authorization: `Bearer ${token}` },
        ...{ userAgent: undefined, remoteAddress: from, forwardedFor: undefined },
      },
      deps,
    );
  };
  return { dial, lines, clock, counts };
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
