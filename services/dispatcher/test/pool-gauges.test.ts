/** The metrics by which workers are scaled: what a dispatcher says of its namespaces' pools, and how seldom it looks. */
import { addSizes, EMPTY_POOL, type PoolSize } from "@muster/domain/scaling";
import type { Ledger } from "@muster/ledger/ledger";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import type { AgentPools } from "../src/metrics.js";
import { PoolGauges } from "../src/pool-gauges.js";
import { log } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("pool-gauges");

it("says of each agent what its pools have to do, over the namespaces that it hosts", async () => {
  const gateway = await stage.gateway();
  const namespaces = [stage.freshNamespace(), stage.freshNamespace()];
  for (const namespace of namespaces) {
    await stage.caller.session(namespace, "greeter", gateway.nodeId, { cap: 2 });
    await stage.caller.parked(namespace, "lonely", 3);
  }
  const dispatcher = await stage.dispatcher();
  await waitUntil("both are hosted", () => dispatcher.hosted() >= namespaces.length);
  const read = () =>
    Promise.all(
      [
        'agent_slots{agent="greeter",state="free"}',
        'agent_workers{agent="greeter",state="available"}',
        'agent_jobs_waiting{agent="lonely"}',
        'agent_workers_needed{agent="lonely"}',
      ].map((line) => dispatcher.metric(line)),
    );
  await waitUntil("they are in the metrics", async () => expect(await read()).toEqual([4, 2, 6, 2]) ?? true, {
    deadlineMs: 15_000,
  });
});

/** A clock that the test moves, with its timers, and a ledger that counts how often it is asked. */
function setGauges(poolNames: readonly string[], size: Partial<PoolSize> = { queued: 1 }) {
  const state = { nowMs: 1_000, asked: 0, fails: false, slowMs: 0, hosted: ["default"] };
  const timers = new Set<{ atMs: number; run: () => void }>();
  let measured: ReadonlyMap<string, AgentPools> = new Map();
  const { drainedBusy, oldestWaitMs, ...counts } = { ...EMPTY_POOL, ...size };
  const ledger = {
    listPools: async () => {
      state.asked++;
      state.nowMs += state.slowMs;
      if (state.fails) throw new Error("away");
      return { status: "pools" as const, names: [...poolNames] };
    },
    measurePool: async () => ({
      ...{ status: "measured" as const, next: 0 },
      counts: { ...counts, drained_busy: drainedBusy, oldest_wait: oldestWaitMs },
    }),
  } satisfies Pick<Ledger, "listPools" | "measurePool">;
  const gauges = new PoolGauges({
    ...{ ledger, hosted: () => state.hosted, log },
    metrics: {
      poolsMeasured: (agents) => {
        measured = agents;
      },
    },
    clock: {
      now: () => state.nowMs,
      setTimer(ms, run) {
        const timer = { atMs: state.nowMs + ms, run };
        timers.add(timer);
        return () => void timers.delete(timer);
      },
    },
  });
  /** All that does not wait for a timer has happened. */
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    state,
    gauges,
    measured: () => measured,
    timers,
    settled,
    async pass(ms: number) {
      state.nowMs += ms;
      for (const timer of [...timers].filter(({ atMs }) => atMs <= state.nowMs)) {
        timers.delete(timer);
        timer.run();
      }
      await settled();
    },
  };
}

describe("looks", () => {
  it("when somebody reads, without that reader waiting, and from then on every 5 s", async () => {
    const { state, gauges, pass, settled } = setGauges(["room/agent/"]);
    expect(state.asked).toBe(0);
    expect(gauges.read()).toBeUndefined();
    expect(gauges.read()).toBeUndefined();
    await settled();
    expect(gauges.read()).toBe(0);
    await pass(4_999);
    expect(gauges.read()).toBe(4_999);
    expect(state.asked).toBe(1);
    await pass(1);
    expect(state.asked).toBe(2);
    expect(gauges.read()).toBe(0);
  });

  it("not while nobody reads, and again with the next reader", async () => {
    const { state, gauges, pass, settled, timers } = setGauges(["room/agent/"]);
    gauges.read();
    await settled();
    for (let ms = 0; ms <= 120_000; ms += 5_000) await pass(5_000);
    const asked = state.asked;
    expect(asked).toBeGreaterThan(20);
    expect(timers.size).toBe(0);
    expect(gauges.read()).toBeGreaterThan(5_000);
    await settled();
    expect(state.asked).toBe(asked + 1);
  });

  it("more seldom when it takes long: for a tenth of the time", async () => {
    const { state, gauges, pass, settled } = setGauges(["room/agent/"]);
    state.slowMs = 3_000;
    gauges.read();
    await settled();
    await pass(26_999);
    expect(state.asked).toBe(1);
    await pass(1);
    expect(state.asked).toBe(2);
  });

  it("later when it failed, and keeps what it had seen, growing old", async () => {
    const { state, gauges, measured, pass, settled } = setGauges(["room/agent/"]);
    gauges.read();
    await settled();
    state.fails = true;
    await pass(5_000);
    expect(state.asked).toBe(2);
    expect(gauges.read()).toBe(5_000);
    expect(measured().get("agent")).toMatchObject({ queued: 1, workersNeeded: 1 });
  });

  it("not any more once it is stopped", async () => {
    const { state, gauges, settled } = setGauges(["room/agent/"]);
    await gauges.stop();
    gauges.read();
    await settled();
    expect(state.asked).toBe(0);
  });
});

it("tells nothing any more of a namespace that another dispatcher hosts by now", async () => {
  const { state, gauges, measured, settled } = setGauges(["room/agent/"], { used: 2 });
  state.hosted = ["one", "two"];
  gauges.read();
  await settled();
  gauges.read();
  expect(measured().get("agent")).toMatchObject({ used: 4 });
  state.hosted = ["two", "new"];
  gauges.read();
  expect(measured().get("agent")).toMatchObject({ used: 2 });
  state.hosted = [];
  gauges.read();
  expect(measured().get("agent")).toBeUndefined();
});

it("names 40 agents for good, and adds up the others under one name", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `room/a${index}/`);
  const { gauges, measured, pass, settled } = setGauges([...names, "room//"], {
    queued: 2,
    used: 1,
    oldestWaitMs: 7,
  });
  gauges.read();
  await settled();
  gauges.read();
  const labels = [...measured().keys()];
  expect(labels).toHaveLength(41);
  expect(labels).toContain("a39");
  expect(measured().get("other")).toMatchObject({ queued: 22, used: 11, workersNeeded: 11, oldestWaitMs: 7 });
  names.splice(0, 20);
  await pass(5_000);
  gauges.read();
  expect(measured().get("a39")).toMatchObject({ queued: 2 });
});

it("an agent without a name has a label all the same", async () => {
  const { gauges, measured, settled } = setGauges(["room//", "publisher//"], { queued: 1 });
  gauges.read();
  await settled();
  gauges.read();
  const both = addSizes({ ...EMPTY_POOL, queued: 1 }, { ...EMPTY_POOL, queued: 1 });
  expect(measured().get("(unnamed)")).toEqual({ ...both, workersNeeded: 2 });
});
