/**
 * Owns how a simulated worker stays connected: one registered socket after the other, dialled again as the SDKs do when
 * one is lost. Knows nothing of jobs; what is to be said on a new socket is its caller's business.
 */
import type { RegisterWorkerRequest } from "@muster/wire/generated/livekit";
import { connectWorker, type WorkerClient, type WorkerOptions } from "./worker-client.js";

export interface LinkOptions extends WorkerOptions {
  register?: Partial<RegisterWorkerRequest>;
  /** Where it dials at each attempt; default: always `url`. */
  dial?: () => string;
  /** Pauses before each attempt to come back; the last is repeated. Default: those of the Python SDK. */
  redialMs?: readonly number[];
  /** How long a registration may take before it is tried elsewhere. */
  registerMs?: number;
}

export interface LinkEvents {
  /** Before it registers, so that no message is missed. */
  opened(client: WorkerClient): void;
  registered(client: WorkerClient, isReturn: boolean): void;
  lost(): void;
}

export interface WorkerLink {
  /** The newest socket, also after it was lost. */
  readonly client: WorkerClient;
  /** Dials no more, and leaves the socket as it is. */
  stay(): void;
}

const PYTHON_REDIAL_MS = [0, 2_000, 4_000, 6_000, 8_000, 10_000];

/** Resolves once it is registered. One that comes back is as stubborn at its first attempt; else that one decides. */
export async function openLink(
  options: LinkOptions,
  comesBack: boolean,
  events: LinkEvents,
): Promise<WorkerLink> {
  const { redialMs = PYTHON_REDIAL_MS, registerMs } = options;
  let client: WorkerClient | undefined;
  let isOver = false;
  const dial = async (isReturn: boolean): Promise<WorkerClient> => {
    const opened = await connectWorker({ ...options, url: options.dial?.() ?? options.url });
    // What was closed meanwhile must not come back as a socket that nobody knows.
    if (isOver) opened.cut();
    client = opened;
    events.opened(opened);
    try {
      await opened.register(options.register, registerMs);
    } catch (error) {
      opened.cut();
      throw error;
    }
    opened.onClose(() => {
      events.lost();
      if (comesBack && !isOver) comeBack();
    });
    if (opened.isOpen) events.registered(opened, isReturn);
    else if (comesBack && !isOver) return dialUntilDone(isReturn);
    return opened;
  };
  const dialUntilDone = async (isReturn: boolean): Promise<WorkerClient> => {
    for (let attempt = 0; ; attempt++) {
      await pause(redialMs[Math.min(attempt, redialMs.length - 1)] ?? 0);
      if (isOver) throw new Error("the worker was closed while it dialled");
      try {
        return await dial(isReturn);
      } catch {
        // Refused, or no answer: as with the SDKs, the next attempt.
      }
    }
  };
  const comeBack = () => void dialUntilDone(true).catch(() => {});

  const first = comesBack ? await dialUntilDone(false) : await dial(false);
  return {
    get client() {
      return client ?? first;
    },
    stay() {
      isOver = true;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
