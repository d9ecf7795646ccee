/**
 * Records the transcripts beside it: a stock Python worker and a real Muster, with a relay between them that listens.
 * Not a test, though vitest runs it. To record anew, after a change of requirements.txt and with PyPI in reach:
 *
 *   npx turbo run build && npx vitest run --config test/sdk/transcript/record.config.ts && npx biome check --write test/sdk
 */
import { JobStatus } from "@muster/wire/generated/livekit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { waitUntil } from "../../kit/wait-until.js";
import { type LiveMuster, startLiveMuster } from "../live-muster.js";
import { INSTALL_DEADLINE_MS, pythonWithSdk } from "../python-environment.js";
import { SDK_DEADLINE_MS, type SdkWorker, startPythonWorker } from "../worker-process.js";
import { type Relay, startRelay } from "./relay.js";
import { type Scenario, wordsOfWorker, writeTranscript } from "./transcript.js";

/** The test that replays dispatches to it. */
const AGENT = "python-transcript";
const deadlineMs = SDK_DEADLINE_MS;

let muster: LiveMuster;
let relay: Relay;
let worker: SdkWorker;

beforeEach(async () => {
  const environment = await pythonWithSdk();
  if ("missing" in environment) throw new Error(environment.missing);
  muster = await startLiveMuster();
  relay = await startRelay(muster.url);
  const env = { AGENT_STAYS: "1" };
  worker = await startPythonWorker(environment.python, { agentName: AGENT, url: relay.url, env });
}, INSTALL_DEADLINE_MS + deadlineMs);
afterEach(async () => {
  await worker?.stop();
  await relay?.stop();
  await muster?.stop();
});

const dispatch = (room: string) => muster.client.createDispatch(room, AGENT);

/** Waits until the worker reported this status of the job. */
async function reported(jobId: string | undefined, status: number): Promise<void> {
  const isIt = (word: ReturnType<typeof wordsOfWorker>[number]) =>
    word.case === "updateJob" && word.value.jobId === jobId && word.value.status === status;
  await waitUntil(`status ${status} of ${jobId}`, () => wordsOfWorker(relay.connections).some(isIt), {
    deadlineMs,
  });
}

function save(scenario: Scenario): void {
  const connections = structuredClone(relay.connections);
  const [first] = wordsOfWorker(connections);
  const version = first?.case === "register" ? first.value.version : "";
  expect(version).not.toBe("");
  writeTranscript(scenario, { sdk: `livekit-agents==${version}`, scenario, connections });
}

it("a job that ends by itself", { timeout: 3 * deadlineMs }, async () => {
  await dispatch("room-1");
  const { job } = await worker.entryIn("room-1");
  await reported(job?.id, JobStatus.JS_RUNNING);
  worker.release("room-1");
  await reported(job?.id, JobStatus.JS_SUCCESS);
  save("finishes");
});

it("a job that is stopped", { timeout: 3 * deadlineMs }, async () => {
  const { id } = await dispatch("room-1");
  const { job } = await worker.entryIn("room-1");
  await reported(job?.id, JobStatus.JS_RUNNING);
  await muster.client.deleteDispatch(id, "room-1");
  await reported(job?.id, JobStatus.JS_SUCCESS);
  save("stopped");
});

it("a connection that is lost: one job ends meanwhile, the other runs on", {
  timeout: 3 * deadlineMs,
}, async () => {
  await dispatch("room-1");
  const ends = (await worker.entryIn("room-1")).job?.id;
  await dispatch("room-2");
  const stays = (await worker.entryIn("room-2")).job?.id;
  for (const job of [ends, stays]) await reported(job, JobStatus.JS_RUNNING);
  relay.cut();
  worker.release("room-1");
  await worker.shutdownOf(ends);
  relay.mend();
  await reported(ends, JobStatus.JS_SUCCESS);
  await waitUntil(
    "the worker names the jobs it still runs",
    () => wordsOfWorker(relay.connections).some((word) => word.case === "migrateJob"),
    { deadlineMs },
  );
  worker.release("room-2");
  await reported(stays, JobStatus.JS_SUCCESS);
  save("reconnects");
});
