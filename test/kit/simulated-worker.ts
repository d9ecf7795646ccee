/**
 * Owns a worker for tests that works by itself: registers, answers offers as it was told to, reports its load and its
 * jobs, stops what it is told to stop. Keeps what it ran, so that a test can ask who ran what.
 */
import type { AvailabilityRequest, RegisterWorkerRequest } from "@muster/wire/generated/livekit";
import { type Answer, connectWorker, type WorkerClient, type WorkerOptions } from "./worker-client.js";

const WS_AVAILABLE = 0;
const WS_FULL = 1;
const JS_RUNNING = 1;
const JS_SUCCESS = 2;

export interface SimulatedWorkerOptions extends WorkerOptions {
  register?: Partial<RegisterWorkerRequest>;
  /** What it does with each offer; a function decides by the offer. Default: accept. */
  onOffer?: OfferPolicy | ((request: AvailabilityRequest) => OfferPolicy);
  /** Says JS_RUNNING when assigned, as the Python SDK does; the Node SDK never reports. Default: false. */
  reports?: boolean;
  /** Ends each job with JS_SUCCESS this long after its assignment; absent: runs until it is stopped. */
  jobMs?: number;
  /** Load that each job adds to what it reports. Default: 0. */
  loadPerJob?: number;
  /** How often it reports its load; absent: only when asked by sample(). The SDKs do every 2,500 ms. */
  sampleEveryMs?: number;
  answer?: Answer;
}

export type OfferPolicy = "accept" | "reject" | "terminate" | "silent";

export interface RunningJob {
  wire: string;
  room: string;
  token: string;
  assignedAtMs: number;
}

export interface SimulatedWorker {
  readonly client: WorkerClient;
  readonly id: string;
  /** Runs now, by wire id. */
  readonly running: ReadonlyMap<string, RunningJob>;
  /** Everything that it was assigned, in order. */
  readonly assigned: readonly RunningJob[];
  /** Wire ids of every offer, in order. */
  readonly offered: readonly string[];
  /** Wire ids that it was told to stop. */
  readonly stopped: readonly string[];
  /** Reports its load now. */
  sample(): void;
  /** Ends a job as its entry would. */
  finish(wire: string): void;
  /** Stops taking work and leaves when nothing runs any more, as SIGTERM makes both SDKs do. */
  drain(): void;
  close(): Promise<void>;
}

export async function startWorker(options: SimulatedWorkerOptions): Promise<SimulatedWorker> {
  const client = await connectWorker(options);
  const { onOffer = "accept", reports = false, jobMs, loadPerJob = 0, sampleEveryMs, answer = {} } = options;
  const running = new Map<string, RunningJob>();
  const assigned: RunningJob[] = [];
  const offered: string[] = [];
  const stopped: string[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let isDraining = false;

  const sample = (): void => {
    if (isDraining) client.sample({ status: WS_FULL, load: 0 });
    else
      client.sample({
        status: WS_AVAILABLE,
        load: Math.min(1, running.size * loadPerJob),
        jobCount: running.size,
      });
  };
  const over = (wire: string): void => {
    running.delete(wire);
    if (isDraining && running.size === 0) void client.close();
  };
  const finish = (wire: string): void => {
    if (!running.has(wire)) return;
    if (reports || jobMs !== undefined) client.report(wire, JS_SUCCESS);
    over(wire);
  };
  const after = (delayMs: number, run: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, delayMs);
    timers.add(timer);
  };
  const take = (request: AvailabilityRequest): void => {
    const wire = request.job?.id ?? "";
    offered.push(wire);
    const policy = isDraining ? "reject" : typeof onOffer === "function" ? onOffer(request) : onOffer;
    if (policy === "accept") client.accept(wire, { participantIdentity: `agent-${wire}`, ...answer });
    else if (policy !== "silent") client.reject(wire, { terminate: policy === "terminate" });
  };

  client.onMessage((message) => {
    if (message.case === "availability") take(message.value);
    if (message.case === "assignment") {
      const { job, token } = message.value;
      const wire = job?.id ?? "";
      const started = { wire, room: job?.room?.name ?? "", token, assignedAtMs: performance.now() };
      assigned.push(started);
      running.set(wire, started);
      if (reports) client.report(wire, JS_RUNNING);
      if (jobMs !== undefined) after(jobMs, () => finish(wire));
    }
    if (message.case === "termination") {
      stopped.push(message.value.jobId);
      finish(message.value.jobId);
    }
  });
  const { workerId } = await client.register(options.register);
  const ticker = sampleEveryMs === undefined ? undefined : setInterval(sample, sampleEveryMs);

  return {
    client,
    id: workerId,
    running,
    assigned,
    offered,
    stopped,
    sample,
    finish,
    drain() {
      isDraining = true;
      sample();
      if (running.size === 0) void client.close();
    },
    async close() {
      clearInterval(ticker);
      for (const timer of timers) clearTimeout(timer);
      client.cut();
      await client.closed();
    },
  };
}
