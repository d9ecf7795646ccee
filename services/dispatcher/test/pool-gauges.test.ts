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

/** A clock that the test moves, and a ledger that counts how often it is asked. */
function setGauges(poolNames: readonly string[], size: Partial<PoolSize> = { queued: 1 }) {
  const state = { nowMs: 1_000, asked: 0, fails: false, hosted: ["default"] };
  let measured: ReadonlyMap<string, AgentPools> = new Map();
  const { drainedBusy, ...counts } = { ...EMPTY_POOL, ...size };
  const ledger = {
    listPools: async () => {
      state.asked++;
      if (state.fails) throw new Error("away");
      return { status: "pools" as const, names: [...poolNames] };
    },
    measurePool: async () => ({
      ...{ status: "measured" as const, next: 0 },
      counts: { ...counts, drained_busy: drainedBusy },
    }),
  } satisfies Pick<Ledger, "listPools" | "measurePool">;
  const gauges = new PoolGauges({
    ...{ ledger, hosted: () => state.hosted, log },
    metrics: {
      poolsMeasured: (agents) => {
        measured = agents;
      },
    },
    clock: { now: () => state.nowMs, setTimer: () => () => undefined },
  });
  return { state, gauges, measured: () => measured };
}

describe("looks", () => {
  it("when somebody reads, and not again within 5 s", async () => {
    const { state, gauges } = setGauges(["room/agent/"]);
    expect(state.asked).toBe(0);
    await Promise.all([gauges.refresh(), gauges.refresh()]);
    state.nowMs += 4_999;
    await gauges.refresh();
    expect(state.asked).toBe(1);
    state.nowMs += 1;
    await gauges.refresh();
    expect(state.asked).toBe(2);
  });

  it("later when it failed, and keeps what it had seen", async () => {
    const { state, gauges, measured } = setGauges(["room/agent/"]);
    await gauges.refresh();
    state.fails = true;
    state.nowMs += 5_000;
    await gauges.refresh();
    expect(measured().get("agent")).toMatchObject({ queued: 1, workersNeeded: 1 });
  });

  it("not any more once it is stopped", async () => {
    const { state, gauges } = setGauges(["room/agent/"]);
    await gauges.stop();
    await gauges.refresh();
    expect(state.asked).toBe(0);
  });
});

it("names 40 agents for good, and adds up the others under one name", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `room/a${index}/`);
  const { state, gauges, measured } = setGauges([...names, "room//"], { queued: 2, used: 1 });
  await gauges.refresh();
  const labels = [...measured().keys()];
  expect(labels).toHaveLength(41);
  expect(labels).toContain("a39");
  expect(measured().get("other")).toMatchObject({ queued: 22, used: 11, workersNeeded: 11 });
  names.splice(0, 20);
  state.nowMs += 5_000;
  await gauges.refresh();
  expect(measured().get("a39")).toMatchObject({ queued: 2 });
});

it("an agent without a name has a label all the same", async () => {
  const { gauges, measured } = setGauges(["room//", "publisher//"], { queued: 1 });
  await gauges.refresh();
  const both = addSizes({ ...EMPTY_POOL, queued: 1 }, { ...EMPTY_POOL, queued: 1 });
  expect(measured().get("(unnamed)")).toEqual({ ...both, workersNeeded: 2 });
});
