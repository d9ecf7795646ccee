/**
 * Owns what one BullMQ Worker asks of Redis, and when. The stock backend blocks on a connection of its own and fetches
 * whenever a slot is free; this one waits in the process for a wake-up, and answers "empty" itself where it knows.
 * Steady and slow, an entry so costs one fetch and one finish; under load one finish that fetches the next.
 *
 * Never trusts wake-ups alone. It looks again at a due time, after any error, after an entry that waited too long for
 * its wake-up to have arrived, and once a poll interval whatever happens.
 *
 * What it overrides is BullMQ's public backend, but the shapes of replies are not promised: test/queue-contract.test.ts.
 */
import { type QueueBaseOptions, type RedisConnection, RedisQueueBackend } from "bullmq";
import type { Clock } from "../clock.js";
import { FetchCredits, type FetchTicket } from "./fetch-credits.js";
import { intakeKeys, QUEUE_NAME } from "./intake-keys.js";

export interface HubBackendDeps {
  connection: RedisConnection;
  namespace: string;
  /** The Worker's, with prefix, lock and stalled settings. */
  options: QueueBaseOptions;
  /** Must agree with Date.now(), by which BullMQ promotes what is due. */
  clock: Clock;
  /** How long an empty answer of Redis is believed without a wake-up. */
  pollMs: number;
  /** How long after the last entry was held an abandoned one could still turn up. */
  sweepWindowMs: number;
}

/** An entry this old when fetched was not announced in time, so there may be more like it. */
const LATE_ENTRY_MS = 1_000;
const RETRY_MS = 200;
const MAX_RETRY_MS = 5_000;

type Args<Name extends "moveToCompleted" | "moveToFailed" | "moveToDelayed"> = Parameters<
  RedisQueueBackend[Name]
>;
type Finished = Awaited<ReturnType<RedisQueueBackend["moveToCompleted"]>>;

/** One fetch under way, alone or as part of a finish. */
interface Fetch {
  ticket: FetchTicket;
  delaysBefore: number;
}

interface Wait {
  done: () => void;
  cancelTimer: () => void;
}

export class HubBackend extends RedisQueueBackend {
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #sweepWindowMs: number;
  readonly #credits = new FetchCredits();
  /** Entries that are fetched and whose finish Redis has not answered. */
  readonly #held = new Set<string>();
  #fetches = 0;
  #failures = 0;
  #retryAtMs = 0;
  #heardEmptyAtMs: number;
  #dueAtMs: number | undefined;
  /** Counts the entries that we delayed ourselves, to tell whether an answer could know of them. */
  #delays = 0;
  #sweepUntilMs: number;
  #sweptAtMs = 0;
  #wait: Wait | undefined;
  #isClosing = false;

  constructor({ connection, namespace, options, clock, pollMs, sweepWindowMs }: HubBackendDeps) {
    const { keys, toKey } = intakeKeys(namespace);
    super(connection, QUEUE_NAME, keys, toKey, options, undefined, false);
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#sweepWindowMs = sweepWindowMs;
    this.#heardEmptyAtMs = clock.now();
    this.#sweepUntilMs = clock.now() + sweepWindowMs;
  }

  /** `count` entries came in; anything but a whole number above 0: perhaps some. */
  wake(count: number | undefined): void {
    if (count !== undefined && Number.isSafeInteger(count) && count > 0) this.#credits.grant(count);
    else this.#credits.suspect();
    this.#stopWaiting();
  }

  /** The connection was lost and is back: what we knew may be wrong, and what we fetched may be held by nobody. */
  lookAgain(): void {
    this.#retryAtMs = 0;
    this.#keepSweeping();
    this.wake(undefined);
  }

  /** Nothing held, nothing asked, nothing to ask for now. */
  get isIdle(): boolean {
    const isDue = this.#dueAtMs !== undefined && this.#dueAtMs <= this.#clock.now();
    return this.#held.size === 0 && this.#fetches === 0 && !this.#credits.available && !isDue;
  }

  /** When the earliest delayed entry that we know of is due. */
  get nextDueAtMs(): number | undefined {
    return this.#dueAtMs;
  }

  override async waitForJob(): Promise<null> {
    // BullMQ's own timeout is for a connection that blocks; ours follow from what is known here and may change meanwhile.
    if (!this.#isClosing && !this.#mayFetch()) {
      await new Promise<void>((done) => {
        this.#wait = { done, cancelTimer: () => {} };
        this.#armTimer();
      });
    }
    return null;
  }

  override async disconnectBlocking(): Promise<void> {
    this.#isClosing = true;
    this.#stopWaiting();
  }

  override async moveToActive(token: string, name?: string): Promise<unknown[]> {
    const fetch = this.#startFetch();
    if (fetch === undefined) return [null, 0, 0, 0];
    try {
      const reply = this.#endFetch(fetch, await super.moveToActive(token, name));
      this.#failures = 0;
      return reply;
    } catch (error) {
      this.#failFetch();
      this.#retryAtMs = this.#clock.now() + Math.min(RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS);
      this.#failures += 1;
      throw error;
    }
  }

  override moveToCompleted(
    ...[job, value, keep, token, fetchNext]: Args<"moveToCompleted">
  ): Promise<Finished> {
    return this.#finish(job.id, fetchNext, (andFetch) =>
      super.moveToCompleted(job, value, keep, token, andFetch),
    );
  }

  override moveToFailed(
    ...[job, reason, keep, token, fetchNext, fields]: Args<"moveToFailed">
  ): Promise<Finished> {
    return this.#finish(job.id, fetchNext, (andFetch) =>
      super.moveToFailed(job, reason, keep, token, andFetch, fields),
    );
  }

  override async moveToDelayed(...[id, nowMs, delayMs, token, options]: Args<"moveToDelayed">) {
    try {
      // Its fetch does not say what is due next when it finds nothing, so it is of no use here.
      const reply = await super.moveToDelayed(id, nowMs, delayMs, token, { ...options, fetchNext: false });
      this.#delays += 1;
      this.#dueAtMs = earliest(this.#dueAtMs, nowMs + delayMs);
      this.#armTimer();
      return reply;
    } finally {
      this.#letGo(id);
    }
  }

  /** The Worker's timer stays; Redis is asked only while an entry could have been abandoned, else once a poll interval. */
  override async moveStalledJobsToWait(): Promise<string[]> {
    const nowMs = this.#clock.now();
    if (nowMs >= this.#sweepUntilMs && nowMs - this.#sweptAtMs < this.#pollMs) return [];
    this.#sweptAtMs = nowMs;
    const recovered = await super.moveStalledJobsToWait();
    if (recovered.length > 0) {
      this.#keepSweeping();
      this.wake(recovered.length);
    }
    return recovered;
  }

  #mayFetch(): boolean {
    const nowMs = this.#clock.now();
    if (this.#isClosing || nowMs < this.#retryAtMs) return false;
    const isDue = this.#dueAtMs !== undefined && this.#dueAtMs <= nowMs;
    if (isDue) this.#dueAtMs = undefined;
    const isPollDue = nowMs - this.#heardEmptyAtMs >= this.#pollMs;
    if ((isDue || isPollDue) && !this.#credits.suspected) this.#credits.suspect();
    return this.#credits.available;
  }

  #startFetch(): Fetch | undefined {
    const ticket = this.#mayFetch() ? this.#credits.take() : undefined;
    if (ticket === undefined) return undefined;
    this.#fetches += 1;
    return { ticket, delaysBefore: this.#delays };
  }

  /** What Redis answered, [job, id, rate limit, next due], without the due time: timers are kept here, not in the Worker. */
  #endFetch({ ticket, delaysBefore }: Fetch, [job, id, , dueAtMs]: unknown[]): unknown[] {
    this.#fetches -= 1;
    const nowMs = this.#clock.now();
    if (job) {
      this.#held.add(String(id));
      this.#keepSweeping();
      if (nowMs - addedAtMs(job) > LATE_ENTRY_MS) this.#credits.suspect();
      return [job, id, 0, 0];
    }
    this.#credits.foundNone(ticket);
    this.#heardEmptyAtMs = nowMs;
    const answeredDueAtMs = typeof dueAtMs === "number" && dueAtMs > 0 ? dueAtMs : undefined;
    this.#dueAtMs =
      delaysBefore === this.#delays ? answeredDueAtMs : earliest(this.#dueAtMs, answeredDueAtMs);
    return [null, 0, 0, 0];
  }

  /** It may have been carried out all the same: the entry is then held by nobody, and a sweep returns it. */
  #failFetch(): void {
    this.#fetches -= 1;
    this.#credits.suspect();
    this.#keepSweeping();
  }

  async #finish(
    id: string | undefined,
    fetchNext: boolean,
    run: (andFetch: boolean) => Promise<Finished>,
  ): Promise<Finished> {
    const fetch = fetchNext ? this.#startFetch() : undefined;
    try {
      const finished = await run(fetch !== undefined);
      if (fetch === undefined) return finished;
      return { ...finished, result: this.#endFetch(fetch, finished.result ?? []) };
    } catch (error) {
      if (fetch !== undefined) this.#failFetch();
      throw error;
    } finally {
      this.#letGo(id);
    }
  }

  #letGo(id: string | undefined): void {
    if (id !== undefined) this.#held.delete(id);
    this.#keepSweeping();
  }

  #keepSweeping(): void {
    this.#sweepUntilMs = this.#clock.now() + this.#sweepWindowMs;
  }

  #armTimer(): void {
    if (this.#wait === undefined) return;
    this.#wait.cancelTimer();
    const nowMs = this.#clock.now();
    const lookAtMs = Math.min(this.#heardEmptyAtMs + this.#pollMs, this.#dueAtMs ?? Number.POSITIVE_INFINITY);
    // Not before the retry of a failed fetch, for which there is always something to look for.
    const atMs = nowMs < this.#retryAtMs ? this.#retryAtMs : lookAtMs;
    this.#wait.cancelTimer = this.#clock.setTimer(Math.max(1, atMs - nowMs), () => this.#stopWaiting());
  }

  #stopWaiting(): void {
    const wait = this.#wait;
    this.#wait = undefined;
    wait?.cancelTimer();
    wait?.done();
  }
}

function earliest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}

/** Never late when BullMQ no longer says when it was added. */
function addedAtMs(job: object): number {
  return "timestamp" in job && typeof job.timestamp === "number" ? job.timestamp : Number.POSITIVE_INFINITY;
}
