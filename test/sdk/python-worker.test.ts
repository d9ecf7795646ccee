/**
 * The whole path with the stock Python SDK, which reports what becomes of its jobs. Where PyPI is out of reach these
 * tests count as skipped, and python-transcript.test.ts stands in for them.
 */
import { TokenVerifier } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import {
  API_KEY,
  API_SECRET,
  JS_RUNNING,
  JS_SUCCESS,
  type LiveMuster,
  startLiveMuster,
} from "./live-muster.js";
import { INSTALL_DEADLINE_MS, type PythonEnvironment, pythonWithSdk } from "./python-environment.js";
import { SDK_DEADLINE_MS, type SdkWorker, startPythonWorker } from "./worker-process.js";

describe("a stock Python worker", { timeout: 3 * SDK_DEADLINE_MS }, () => {
  let environment: PythonEnvironment;
  let muster: LiveMuster;
  const workers: SdkWorker[] = [];

  beforeAll(async () => {
    environment = await pythonWithSdk();
    if ("missing" in environment) {
      process.stdout.write(`stock Python worker skipped: ${environment.missing}\n`);
    } else {
      muster = await startLiveMuster();
    }
  }, INSTALL_DEADLINE_MS + SDK_DEADLINE_MS);
  beforeEach(({ skip, onTestFailed }) => {
    if ("missing" in environment) skip(environment.missing);
    onTestFailed(() => {
      muster.printOutput();
      for (const worker of workers) process.stdout.write(`${worker.output()}\n`);
    });
  });
  afterAll(async () => {
    for (const worker of workers) await worker.stop();
    await muster?.stop();
  });

  async function connect(agentName: string, env: Record<string, string> = {}): Promise<SdkWorker> {
    const python = "python" in environment ? environment.python : "";
    const worker = await startPythonWorker(python, { agentName, url: muster.url, env });
    workers.push(worker);
    return worker;
  }

  const becomes = (room: string, status: number) =>
    waitUntil(
      `the job in ${room} has status ${status}`,
      async () => {
        const job = await muster.jobIn(room);
        expect(job?.state?.status).toBe(status);
        return job;
      },
      { deadlineMs: SDK_DEADLINE_MS },
    );

  it("runs its entry with the job and the token, and its report ends the job", async () => {
    const worker = await connect("python-agent");
    const dispatch = await muster.client.createDispatch("room-python", "python-agent", {
      metadata: "from the caller",
    });
    const entry = await worker.entryIn("room-python");
    expect(entry.job).toMatchObject({
      dispatchId: dispatch.id,
      metadata: "from the caller",
      room: { name: "room-python" },
    });
    const claims = await new TokenVerifier(API_KEY, API_SECRET).verify(entry.token ?? "");
    expect(claims).toMatchObject({
      kind: "agent",
      video: { room: "room-python", roomJoin: true, agent: true },
    });
    const ended = await becomes("room-python", JS_SUCCESS);
    expect(ended.state?.endedAt ?? 0n).toBeGreaterThan(ended.state?.startedAt ?? 0n);
  });

  it("is shown as running, and stops when its dispatch is deleted", async () => {
    const worker = await connect("python-stays", { AGENT_STAYS: "1" });
    const dispatch = await muster.client.createDispatch("room-stays", "python-stays");
    const entry = await worker.entryIn("room-stays");
    await becomes("room-stays", JS_RUNNING);
    await muster.client.deleteDispatch(dispatch.id, "room-stays");
    await worker.shutdownOf(entry.job?.id);
  });

  it("keeps its job when its gateway is killed, and is re-adopted", async () => {
    const worker = await connect("python-returns", { AGENT_STAYS: "1" });
    const dispatch = await muster.client.createDispatch("room-returns", "python-returns");
    const entry = await worker.entryIn("room-returns");
    const before = await becomes("room-returns", JS_RUNNING);
    await muster.restart("kill");
    await waitUntil(
      "its new connection holds the job",
      async () => {
        const { state, session } = await muster.recordIn("room-returns");
        return state === "running" && session !== before.state?.workerId;
      },
      { deadlineMs: SDK_DEADLINE_MS },
    );
    // The same run of it: nobody was asked to begin anew.
    expect(
      worker.events().filter(({ event, job }) => event === "entry" && job?.id === entry.job?.id),
    ).toHaveLength(1);
    expect((await muster.recordIn("room-returns")).offers).toBe("1");
    await muster.client.deleteDispatch(dispatch.id, "room-returns");
    await worker.shutdownOf(entry.job?.id);
  });
});
