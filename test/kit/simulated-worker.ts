/**
 * Owns a worker for tests that works by itself: registers, answers offers as it was told to, reports its load and its
 * jobs, stops what it is told to stop. Keeps what it ran, so that a test can ask who ran what. With `reconnects` it is a
 * process that outlives its sockets, as the SDKs are: its jobs go on while it dials.
 */
import type { AvailabilityRequest } from "@muster/wire/generated/livekit";
import type { Answer, WorkerClient } from "./worker-client.js";
import { type LinkOptions, openLink } from "./worker-link.js";

const WS_AVAILABLE = 0;
const WS_FULL = 1;
const JS_RUNNING = 1;
const JS_SUCCESS = 2;
const JS_FAILED = 3;

export interface SimulatedWorkerOptions extends LinkOptions {
  /** What it does with each offer; a function decides by the offer. Default: accept. */
  onOffer?: OfferPolicy | ((request: AvailabilityRequest) => OfferPolicy);
  /** Says JS_RUNNING when assigned, as the Python SDK does; the Node SDK never reports. Default: false. */
  reports?: boolean;
  /** Ends each job with JS_SUCCESS this long after its assignment; absent: runs until it is stopped. */
  jobMs?: number | ((job: RunningJob) => number);
  /** How a job ends by itself. Default: success. */
  jobEnds?: (job: RunningJob) => "success" | "failed";
  /** How long it thinks about an offer. Default: no time at all. */
  answerAfterMs?: number;
  /** Load that each job adds to what it reports. Default: 0. */
  loadPerJob?: number;
  /** How often it reports its load; absent: only when asked by sample(). The SDKs do every 2,500 ms. */
  sampleEveryMs?: number;
  answer?: Answer;
  /**
   * Dials again when its socket is lost. Python then sends the reports that it could not send before, and names the jobs
   * that it still runs; Node says nothing. Absent: it stays away.
   */
  reconnects?: "python" | "node";
  /** Told what happens, as it happens. */
  watch?: WorkerWatch;
}

export interface WorkerWatch {
  registered(session: string, isReturn: boolean): void;
  lost(): void;
  offered(wire: string): void;
  started(job: RunningJob): void;
  /** The job runs here no more. `died`: with its worker. */
  over(job: RunningJob, how: "success" | "failed" | "stopped" | "died"): void;
}

export type OfferPolicy = "accept" | "reject" | "terminate" | "silent";

export interface RunningJob {
  wire: string;
  room: string;
  token: string;
  assignedAtMs: number;
}

export interface SimulatedWorker {
  /** The newest socket. */
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
  /** The process is gone, without a word, and its jobs with it. */
  close(): Promise<void>;
}

/** As aiohttp writes it; the Node SDK has none. */
const PYTHON_USER_AGENT = "Python/3.11 aiohttp/3.14.5";

export async function startWorker(options: SimulatedWorkerOptions): Promise<SimulatedWorker> {
  const { onOffer = "accept", reports = false, loadPerJob = 0, sampleEveryMs, answer = {} } = options;
  const { jobMs, jobEnds, answerAfterMs, reconnects, watch } = options;
  const running = new Map<string, RunningJob>();
  const assigned: RunningJob[] = [];
  const offered: string[] = [];
  const stopped: string[] = [];
  /** Reports that found no socket, in order. */
  const unsent: [wire: string, status: number][] = [];
  const timers = new Set<NodeJS.Timeout>();
  let isDraining = false;
  /** The newest socket: messages may come before the link is handed out. */
  let socket: WorkerClient | undefined;
  const after = (delayMs: number, run: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, delayMs);
    timers.add(timer);
  };

  const sample = (): void => {
    if (socket === undefined || socket.id === "") return;
    if (isDraining) socket.sample({ status: WS_FULL, load: 0, jobCount: running.size });
    else
      socket.sample({
        status: WS_AVAILABLE,
        load: Math.min(1, running.size * loadPerJob),
        jobCount: running.size,
      });
  };
  const report = (wire: string, status: number): void => {
    if (socket?.isOpen && socket.id !== "") socket.report(wire, status);
    else unsent.push([wire, status]);
  };
  const leave = (): void => {
    link.stay();
    void link.client.close();
  };
  const end = (wire: string, how: "success" | "failed" | "stopped"): void => {
    const job = running.get(wire);
    if (job === undefined) return;
    running.delete(wire);
    const isSaid = reports || (jobMs !== undefined && reconnects === undefined);
    if (isSaid) report(wire, how === "failed" ? JS_FAILED : JS_SUCCESS);
    watch?.over(job, how);
    if (isDraining && running.size === 0) leave();
  };
  const take = (client: WorkerClient, request: AvailabilityRequest): void => {
    const wire = request.job?.id ?? "";
    offered.push(wire);
    watch?.offered(wire);
    const policy = isDraining ? "reject" : typeof onOffer === "function" ? onOffer(request) : onOffer;
    const say = () => {
      if (policy === "accept") client.accept(wire, { participantIdentity: `agent-${wire}`, ...answer });
      else if (policy !== "silent") client.reject(wire, { terminate: policy === "terminate" });
    };
    if (answerAfterMs === undefined) say();
    else after(answerAfterMs, say);
  };
  const start = (wire: string, room: string, token: string): void => {
    const job = { wire, room, token, assignedAtMs: performance.now() };
    assigned.push(job);
    running.set(wire, job);
    watch?.started(job);
    if (reports) report(wire, JS_RUNNING);
    const lastsMs = typeof jobMs === "function" ? jobMs(job) : jobMs;
    if (lastsMs !== undefined) after(lastsMs, () => end(wire, jobEnds?.(job) ?? "success"));
  };
  const listen = (client: WorkerClient): void => {
    socket = client;
    client.onMessage((message) => {
      if (message.case === "availability") take(client, message.value);
      if (message.case === "assignment") {
        const { job, token } = message.value;
        start(job?.id ?? "", job?.room?.name ?? "", token);
      }
      if (message.case === "termination") {
        stopped.push(message.value.jobId);
        end(message.value.jobId, "stopped");
      }
    });
  };

  const identified = { ...options, ...(reconnects === "python" && { userAgent: PYTHON_USER_AGENT }) };
  const link = await openLink(identified, reconnects !== undefined, {
    opened: listen,
    registered(client, isReturn) {
      watch?.registered(client.id, isReturn);
      if (reconnects !== "python") return;
      // In this order, and an empty list not at all: worker.py of the Python SDK.
      for (const [wire, status] of unsent.splice(0)) client.report(wire, status);
      if (isReturn && running.size > 0) client.migrate([...running.keys()]);
    },
    lost: () => watch?.lost(),
  });
  const ticker = sampleEveryMs === undefined ? undefined : setInterval(sample, sampleEveryMs);

  return {
    get client() {
      return link.client;
    },
    get id() {
      return link.client.id;
    },
    running,
    assigned,
    offered,
    stopped,
    sample,
    finish: (wire) => end(wire, "success"),
    drain() {
      isDraining = true;
      sample();
      if (running.size === 0) leave();
    },
    async close() {
      clearInterval(ticker);
      for (const timer of timers) clearTimeout(timer);
      link.stay();
      for (const job of running.values()) watch?.over(job, "died");
      running.clear();
      link.client.cut();
      await link.client.closed();
    },
  };
}
