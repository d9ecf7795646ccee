/**
 * Owns the worker's side of a transcript, played against a real Muster over real WebSockets. What the worker said is sent
 * byte for byte, but for the ids of jobs; what it waited for is waited for. Decides nothing, and sends nothing else
 * except a ping before a connection is cut.
 */
import { setTimeout as delay } from "node:timers/promises";
import { workerToken } from "../../kit/access-tokens.js";
import { connectWorker, type WorkerClient } from "../../kit/worker-client.js";
import { bytesOf, type Frame, saidByServer, type Transcript } from "./transcript.js";

export interface Replay {
  /** Settles once everything is said; rejects when Muster did not say what the worker had heard. */
  readonly finished: Promise<void>;
  /** What is connected now, or was last; undefined before the first connection. */
  worker(): WorkerClient | undefined;
  close(): void;
}

export interface ReplayTarget {
  url: string;
  apiKey: string;
  apiSecret: string;
}

/** Pauses above this were waits for something: what the worker heard next, or its timer for load reports. */
const MAX_PAUSE_MS = 50;
/** Also for what the test has to bring about. */
const EXPECTED_FRAME_DEADLINE_MS = 15_000;

export function startReplay(transcript: Transcript, target: ReplayTarget): Replay {
  const ids = new JobIds();
  let worker: WorkerClient | undefined;
  const play = async (): Promise<void> => {
    for (const frames of transcript.connections) {
      if (worker !== undefined) {
        // What is on its way when a connection is cut may be lost; the recorded worker's had arrived.
        await worker.ping();
        worker.cut();
      }
      const token = workerToken(target.apiKey, target.apiSecret);
      worker = await connectWorker({ url: target.url, token });
      for (const frame of frames) await step(worker, frame, ids);
    }
  };
  const finished = play();
  // A test that fails before it looks must not end the process.
  finished.catch(() => {});
  return { finished, worker: () => worker, close: () => worker?.cut() };
}

async function step(worker: WorkerClient, frame: Frame, ids: JobIds): Promise<void> {
  if (frame.direction === "to-server") {
    await delay(Math.min(frame.delayMs, MAX_PAUSE_MS));
    if (!worker.isOpen) throw new Error("the connection was closed before everything was said");
    const bytes = ids.rewrite(bytesOf(frame));
    worker.sendRaw(frame.kind === "binary" ? bytes : bytes.toString());
    return;
  }
  const recorded = saidByServer(frame);
  if (recorded.case === "unknown") throw new Error("the transcript holds a frame that no worker knows");
  if (recorded.case === "availability") {
    const offer = await worker.next("availability", EXPECTED_FRAME_DEADLINE_MS);
    ids.bind(recorded.value.job?.id ?? "", offer.job?.id ?? "");
  } else {
    await worker.next(recorded.case, EXPECTED_FRAME_DEADLINE_MS);
  }
}

/** The ids of the recorded jobs, and of those that run now in their place. */
class JobIds {
  readonly #now = new Map<string, string>();

  bind(recorded: string, now: string): void {
    // Ids stand behind their length in protobuf, so one of another length would need another frame.
    if (recorded.length !== now.length) throw new Error(`${now} cannot stand for ${recorded}: other length`);
    this.#now.set(recorded, now);
  }

  /** Also where an id is part of another text, as in the agent's identity. */
  rewrite(bytes: Buffer): Buffer {
    let text = bytes.toString("latin1");
    for (const [recorded, now] of this.#now) text = text.replaceAll(recorded, now);
    return Buffer.from(text, "latin1");
  }
}
