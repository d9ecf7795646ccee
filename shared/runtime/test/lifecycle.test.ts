import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, test } from "vitest";

function harness({ deadlineMs = 5_000 } = {}) {
  const lines: Record<string, unknown>[] = [];
  const exits: number[] = [];
  const ran: string[] = [];
  const log = createLog({
    level: "debug",
    service: "test",
    destination: { write: (line) => lines.push(JSON.parse(line)) },
  });
  const lifecycle = createLifecycle({ log, deadlineMs, exit: (code) => exits.push(code) });
  return { lifecycle, lines, exits, ran };
}

const never = () => new Promise<void>(() => {});

describe("stopping", () => {
  test("runs the steps one after the other as they are listed, once, and logs each with its reason and time", async () => {
    const { lifecycle, lines, ran } = harness();
    let letFirstEnd: () => void = () => {};
    lifecycle.onStop("sockets", "who comes now must land elsewhere", async () => {
      ran.push("sockets begins");
      await new Promise<void>((resolve) => {
        letFirstEnd = resolve;
      });
      ran.push("sockets ends");
    });
    lifecycle.onStop("redis", "the steps above write to it", () => void ran.push("redis"));
    expect(lifecycle.isStopping).toBe(false);
    const stopped = lifecycle.stop("test");
    expect(lifecycle.isStopping).toBe(true);
    await waitUntil("the first step runs", () => ran.length > 0);
    expect(ran).toEqual(["sockets begins"]);
    letFirstEnd();
    expect(await stopped).toBe(0);
    expect(await lifecycle.stop("again")).toBe(0);
    expect(ran).toEqual(["sockets begins", "sockets ends", "redis"]);
    expect(lines.filter(({ msg }) => msg === "stop step")).toMatchObject([
      {
        step: "sockets",
        why: "who comes now must land elsewhere",
        outcome: "done",
        tookMs: expect.any(Number),
      },
      { step: "redis", why: "the steps above write to it", outcome: "done", tookMs: expect.any(Number) },
    ]);
  });

  test("a step that throws is logged, the next ones run, and the code is 1", async () => {
    const { lifecycle, lines, ran } = harness();
    lifecycle.onStop("first", "why", () => {
      throw new Error("no luck");
    });
    lifecycle.onStop("second", "why", () => void ran.push("second"));
    expect(await lifecycle.stop("test")).toBe(1);
    expect(ran).toEqual(["second"]);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        step: "first",
        err: expect.objectContaining({ message: "no luck" }),
      }),
    );
  });

  test("a step that hangs ends the wait at the deadline, and is named", async () => {
    const { lifecycle, lines, ran } = harness({ deadlineMs: 50 });
    lifecycle.onStop("stuck", "why", never);
    lifecycle.onStop("after", "why", () => void ran.push("after"));
    expect(await lifecycle.stop("test")).toBe(1);
    expect(ran).toEqual([]);
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", step: "stuck", deadlineMs: 50 }));
  });

  test("a step cannot be added while stopping", async () => {
    const { lifecycle } = harness();
    const stopped = lifecycle.stop("test");
    expect(() => lifecycle.onStop("late", "why", () => {})).toThrow("while stopping");
    await stopped;
  });
});

describe("signals", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s stops and ends with the code of the steps",
    async (signal) => {
      const { lifecycle, exits, ran } = harness();
      const uninstall = lifecycle.installSignals();
      lifecycle.onStop("one", "why", () => void ran.push("one"));
      process.kill(process.pid, signal);
      await waitUntil("it exited", () => exits.length > 0);
      uninstall();
      expect({ ran, exits }).toEqual({ ran: ["one"], exits: [0] });
    },
  );

  test("a second one ends at once with 1", async () => {
    const { lifecycle, exits } = harness();
    const uninstall = lifecycle.installSignals();
    lifecycle.onStop("stuck", "why", never);
    process.kill(process.pid, "SIGTERM");
    await waitUntil("it stops", () => lifecycle.isStopping);
    process.kill(process.pid, "SIGINT");
    await waitUntil("it exited", () => exits.length > 0);
    uninstall();
    expect(exits).toEqual([1]);
  });
});
