/** One hosted name: turns one at a time, restarts after failures, rest, and an orderly end. No Redis is involved. */
import type { Actor, ActorContext } from "@muster/actor/actor";
import { ActorCell, type ActorCellDeps } from "@muster/actor/actor-cell";
import { systemClock } from "@muster/runtime/clock";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { type LogLine, makeGate, recordingLog } from "./actor-kit.js";

type Deps = ActorCellDeps<string>;
type Behaviour = Partial<Actor<string>>;

function cellWith(
  make: (context: ActorContext<string>, life: number) => Behaviour,
  deps: Partial<Deps> & { limits?: Deps["limits"] } = {},
) {
  const lines: LogLine[] = [];
  const counts = { turns: 0, failures: 0, refused: 0, coalesced: 0, rested: 0 };
  let lives = 0;
  let ended = 0;
  const cell = new ActorCell<string>({
    name: "some",
    createActor: (_name, context) => {
      lives += 1;
      return {
        start: async () => {},
        receive: () => {},
        review: async () => undefined,
        mayRest: () => true,
        stop: async () => {},
        ...make(context, lives),
      };
    },
    mailbox: { capacity: 100, keyOf: (message) => (message.startsWith("wake") ? "wake" : undefined) },
    limits: { turnLimitMs: 5_000, firstBackOffMs: 5, longestBackOffMs: 40, healthyAfterMs: 60_000 },
    counts,
    clock: systemClock,
    log: recordingLog(lines),
    onEnded: () => {
      ended += 1;
    },
    ...deps,
  });
  return { cell, counts, lines, lives: () => lives, ended: () => ended };
}

describe("an actor under supervision", () => {
  it("takes its turns one at a time, in order", async () => {
    const seen: string[] = [];
    let running = 0;
    let mostRunning = 0;
    const { cell } = cellWith(() => ({
      receive: async (message) => {
        running += 1;
        mostRunning = Math.max(mostRunning, running);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(message);
        running -= 1;
      },
    }));
    const sent = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    for (const message of sent) cell.tell(message);
    await waitUntil("all messages were taken", () => seen.length === sent.length);
    expect(seen).toEqual(sent);
    expect(mostRunning).toBe(1);
    await cell.stop();
  });

  it("coalesces wake-ups that wait, and keeps the one that comes during a turn", async () => {
    const gate = makeGate();
    const seen: string[] = [];
    const { cell, counts } = cellWith(() => ({
      receive: async (message) => {
        seen.push(message);
        if (seen.length === 1) await gate.passed;
      },
    }));
    cell.tell("wake 1");
    await waitUntil("the first turn runs", () => seen.length === 1);
    for (const message of ["wake 2", "wake 3", "wake 4"]) cell.tell(message);
    gate.open();
    await waitUntil("the second turn ran", () => seen.length === 2);
    await cell.stop();
    expect(seen).toEqual(["wake 1", "wake 4"]);
    expect(counts.coalesced).toBe(2);
  });

  it("refuses messages above its capacity, and counts them", async () => {
    const { cell, counts } = cellWith(() => ({ start: () => new Promise(() => {}) }), {
      mailbox: { capacity: 2, keyOf: () => undefined },
      limits: { turnLimitMs: 20, firstBackOffMs: 5, longestBackOffMs: 5, healthyAfterMs: 60_000 },
    });
    expect(["1", "2", "3"].map((message) => cell.tell(message))).toEqual(["queued", "queued", "full"]);
    expect(counts.refused).toBe(1);
    await cell.stop();
    expect(cell.leftovers()).toEqual(["1", "2"]);
  });

  it("restarts after a throw, without the message that it failed at and with those behind it", async () => {
    const seen: string[] = [];
    const stopped: number[] = [];
    const { cell, counts, lines, lives } = cellWith((_context, life) => ({
      receive: (message) => {
        if (message === "poison") throw new Error("cannot stomach this");
        seen.push(message);
      },
      stop: async () => void stopped.push(life),
    }));
    for (const message of ["before", "poison", "after"]) cell.tell(message);
    await waitUntil("the message behind was taken", () => seen.includes("after"));
    expect(seen).toEqual(["before", "after"]);
    expect(lives()).toBe(2);
    expect(stopped).toEqual([1]);
    expect(counts.failures).toBe(1);
    expect(lines.map((line) => line.msg)).toEqual(["actor failed; it is restarted"]);
    await cell.stop();
  });

  it("waits longer after each failure, up to a bound", async () => {
    const bornAt: number[] = [];
    const { cell } = cellWith(() => {
      bornAt.push(performance.now());
      return { start: () => Promise.reject(new Error("not yet")) };
    });
    await waitUntil("it was tried six times", () => bornAt.length >= 6);
    await cell.stop();
    const gaps = bornAt.slice(1).map((at, index) => at - (bornAt[index] ?? 0));
    // 5, 10, 20, 40, 40 ms; timers may be late, and a millisecond early.
    for (const [index, least] of [5, 10, 20, 40, 40].entries())
      expect(gaps[index]).toBeGreaterThan(least - 2);
  });

  it("restarts when something outside a turn fails, once, and not for what an earlier life says", async () => {
    const contexts: ActorContext<string>[] = [];
    const { cell, counts, lives } = cellWith((context) => {
      contexts.push(context);
      return {};
    });
    await waitUntil("it lives", async () => (await cell.review()) !== "not_running");
    contexts[0]?.fail(new Error("a child died"));
    contexts[0]?.fail(new Error("another child died"));
    await waitUntil("it lives again", async () => lives() === 2 && (await cell.review()) !== "not_running");
    contexts[0]?.fail(new Error("late news of the first life"));
    const taken = cell.tell("still here");
    await waitUntil("it takes turns", () => counts.turns === 1);
    expect(taken).toBe("queued");
    expect(counts.failures).toBe(1);
    expect(lives()).toBe(2);
    await cell.stop();
  });

  it("gives up a turn that takes too long, and goes on with the next message", async () => {
    const seen: string[] = [];
    const { cell, counts } = cellWith(
      () => ({
        receive: (message) => (message === "hang" ? new Promise(() => {}) : void seen.push(message)),
      }),
      { limits: { turnLimitMs: 30, firstBackOffMs: 5, longestBackOffMs: 5, healthyAfterMs: 60_000 } },
    );
    cell.tell("hang");
    cell.tell("next");
    await waitUntil("the next message was taken", () => seen.length === 1);
    expect(counts.failures).toBe(1);
    await cell.stop();
  });

  it("rests when it is idle and agrees, and lives again for a message that came while it was stopping", async () => {
    const stopping = makeGate();
    const seen: string[] = [];
    let agrees = false;
    let isStopping = false;
    const { cell, counts, ended, lives } = cellWith((_context, life) => ({
      receive: (message) => void seen.push(message),
      mayRest: () => agrees,
      stop: async () => {
        isStopping = true;
        if (life === 1) await stopping.passed;
      },
    }));
    await waitUntil("it lives", async () => (await cell.review()) !== "not_running");
    cell.restWhenIdle(60_000);
    cell.restWhenIdle(0);
    expect(await cell.review()).toEqual({ dueAtMs: undefined });
    agrees = true;
    cell.restWhenIdle(0);
    await waitUntil("it is being stopped", () => isStopping);
    cell.tell("late");
    stopping.open();
    await waitUntil("the late message was taken", () => seen.length === 1);
    expect(lives()).toBe(2);
    expect(ended()).toBe(0);
    cell.restWhenIdle(0);
    await waitUntil("it rested for good", () => ended() === 1);
    expect(counts.rested).toBe(2);
  });

  it("finishes its turn before it stops, and leaves the rest of its mailbox", async () => {
    const gate = makeGate();
    const order: string[] = [];
    const { cell, ended } = cellWith(() => ({
      receive: async (message) => {
        order.push(`begin ${message}`);
        await gate.passed;
        order.push(`end ${message}`);
      },
      stop: async () => void order.push("stop"),
    }));
    cell.tell("1");
    cell.tell("2");
    await waitUntil("the first turn runs", () => order.length === 1);
    const stopped = cell.stop();
    gate.open();
    await stopped;
    expect(order).toEqual(["begin 1", "end 1", "stop"]);
    expect(cell.leftovers()).toEqual(["2"]);
    expect(ended()).toBe(1);
  });
});
