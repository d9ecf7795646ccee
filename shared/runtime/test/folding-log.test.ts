/** Lines that others cause: the first is written, the rest is a number, and neither lines nor memory grow without end. */

import { beforeEach, expect, it } from "vitest";
import { FoldingLog, type FoldLimits } from "../src/folding-log.js";
import { createLog, type Log } from "../src/log.js";

const MINUTE_MS = 60_000;

interface Timer {
  atMs: number;
  run: () => void;
}

let lines: Record<string, unknown>[];
let timers: Timer[];
let nowMs: number;
let log: Log;
const clock = {
  now: () => nowMs,
  setTimer(delayMs: number, run: () => void) {
    const timer = { atMs: nowMs + delayMs, run };
    timers.push(timer);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
  },
};

beforeEach(() => {
  [lines, timers, nowMs] = [[], [], 1_000_000];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  log = createLog({ level: "debug", service: "test", destination });
});

function pass(ms: number): void {
  nowMs += ms;
  for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) {
    timers = timers.filter((other) => other !== timer);
    timer.run();
  }
}

const of =
  (most: number): FoldLimits =>
  ({ peer }) => [{ name: String(peer), most }];

it("writes as many as may be, and tells how many more there were when the minute is over", () => {
  const folded = new FoldingLog({ clock, log }).of(log.child({ node: "n" }), of(2));
  for (let index = 0; index < 7; index++) folded.warn({ peer: "a", index }, "flaps");
  expect(lines.map(({ index }) => index)).toEqual([0, 1]);
  pass(MINUTE_MS);
  expect(lines.slice(2)).toEqual([
    expect.objectContaining({
      level: "warn",
      node: "n",
      line: "flaps",
      times: 5,
      msg: "happened more times in the last minute",
    }),
  ]);
  folded.warn({ peer: "a", index: 7 }, "flaps");
  expect(lines.at(-1)).toMatchObject({ index: 7 });
  expect(timers).toEqual([]);
});

it("tells them with the next line, where that comes first", () => {
  const folded = new FoldingLog({ clock, log }).of(log, of(1));
  folded.info({ peer: "a" }, "flaps");
  nowMs += MINUTE_MS - 1;
  for (let index = 0; index < 3; index++) folded.info({ peer: "a" }, "flaps");
  nowMs += 1;
  folded.info({ peer: "a" }, "flaps");
  expect(lines.map(({ msg, times }) => [msg, times])).toEqual([
    ["flaps", undefined],
    ["happened more times in the last minute", 3],
    ["flaps", undefined],
  ]);
  pass(MINUTE_MS);
  expect(lines).toHaveLength(3);
});

it("folds each message and each name by itself, and nothing at debug", () => {
  const folded = new FoldingLog({ clock, log }).of(log, of(1));
  for (const peer of ["a", "b", "a"]) {
    folded.info({ peer }, "one");
    folded.error({ peer }, "two");
    folded.child({ peer }).debug({}, "three");
  }
  expect(lines.map(({ peer, msg }) => `${String(peer)} ${String(msg)}`)).toEqual([
    ...["a one", "a two", "a three", "b one", "b two", "b three", "a three"],
  ]);
});

it("goes by the tightest of several names", () => {
  const limits: FoldLimits = ({ session }) => [
    { name: String(session), most: 2 },
    { name: "all", most: 3 },
  ];
  const folded = new FoldingLog({ clock, log }).of(log, limits);
  for (const session of ["a", "a", "a", "b", "b", "c"]) folded.info({ session }, "line");
  expect(lines.map(({ session }) => session)).toEqual(["a", "a", "b"]);
});

it("remembers a bounded number of names, and tells what it forgot as one number", () => {
  const folding = new FoldingLog({ clock, log, mostKnown: 10 });
  const folded = folding.of(log, of(1));
  for (let index = 0; index < 1_000; index++) {
    folded.info({ peer: `p${index}` }, "line");
    folded.info({ peer: `p${index}` }, "line");
  }
  lines = [];
  pass(MINUTE_MS);
  const told = lines.map(({ times }) => Number(times));
  expect(told).toHaveLength(11);
  expect(told.reduce((sum, times) => sum + times, 0)).toBe(1_000);
  expect(lines.at(-1)).toMatchObject({
    msg: "lines of many peers were not written in the last minute",
    times: 990,
  });
});

it("tells at its end what it has not told", () => {
  const folding = new FoldingLog({ clock, log });
  const folded = folding.of(log, of(1));
  for (let index = 0; index < 3; index++) folded.info({ peer: "a" }, "line");
  folding.stop();
  expect(lines.at(-1)).toMatchObject({ line: "line", times: 2 });
  expect(timers).toEqual([]);
});

it("tells of what the lines that it folded have in common, and blames nobody for the others'", () => {
  const folded = new FoldingLog({ clock, log }).of(log, () => [{ name: "one peer", most: 1 }]);
  for (const session of ["a", "b", "b"])
    folded.child({ session, namespace: "n" }).info({ code: 1000 }, "closed");
  pass(MINUTE_MS);
  expect(lines.at(-1)).toMatchObject({ line: "closed", times: 2, session: "b", namespace: "n" });
  for (const session of ["a", "b", "c"])
    folded.child({ session, namespace: "n" }).info({ code: 1000 }, "closed");
  pass(MINUTE_MS);
  expect(lines.at(-1)).toMatchObject({ line: "closed", times: 2, namespace: "n" });
  expect(lines.at(-1)).not.toHaveProperty("session");
});
