/**
 * LiveKit's own Go test worker (livekit-server/pkg/agent/testutils), which its tests talk to livekit-server with, as a client
 * of Muster: it registers, accepts, reports and is stopped as there.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BUILD_MS, buildGoProgram } from "../kit/go-program.js";
import { waitUntil } from "../kit/wait-until.js";
import {
  API_KEY,
  API_SECRET,
  JS_RUNNING,
  JS_SUCCESS,
  type LiveMuster,
  startLiveMuster,
} from "./live-muster.js";

interface Said {
  event: "registered" | "offered" | "assigned" | "stopped";
  job?: string;
  room?: string;
  metadata?: string;
  worker?: string;
}

const AGENT = "go-agent";
const STARTED_MS = 30_000;

describe("LiveKit's Go test worker", () => {
  let muster: LiveMuster;
  let worker: ReturnType<typeof spawn>;
  const said: Said[] = [];

  beforeAll(
    async () => {
      const program = await buildGoProgram(new URL("go-worker", import.meta.url));
      muster = await startLiveMuster();
      worker = spawn(program, [AGENT], {
        env: { LIVEKIT_URL: muster.url, LIVEKIT_API_KEY: API_KEY, LIVEKIT_API_SECRET: API_SECRET },
        stdio: ["pipe", "pipe", "inherit"],
      });
      if (worker.stdout === null) throw new Error("it has no stdout");
      createInterface(worker.stdout).on("line", (line) => said.push(JSON.parse(line) as Said));
      await waitUntil("it is registered", () => of("registered"), { deadlineMs: STARTED_MS });
    },
    BUILD_MS + 2 * STARTED_MS,
  );
  beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
  afterAll(async () => {
    worker?.kill("SIGKILL");
    await muster?.stop();
  });

  const of = (event: Said["event"], job?: string) =>
    said.find((one) => one.event === event && (job === undefined || one.job === job));
  const tell = (status: "running" | "done", job: string) => worker.stdin?.write(`${status} ${job}\n`);
  const becomes = (room: string, status: number) =>
    waitUntil(`the job in ${room} has status ${status}`, async () => {
      expect((await muster.jobIn(room))?.state?.status).toBe(status);
      return true;
    });
  const dispatched = async (room: string) => {
    const { id } = await muster.client.createDispatch(room, AGENT, { metadata: "from the caller" });
    return {
      id,
      ...(await waitUntil("it is assigned", () =>
        said.find((one) => one.room === room && one.event === "assigned"),
      )),
    };
  };

  it("is offered a job with its room and metadata, takes it, and ends it by its report", async () => {
    const { job = "" } = await dispatched("go-finishes");
    expect(of("offered", job)).toMatchObject({ room: "go-finishes", metadata: "from the caller" });
    tell("running", job);
    await becomes("go-finishes", JS_RUNNING);
    tell("done", job);
    await becomes("go-finishes", JS_SUCCESS);
  });

  it("is told to stop when its dispatch is deleted", async () => {
    const { id, job = "" } = await dispatched("go-stopped");
    await muster.client.deleteDispatch(id, "go-stopped");
    await waitUntil("it is told", () => of("stopped", job));
  });

  it("takes several jobs at once, until its load says that it is full", async () => {
    // Each adds 0.1 to what it reports, and above 0.8 it says WS_FULL: it is what decides, never its answers.
    const rooms = Array.from({ length: 5 }, (_, index) => `go-many-${index}`);
    const jobs = await Promise.all(rooms.map((room) => dispatched(room)));
    expect(new Set(jobs.map(({ job }) => job)).size).toBe(rooms.length);
  });
});
