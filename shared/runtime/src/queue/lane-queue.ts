/**
 * Owns the second kind of queue: durable work whose items belong to lanes, done in order within a lane and side by side
 * across lanes. One BullMQ queue a name, on the connection that all share; its entries say only "this lane has something
 * to do", so BullMQ gives durability, delays and the recovery of what a dead process held, and the lanes (lanes.ts) say
 * what is true.
 *
 * A run does its lane's items until the lane is empty, one fails, or enough were done for others to have a turn. What
 * failed is tried again after a back-off, in the way of its own lane alone; after its last try it is a dead letter, and
 * the lane goes on. Done at least once: what was done and not noted is done again.
 */
import { type JobsOptions, type RedisConnection, Worker } from "bullmq";
import type { Clock } from "../clock.js";
import type { Log } from "../log.js";
import { HubBackend } from "./hub-backend.js";
import { intakePrefix, QUEUE_NAME } from "./intake-keys.js";
import { type LaneHead, type Lanes, laneSpace, type Run } from "./lanes.js";
import { type IntakeQueue, openQueue } from "./shared-connection.js";

export interface LanePolicy {
  /** Lanes at a time in this process. */
  concurrency: number;
  /** After so many failures an item is a dead letter. */
  mostTries: number;
  /** Back-off after the first failure, doubled with each more; half of it is random. */
  firstRetryMs: number;
  longestRetryMs: number;
  /** Dead letters kept: the newest. */
  mostDead: number;
}

export interface LaneTiming {
  /** An entry whose process was not heard of for this long is another's. */
  lockMs: number;
  /** How often such entries are looked for. */
  sweepMs: number;
  /** How often the queue is looked at without any reason: what another process put there is found by it. */
  pollMs: number;
}

/** Ten tries over four to nine minutes: a receiver may be restarted, or deployed anew, in between. */
export const LANE_POLICY: LanePolicy = {
  concurrency: 16,
  mostTries: 10,
  firstRetryMs: 1_000,
  longestRetryMs: 256_000,
  mostDead: 1_000,
};
export const LANE_TIMING: LaneTiming = { lockMs: 10_000, sweepMs: 5_000, pollMs: 2_000 };

/** Does one item; what it throws is why it failed. */
export type LaneHandler = (payload: string) => Promise<void>;

export interface LaneQueueDeps {
  name: string;
  lanes: Lanes;
  handler: LaneHandler;
  /** Told of each dead letter, once. */
  onDead: (reason: string) => void;
  connection: RedisConnection;
  policy: LanePolicy;
  timing: LaneTiming;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

/** Whether a failed item is tried again is for the lane to say, whose count outlives us: BullMQ itself never gives up. */
const NEVER = 1_000_000;
const ITEMS_A_RUN = 32;
const CLOSE_DEADLINE_MS = 6_000;
const RECONNECT_RETRY_MS = 250;
const META = { "opts.maxLenEvents": 100 };

/** Tells BullMQ when to hand the entry out again. */
class TryAgain extends Error {
  readonly delayMs: number;
  constructor(reason: string, delayMs: number) {
    super(reason);
    this.delayMs = delayMs;
  }
}

export class LaneQueue {
  readonly lanes: Lanes;
  readonly #deps: LaneQueueDeps;
  readonly #log: Log;
  readonly #queue: IntakeQueue;
  readonly #worker: Worker<unknown, void, string, HubBackend>;
  #hasMeta = false;
  #isClosing = false;

  constructor(deps: LaneQueueDeps) {
    const { name, lanes, connection, policy, timing, clock } = deps;
    this.#deps = deps;
    this.lanes = lanes;
    this.#log = deps.log.child({ queue: name });
    const space = laneSpace(name);
    this.#queue = openQueue(connection, space);
    this.#worker = new Worker<unknown, void, string, HubBackend>(
      QUEUE_NAME,
      (job) =>
        this.#run({ lane: laneIn(job.data), token: `${job.id}#${job.attemptsStarted}` }, String(job.id)),
      {
        // The backend brings its own connection; BullMQ only wants to see that one was thought of.
        connection: {},
        prefix: intakePrefix(space),
        concurrency: policy.concurrency,
        lockDuration: timing.lockMs,
        stalledInterval: timing.sweepMs,
        maxStalledCount: NEVER,
        runRetryDelay: RECONNECT_RETRY_MS,
        settings: {
          backoffStrategy: (_made, _type, error) =>
            error instanceof TryAgain ? error.delayMs : policy.firstRetryMs,
        },
      },
      (_name, options) =>
        new HubBackend({
          connection,
          namespace: space,
          options,
          clock,
          pollMs: timing.pollMs,
          sweepWindowMs: timing.lockMs + 3 * timing.sweepMs,
        }),
    );
    this.#worker.on("error", (error) => this.#log.warn({ error: error.message }, "lane queue error"));
    this.#worker.on("stalled", (id) => this.#log.warn({ entry: id }, "abandoned lane recovered"));
  }

  /** Gives lanes their entries. Called again for the same ones, it changes nothing. */
  async queue(unqueued: readonly LaneHead[]): Promise<void> {
    if (unqueued.length === 0) return;
    if (!this.#hasMeta) {
      // BullMQ writes an event stream that nobody reads; left alone it keeps 10,000 events.
      await this.#queue.getBackend().setQueueMeta(META);
      this.#hasMeta = true;
    }
    await this.#queue.addBulk(unqueued.map((head) => this.#entry(head, 0)));
    await this.lanes.noteQueued(unqueued);
    this.#worker.getBackend().wake(unqueued.length);
  }

  /** The connection was away. */
  lookAgain(): void {
    this.#hasMeta = false;
    this.#worker.getBackend().lookAgain();
  }

  /** Begins nothing more, and resolves when what is under way is done, or after CLOSE_DEADLINE_MS. */
  async close(): Promise<void> {
    this.#isClosing = true;
    let cancel = () => {};
    const deadline = new Promise<void>((resolve) => {
      cancel = this.#deps.clock.setTimer(CLOSE_DEADLINE_MS, resolve);
    });
    await Promise.race([this.#worker.close(), deadline]);
    cancel();
  }

  async #run(run: Run, first: string): Promise<void> {
    const begun = await this.lanes.begin(run, first);
    if (begun.status === "empty") return;
    if (begun.status === "other") return await this.#handOn(run.lane, begun.key);
    let item = { key: first, payload: begun.payload };
    for (let count = 1; ; count++) {
      try {
        await this.#deps.handler(item.payload);
      } catch (error) {
        return await this.#fail(run, item.key, first, error instanceof Error ? error.message : String(error));
      }
      const done = await this.lanes.done(run, item.key);
      if (done.status !== "next") return;
      if (count >= ITEMS_A_RUN || this.#isClosing) return await this.#handOn(run.lane, done.key);
      item = done;
    }
  }

  async #fail(run: Run, key: string, first: string, reason: string): Promise<void> {
    const { mostTries, mostDead } = this.#deps.policy;
    const failed = await this.lanes.failed(run, key, { reason, mostTries, mostDead });
    if (failed.status === "superseded") return;
    if (failed.status === "dead") {
      this.#deps.onDead(reason);
      if (failed.next !== "") await this.#handOn(run.lane, failed.next);
      return;
    }
    const delayMs = this.#backOffMs(failed.failures);
    if (key === first) throw new TryAgain(reason, delayMs);
    await this.#handOn(run.lane, key, delayMs);
  }

  /** The lane's next entry, before the one at hand is finished: should we die now, that one comes back and does it again. */
  async #handOn(lane: string, key: string, delayMs = 0): Promise<void> {
    await this.#queue.addBulk([this.#entry({ lane, key }, delayMs)]);
    this.#worker.getBackend().wake(1);
  }

  #entry({ lane, key }: LaneHead, delayMs: number): { name: string; data: object; opts: JobsOptions } {
    const opts: JobsOptions = {
      jobId: key,
      timestamp: this.#deps.clock.now(),
      attempts: NEVER,
      backoff: { type: "lane" },
      removeOnComplete: true,
      stackTraceLimit: 1,
      ...(delayMs > 0 && { delay: delayMs }),
    };
    return { name: "lane", data: { lane }, opts };
  }

  #backOffMs(failures: number): number {
    const { firstRetryMs, longestRetryMs } = this.#deps.policy;
    const most = Math.min(longestRetryMs, firstRetryMs * 2 ** (failures - 1));
    return Math.max(1, Math.round(most * (0.5 + 0.5 * this.#deps.random())));
  }
}

function laneIn(data: unknown): string {
  return typeof data === "object" && data !== null && "lane" in data ? String(data.lane) : "";
}
