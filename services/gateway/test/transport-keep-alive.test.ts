/** Keep-alive by hand-turned clock: who is pinged when, who is cut, and who is not blamed for our own pauses. */
import { expect, test } from "vitest";
import { AgentLink } from "../src/transport/agent-link.js";
import { KeepAlive } from "../src/transport/keep-alive.js";
import { Unsent } from "../src/transport/unsent.js";

const PING_INTERVAL_MS = 1_600;
const TICK_MS = PING_INTERVAL_MS / 16;

function setUp(count: number) {
  const clock = { nowMs: 0 };
  const nowMs = () => clock.nowMs;
  const keepAlive = new KeepAlive({ pingIntervalMs: PING_INTERVAL_MS, silenceMs: 5_000, nowMs });
  const peers = Array.from({ length: count }, () => ({ pings: 0, cut: false }));
  const quiet = () => {};
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log };
  const links = peers.map((peer) => {
    const wire = {
      send: () => true,
      bufferedBytes: () => 0,
      ping: () => void peer.pings++,
      end: () => {},
      terminate: () => {
        peer.cut = true;
      },
    };
    const gone = (link: AgentLink) => keepAlive.remove(link);
    return new AgentLink({
      wire,
      remoteAddress: "",
      maxFrameBytes: 1,
      maxBufferedBytes: 1,
      unsent: new Unsent({ mostBytes: 1, lingerMs: 1, nowMs: () => 0 }),
      nowMs,
      gone,
      log,
    });
  });
  for (const link of links) keepAlive.add(link);
  /** Lets time pass as the timer would. */
  const pass = (ms: number) => {
    for (const until = clock.nowMs + ms; clock.nowMs < until; ) {
      clock.nowMs += TICK_MS;
      keepAlive.tick();
    }
  };
  return { clock, keepAlive, links, peers, pass };
}

test("each interval pings each socket once, a few at a time", () => {
  const { peers, pass } = setUp(160);
  pass(TICK_MS);
  expect(peers.filter((peer) => peer.pings === 1)).toHaveLength(10);
  pass(PING_INTERVAL_MS - TICK_MS);
  expect(peers.every((peer) => peer.pings === 1)).toBe(true);
});

test("only the silent are cut, within one interval, and then left alone", () => {
  const { links, peers, pass } = setUp(32);
  for (let round = 0; round < 4; round++) {
    pass(PING_INTERVAL_MS);
    for (const link of links.slice(1)) link.heard();
  }
  pass(PING_INTERVAL_MS);
  expect(peers.map((peer) => peer.cut)).toEqual([true, ...Array(31).fill(false)]);
  const pings = peers[0]?.pings;
  pass(PING_INTERVAL_MS);
  expect(peers[0]?.pings).toBe(pings);
});

test("after a pause of this process everybody gets the whole silence again", () => {
  const { clock, peers, pass } = setUp(16);
  pass(PING_INTERVAL_MS);
  clock.nowMs += 60_000;
  pass(4_900);
  expect(peers.some((peer) => peer.cut)).toBe(false);
  pass(PING_INTERVAL_MS + 200);
  expect(peers.every((peer) => peer.cut)).toBe(true);
});
