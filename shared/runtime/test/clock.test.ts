import { systemClock } from "@muster/runtime/clock";
import { productVersion } from "@muster/runtime/version";
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, test, vi } from "vitest";
import rootPackage from "../../../package.json" with { type: "json" };

test("a timer runs once after its delay, and not when cancelled", async () => {
  let ran = 0;
  let ranCancelled = 0;
  const startedAt = systemClock.now();
  systemClock.setTimer(30, () => {
    ran += 1;
  });
  const cancel = systemClock.setTimer(10, () => {
    ranCancelled += 1;
  });
  cancel();
  cancel();
  await waitUntil("it ran", () => ran > 0);
  expect(systemClock.now() - startedAt).toBeGreaterThanOrEqual(29);
  expect({ ran, ranCancelled }).toEqual({ ran: 1, ranCancelled: 0 });
});

test("a delay longer than Node's timers hold is waited for, and can be cancelled on the way", () => {
  vi.useFakeTimers();
  try {
    const runs: string[] = [];
    const delayMs = 2 ** 31 + 1_000;
    systemClock.setTimer(delayMs, () => runs.push("long"));
    const cancel = systemClock.setTimer(delayMs, () => runs.push("cancelled"));
    vi.advanceTimersByTime(delayMs - 1);
    expect(runs).toEqual([]);
    cancel();
    vi.advanceTimersByTime(1);
    expect(runs).toEqual(["long"]);
  } finally {
    vi.useRealTimers();
  }
});

test("a pending timer does not keep a process alive", () => {
  const before = refdTimers();
  const cancel = systemClock.setTimer(60_000, () => {});
  expect(refdTimers()).toBe(before);
  const kept = setTimeout(() => {}, 60_000);
  expect(refdTimers()).toBe(before + 1);
  clearTimeout(kept);
  cancel();
});

/** Node lists here what keeps the process alive. */
function refdTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

test("the version is the product's", () => {
  expect(productVersion()).toBe(rootPackage.version);
});
