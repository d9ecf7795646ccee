/**
 * One agent for one dispatch beside a real livekit-server: a stock Node worker that is registered at livekit-server itself
 * beside one at Muster, orders of an agent that is one per room, and the agent of a job whose worker was lost.
 * Runs where LIVEKIT_SERVER_BIN names a livekit-server.
 */
import { RoomConfiguration } from "livekit-server-sdk";
import { expect, it, onTestFinished } from "vitest";
import { startFlakyProxy } from "../kit/flaky-proxy.js";
import { waitUntil } from "../kit/wait-until.js";
import { JS_RUNNING } from "../sdk/live-muster.js";
import { SDK_DEADLINE_MS } from "../sdk/worker-process.js";
import { liveHouse } from "./live-house.js";
import { describeLive } from "./live-rooms.js";
import { nodeWorker } from "./live-workers.js";

const AGENT = "greeter";
/** Two agents of one dispatch are in a room for no longer. */
const TOGETHER_MS = 2_000;
/** A stop that nobody can be told of has its agent put out by then: 3 s, and the timers' own pace. */
const PUT_OUT_MS = 6_000;

const house = liveHouse();

describeLive("agents that meet beside a real livekit-server", () => {
  it("the agent of a job that is deleted after its worker's reconnect leaves the room in seconds", async () => {
    const proxy = await startFlakyProxy({
      target: { host: "127.0.0.1", port: Number(new URL(house.muster.url).port) },
    });
    onTestFinished(() => proxy.stop());
    const lost = await worker(`http://127.0.0.1:${proxy.port}`);
    await house.people.join("caller", "orphaned");
    const dispatch = await house.muster.client.createDispatch("orphaned", AGENT);
    await house.agentsAre("orphaned", 1);
    const isRunning = async () => {
      const made = await house.muster.client.listDispatch("orphaned");
      return made.find(({ id }) => id === dispatch.id)?.state?.jobs[0]?.state?.status === JS_RUNNING;
    };
    await waitUntil("it is known to run", isRunning);
    proxy.cut();
    const registered = () => lost.output().split("registered AW_").length - 1;
    await waitUntil("the worker is back on another session", () => registered() > 1, {
      deadlineMs: SDK_DEADLINE_MS,
    });
    expect(await house.agentsIn("orphaned")).toHaveLength(1);
    const deletedAtMs = Date.now();
    await house.muster.client.deleteDispatch(dispatch.id, "orphaned");
    await house.agentsAre("orphaned", 0);
    expect(Date.now() - deletedAtMs).toBeLessThan(PUT_OUT_MS);
  });

  it("an agent of a token that was dispatched explicitly too comes once where it is one per room", async () => {
    await house.desk.call("PUT", `/v1/placement-policies?agent_name=${AGENT}`, { one_per_room: true });
    await worker();
    const dispatch = await house.muster.client.createDispatch("once", AGENT);
    await house.people.join("caller", "once", { roomConfig: named() });
    await house.agentsAre("once", 1);
    const again = await house.muster.client.createDispatch("once", AGENT);
    expect(again.id).toBe(dispatch.id);
    const jobs = (await house.muster.client.listDispatch("once")).filter(
      ({ agentName }) => agentName === AGENT,
    );
    expect(jobs.map(({ id }) => id)).toEqual([dispatch.id]);
    expect(await house.agentsIn("once")).toHaveLength(1);
  });

  it("a token dispatch that a worker at livekit-server itself takes too has one agent", async () => {
    const ours = await worker();
    const theirs = await worker(house.server.url);
    await house.people.join("caller", "both", { roomConfig: named() });
    await theirs.entryIn("both");
    const metAtMs: number[] = [];
    await waitUntil(
      "theirs alone is in the room",
      async () => {
        const agents = await house.agentsIn("both");
        if (agents.length > 1) metAtMs.push(Date.now());
        return (
          agents.length === 1 && agents.every(({ attributes }) => attributes["muster.job"] === undefined)
        );
      },
      { deadlineMs: SDK_DEADLINE_MS },
    );
    expect((metAtMs.at(-1) ?? 0) - (metAtMs[0] ?? 0)).toBeLessThan(TOGETHER_MS);
    const metrics = await (await fetch(`${house.muster.url}/metrics`)).text();
    expect(metrics).toMatch(/^muster_dispatches_doubled_total.* 1$/m);
    await house.people.join("caller", "next", { roomConfig: named() });
    await theirs.entryIn("next");
    await house.agentsAre("next", 1);
    // The first room told Muster of that worker.
    const entries = ours.events().filter(({ event, job }) => event === "entry" && job?.room?.name === "next");
    expect(entries).toEqual([]);
  });
});

const named = () => new RoomConfiguration({ agents: [{ agentName: AGENT }] });

const worker = (url?: string) => nodeWorker(house, AGENT, url === undefined ? {} : { url });
