/** When LiveKit is asked and when it is left alone, by a clock that stands still. */

import { systemClock } from "@muster/runtime/clock";
import { expect, test } from "vitest";
import { CallBreaker } from "../src/call-breaker.js";

function breaker() {
  let nowMs = 0;
  const changes: boolean[] = [];
  const clock = { ...systemClock, now: () => nowMs };
  const subject = new CallBreaker({
    clock,
    firstPauseMs: 1_000,
    longestPauseMs: 4_000,
    onChange: (isPaused) => changes.push(isPaused),
  });
  const passes = (ms: number) => {
    nowMs += ms;
  };
  return { subject, changes, passes };
}

test("nobody asks during the pause, and then one", () => {
  const { subject, changes, passes } = breaker();
  expect([subject.allows(), subject.allows()]).toEqual([true, true]);
  subject.failed();
  subject.failed(); // was under way with the first
  passes(999);
  expect(subject.allows()).toBe(false);
  passes(1);
  expect([subject.allows(), subject.allows()]).toEqual([true, false]);
  subject.succeeded();
  expect([subject.allows(), subject.allows()]).toEqual([true, true]);
  expect(changes).toEqual([true, false]);
});

test("each further failure doubles the pause, up to the longest", () => {
  const { subject, changes, passes } = breaker();
  subject.failed();
  for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
    passes(pauseMs - 1);
    expect(subject.allows()).toBe(false);
    passes(1);
    expect(subject.allows()).toBe(true);
    subject.failed();
  }
  expect(changes).toEqual([true]);
});
