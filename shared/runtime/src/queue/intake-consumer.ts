/**
 * Owns the consumption of one namespace's intake by this process: one BullMQ Worker on the shared connection. Entries
 * are handed out at least once and up to `concurrency` at a time; what a handler throws is retried by BullMQ, later.
 * Another process may consume the same namespace at the same moment: no entry is lost or blocked by it.
 */
import { type RedisConnection, Worker } from "bullmq";
import type { Clock } from "../clock.js";
import type { Log } from "../log.js";
import { HubBackend } from "./hub-backend.js";
import type { IntakeEntry } from "./intake-entry.js";
import { intakePrefix, QUEUE_NAME } from "./intake-keys.js";

export type IntakeHandler = (entry: IntakeEntry) => Promise<void>;

export interface IntakeTiming {
  /** An entry whose holder has not been heard of for this long may be given to another. */
  lockMs: number;
  /** How often abandoned entries are looked for; a quarter more for some namespaces, so that they part. */
  sweepMs: number;
  /** How often an open namespace is looked at without any reason. */
  pollMs: number;
}

/** Recovery of an abandoned entry takes up to lockMs + 3 × sweepMs, so both are short: a handler takes milliseconds. */
export const INTAKE_TIMING: IntakeTiming = { lockMs: 10_000, sweepMs: 8_000, pollMs: 60_000 };

export interface IntakeConsumerDeps {
  namespace: string;
  handler: IntakeHandler;
  /** Handlers at a time, at least 1. */
  concurrency: number;
  connection: RedisConnection;
  log: Log;
  clock: Clock;
  timing: IntakeTiming;
  /** Called once, as close() begins. */
  onClose: () => void;
}

/** Handlings that ended in the death of their process, after which an entry is a dead letter. */
const MAX_ABANDONED = 3;
const CLOSE_DEADLINE_MS = 5_000;
const RECONNECT_RETRY_MS = 250;

export class IntakeConsumer {
  readonly namespace: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onClose: () => void;
  readonly #worker: Worker<unknown, void, string, HubBackend>;
  #closing: Promise<void> | undefined;

  constructor(deps: IntakeConsumerDeps) {
    const { namespace, handler, concurrency, connection, clock, timing } = deps;
    this.namespace = namespace;
    this.#log = deps.log.child({ namespace });
    this.#clock = clock;
    this.#onClose = deps.onClose;
    // The same for a namespace in every process: who looks after one that died does so at the same pace.
    const spread = 1 + spreadOf(namespace) / 4;
    const sweepMs = Math.round(timing.sweepMs * spread);
    this.#worker = new Worker<unknown, void, string, HubBackend>(
      QUEUE_NAME,
      (job) => handler({ id: String(job.id), data: job.data, attempt: job.attemptsStarted }),
      {
        // The backend brings its own connection; BullMQ only wants to see that one was thought of.
        connection: {},
        prefix: intakePrefix(namespace),
        concurrency,
        lockDuration: timing.lockMs,
        stalledInterval: sweepMs,
        maxStalledCount: MAX_ABANDONED,
        runRetryDelay: RECONNECT_RETRY_MS,
      },
      (_name, options) =>
        new HubBackend({
          connection,
          namespace,
          options,
          clock,
          pollMs: Math.round(timing.pollMs * spread),
          sweepWindowMs: timing.lockMs + 3 * sweepMs,
        }),
    );
    this.#listen();
  }

  /** Entries came in: `count` of them, or without a number: perhaps some. Never waits. */
  wake(count?: number): void {
    this.#backend.wake(count);
  }

  /** The connection was away. */
  lookAgain(): void {
    this.#backend.lookAgain();
  }

  /** Nothing is handled and nothing is known to wait, save what is delayed: see nextDueAtMs(). */
  idle(): boolean {
    return this.#backend.isIdle;
  }

  /** When the earliest delayed entry known here is due; undefined when none is known. */
  nextDueAtMs(): number | undefined {
    return this.#backend.nextDueAtMs;
  }

  /** Entries that could be handed out now. Asks Redis. */
  async waiting(): Promise<number> {
    const [wait = 0, prioritized = 0] = await this.#backend.getCounts(["wait", "prioritized"]);
    return wait + prioritized;
  }

  /** Fetches nothing more, and resolves when running handlers are done, or after CLOSE_DEADLINE_MS without them. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #backend(): HubBackend {
    return this.#worker.getBackend();
  }

  async #close(): Promise<void> {
    this.#onClose();
    let cancelDeadline = () => {};
    const deadline = new Promise<void>((resolve) => {
      cancelDeadline = this.#clock.setTimer(CLOSE_DEADLINE_MS, () => {
        this.#log.warn(
          {},
          "intake closed with handlers running; what they do not finish is handed out again",
        );
        resolve();
      });
    });
    await Promise.race([this.#worker.close(), deadline]);
    cancelDeadline();
  }

  #listen(): void {
    this.#worker.on("error", (error) => this.#log.warn({ error: error.message }, "intake error"));
    this.#worker.on("stalled", (id) => this.#log.warn({ entry: id }, "abandoned intake entry recovered"));
    this.#worker.on("failed", (job, error) => {
      const fields = { entry: job?.id, attempt: job?.attemptsMade, error: error.message };
      if (job?.finishedOn === undefined) this.#log.warn(fields, "intake entry failed, is tried again");
      else this.#log.error(fields, "intake entry failed for good, is a dead letter");
    });
  }
}

/** A fraction in [0, 1) that depends on the name alone. */
function spreadOf(namespace: string): number {
  let hash = 0;
  for (const char of namespace) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return (hash % 1_000) / 1_000;
}
