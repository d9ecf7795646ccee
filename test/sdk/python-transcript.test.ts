/**
 * Muster against what a stock Python worker said, frame by frame. Runs everywhere; where PyPI is out of reach it stands
 * in for python-worker.test.ts. transcript/record.ts says how the transcripts are recorded anew.
 */
import { describe, expect, it, onTestFailed, onTestFinished } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import {
  API_KEY,
  API_SECRET,
  JS_RUNNING,
  JS_SUCCESS,
  type LiveMuster,
  startLiveMuster,
} from "./live-muster.js";
import { REQUIREMENT } from "./python-environment.js";
import { type Replay, startReplay } from "./transcript/replay.js";
import { readTranscript, SCENARIOS, type Scenario, wordsOfWorker } from "./transcript/transcript.js";

/** As recorded. */
const AGENT = "python-transcript";

describe.each(SCENARIOS)("the transcript %s", (scenario) => {
  it("is of the SDK that requirements.txt names", () => {
    const { sdk, connections } = readTranscript(scenario);
    expect(sdk, "record it anew, see test/sdk/transcript/record.ts").toBe(REQUIREMENT);
    expect(wordsOfWorker(connections)[0]).toMatchObject({
      case: "register",
      value: { agentName: AGENT, version: sdk.split("==")[1] },
    });
  });
});

describe("what a stock Python worker says", () => {
  it("ends its job by its report", async () => {
    const { muster, replay } = await play("finishes");
    await muster.client.createDispatch("room-1", AGENT);
    await replay.finished;
    const job = await jobWithStatus(muster, "room-1", JS_SUCCESS);
    expect(job.state?.participantIdentity).toBe(`agent-${job.id}`);
    expect(job.state?.endedAt ?? 0n).toBeGreaterThan(job.state?.startedAt ?? 0n);
    await expectOpen(replay);
  });

  it("after its dispatch was deleted frees the worker for the next job", async () => {
    const { muster, replay } = await play("stopped", { MUSTER_MAX_JOBS_PER_WORKER: "1" });
    const { id } = await muster.client.createDispatch("room-1", AGENT);
    await jobWithStatus(muster, "room-1", JS_RUNNING);
    await muster.client.createDispatch("room-2", AGENT);
    await expectOpen(replay);
    expect(replay.worker()?.count("availability")).toBe(1);

    await muster.client.deleteDispatch(id, "room-1");
    await replay.finished;
    // Well before the place of a job that was stopped without a word is given up.
    await waitUntil("the next job is offered", () => replay.worker()?.count("availability") === 2);
    const kinds = replay.worker()?.received.map((message) => message.case) ?? [];
    expect(kinds.indexOf("termination")).toBeLessThan(kinds.lastIndexOf("availability"));
    expect(await muster.client.listDispatch("room-1")).toEqual([]);
  });

  it("after a reconnect is taken: what ended meanwhile, what runs on, and its end", async () => {
    const { muster, replay } = await play("reconnects");
    await muster.client.createDispatch("room-1", AGENT);
    await jobWithStatus(muster, "room-1", JS_RUNNING);
    await muster.client.createDispatch("room-2", AGENT);
    const before = await jobWithStatus(muster, "room-2", JS_RUNNING);
    await waitUntil("what runs on is held by the new connection", async () => {
      const job = await muster.jobIn("room-2");
      return job?.state?.status === JS_RUNNING && job.state.workerId !== before.state?.workerId;
    });
    await replay.finished;
    for (const room of ["room-1", "room-2"]) {
      const { id, state } = await jobWithStatus(muster, room, JS_SUCCESS);
      // The very job that ran before the connection was lost.
      expect(state?.participantIdentity).toBe(`agent-${id}`);
    }
    await expectOpen(replay);
  });
});

/** A Muster of its own, so that no job is left in the pool of the next test's worker. */
async function play(scenario: Scenario, env: Record<string, string> = {}) {
  const muster = await startLiveMuster(env);
  const replay = startReplay(readTranscript(scenario), {
    url: muster.url,
    apiKey: API_KEY,
    apiSecret: API_SECRET,
  });
  onTestFailed(() => muster.printOutput());
  onTestFinished(async () => {
    replay.close();
    await muster.stop();
  });
  return { muster, replay };
}

function jobWithStatus(muster: LiveMuster, room: string, status: number) {
  return waitUntil(`the job in ${room} has status ${status}`, async () => {
    const job = await muster.jobIn(room);
    expect(job?.state?.status).toBe(status);
    return job;
  });
}

/** All that was said was read, and none of it closed the connection. */
async function expectOpen({ worker }: Replay): Promise<void> {
  expect(await worker()?.ping(7n)).toMatchObject({ lastTimestamp: 7n });
  expect(worker()?.isOpen).toBe(true);
}
