/** The whole path with the stock Node SDK: a real worker process, a real server SDK, Muster as one process. */
import { TokenVerifier } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed, onTestFinished } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import {
  API_KEY,
  API_SECRET,
  JS_PENDING,
  JS_RUNNING,
  type LiveMuster,
  startLiveMuster,
} from "./live-muster.js";
import { startSplitMuster } from "./split-muster.js";
import { SDK_DEADLINE_MS, type SdkWorker, startNodeWorker } from "./worker-process.js";

/** How soon a job is resumed of which presence says that its agent is gone: the bound of the design. */
const AT_ONCE_MS = 2_000;

let muster: LiveMuster;
let worker: SdkWorker;

beforeAll(async () => {
  muster = await startLiveMuster({ MUSTER_WORKER_LIVEKIT_URL: "wss://media.example.com" });
  worker = await startNodeWorker({ agentName: "node-agent", url: muster.url });
}, 2 * SDK_DEADLINE_MS);
beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
afterAll(async () => {
  await worker?.stop();
  await muster?.stop();
});

describe("a stock Node worker", { timeout: 2 * SDK_DEADLINE_MS }, () => {
  it("runs its entry with the job, its metadata and LiveKit's token", async () => {
    const dispatch = await muster.client.createDispatch("room-node", "node-agent", {
      metadata: "from the caller",
    });
    const entry = await worker.entryIn("room-node");
    expect(entry.job).toMatchObject({
      dispatchId: dispatch.id,
      metadata: "from the caller",
      agentName: "node-agent",
    });
    expect(entry.url).toBe("wss://media.example.com");
    const claims = await new TokenVerifier(API_KEY, API_SECRET).verify(entry.token ?? "");
    expect(claims).toMatchObject({
      kind: "agent",
      sub: `agent-${entry.job?.id}`,
      video: { room: "room-node", roomJoin: true, agent: true },
    });
    expect(claims.attributes).toMatchObject({ "lk.agent_name": "node-agent", "muster.epoch": "1" });
  });

  it("is shown as running, and shuts the job down when its dispatch is deleted", async () => {
    const dispatch = await muster.client.createDispatch("room-stop", "node-agent");
    const entry = await worker.entryIn("room-stop");
    expect(await muster.jobIn("room-stop")).toMatchObject({
      id: entry.job?.id,
      state: { status: JS_RUNNING },
    });
    await muster.client.deleteDispatch(dispatch.id, "room-stop");
    await worker.shutdownOf(entry.job?.id);
    expect(await muster.client.listDispatch("room-stop")).toEqual([]);
  });

  it("is given a job that waited for it, as soon as it is registered", async () => {
    await muster.client.createDispatch("room-waits", "agent-of-later");
    expect((await muster.jobIn("room-waits"))?.state?.status ?? JS_PENDING).toBe(JS_PENDING);
    const later = await startNodeWorker({ agentName: "agent-of-later", url: muster.url });
    try {
      // Far less than the 2.5 s between two load reports, for which nobody has to wait. How long the SDK then takes to
      // start a job process is its own affair.
      await waitUntil(
        "the job that waited is assigned",
        async () => (await muster.jobIn("room-waits"))?.state?.status === JS_RUNNING,
        { deadlineMs: 1_500 },
      );
      await later.entryIn("room-waits");
    } finally {
      await later.stop();
    }
  });
});

describe("a stock Node worker whose gateway drains", { timeout: 3 * SDK_DEADLINE_MS }, () => {
  it("without presence: goes on with its job, and nobody else is given it", async () => {
    const graceMs = 1_000;
    const own = await startLiveMuster({ MUSTER_GRACE_MS: String(graceMs), MUSTER_HOLD_MS: "1000" });
    const held = await startNodeWorker({ agentName: "node-drained", url: own.url });
    onTestFailed(() => own.printOutput());
    onTestFinished(async () => {
      await held.stop();
      await own.stop();
    });
    await own.client.createDispatch("room-drained", "node-drained");
    await held.entryIn("room-drained");
    await own.restart("stop");
    // It says nothing of its job when it is back, ever: neither this nor the end of the grace is evidence.
    const back = () => held.output().match(/registered AW_/g)?.length === 2;
    await waitUntil("the worker is back", back, { deadlineMs: SDK_DEADLINE_MS });
    const entries = () => held.events().filter(({ event }) => event === "entry").length;
    await waitUntil(
      "its grace was over long ago",
      async () => {
        const { orphaned_at } = await own.recordIn("room-drained");
        return Number(orphaned_at) > 0 && Date.now() > Number(orphaned_at) + 5 * graceMs;
      },
      { deadlineMs: SDK_DEADLINE_MS, everyMs: 100, invariant: () => expect(entries()).toBe(1) },
    );
    expect(await own.recordIn("room-drained")).toMatchObject({ state: "orphaned", offers: "1" });
    expect((await own.jobIn("room-drained"))?.state?.status).toBe(JS_RUNNING);
  });

  it("with presence: keeps a job whose agent is in its room, and has one whose agent left begun anew at once", async () => {
    const graceMs = 3_000;
    const own = await startSplitMuster({ graceMs, startDeadlineMs: 1_000 });
    const held = await startNodeWorker({ agentName: "node-present", url: own.url });
    onTestFailed(() => own.printOutput());
    onTestFinished(async () => {
      await held.stop();
      await own.stop();
    });
    const begin = async (room: string) => {
      await own.client.createDispatch(room, "node-present");
      return (await held.entryIn(room)).job?.id ?? "";
    };
    const [stays, left] = [await begin("room-stays"), await begin("room-left")];
    // Until then an agent that is not in its room may be one that has not joined yet.
    await waitUntil("both have had their time to start", async () =>
      [await own.recordIn("room-stays"), await own.recordIn("room-left")].every(
        ({ unseen_until }) => Number(unseen_until) > 0,
      ),
    );
    own.presence.verdicts.set(stays, "present").set(left, "absent");
    await own.drainGateway();

    const wires = (room: string) =>
      held
        .events()
        .filter(({ event, job }) => event === "entry" && job?.room?.name === room)
        .map(({ job }) => job?.id);
    await waitUntil("the agent that left is there again", () => wires("room-left").length === 2, {
      deadlineMs: SDK_DEADLINE_MS,
      everyMs: 100,
      invariant: () => expect(wires("room-stays")).toEqual([stays]),
    });
    expect(wires("room-left")).toEqual([left, `${left}.2`]);
    const resumed = await own.recordIn("room-left");
    expect(Number(resumed.resumed_at) - Number(resumed.orphaned_at)).toBeLessThan(AT_ONCE_MS);
    await waitUntil(
      "the other one's grace was over long ago",
      async () => Date.now() > Number((await own.recordIn("room-stays")).orphaned_at) + 2 * graceMs,
      {
        deadlineMs: SDK_DEADLINE_MS,
        everyMs: 100,
        invariant: () => expect(wires("room-stays")).toEqual([stays]),
      },
    );
    expect(await own.recordIn("room-stays")).toMatchObject({ state: "orphaned", offers: "1" });

    own.presence.verdicts.set(stays, "absent");
    const leftAtMs = Date.now();
    await waitUntil("it is there again too", () => wires("room-stays").length === 2, {
      deadlineMs: SDK_DEADLINE_MS,
    });
    expect(wires("room-stays")).toEqual([stays, `${stays}.2`]);
    expect(Number((await own.recordIn("room-stays")).resumed_at) - leftAtMs).toBeLessThan(AT_ONCE_MS);
  });
});
