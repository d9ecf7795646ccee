/**
 * Owns a crowd of workers: each one real socket that is registered, reports its load at the SDKs' pace, takes what it is
 * offered and ends it, and dials again as the SDKs do when its socket is lost. Made for thousands in one process: no
 * polling, one timer for all reports.
 */

import { workerToken } from "../kit/access-tokens.js";
import type { ServiceProcess } from "../kit/service-process.js";
import { waitUntil } from "../kit/wait-until.js";
import { connectWorker, type WorkerClient } from "../kit/worker-client.js";
import { REPORT_EVERY_S } from "./figures.js";
import { KEY, letPass, SECRET } from "./house.js";

/** How often some of the crowd report, so that their reports are spread as those of real workers are. */
const TICK_MS = 20;
/** As both SDKs wait, after a loss and between attempts. */
const REDIAL_MS = [2_000, 4_000, 6_000, 8_000, 10_000];
const DIALS_AT_ONCE = 50;
const REGISTER_LIMIT_MS = 10_000;
const JS_RUNNING = 1;
const JS_SUCCESS = 2;

export interface CrowdOptions {
  readonly size: number;
  readonly agent: string;
  readonly namespaceOf?: (index: number) => string;
  /** Told of each assignment as it comes. */
  readonly onAssigned?: (room: string) => void;
}

export class Crowd {
  /** Reports sent. */
  reports = 0;
  assigned = 0;
  ended = 0;
  /** How long a job takes; undefined: it runs on. */
  jobMs: number | undefined = 0;
  readonly #options: CrowdOptions;
  readonly #token = workerToken(KEY, SECRET);
  readonly #clients: (WorkerClient | undefined)[];
  readonly #running: Map<string, string>[];
  #registered = 0;
  #gateway: ServiceProcess | undefined;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.size });
    this.#running = this.#clients.map(() => new Map());
  }

  /** How many are registered now. */
  get registered(): number {
    return this.#registered;
  }

  /** All of them, some at a time. */
  async come(gateway: ServiceProcess): Promise<void> {
    this.#gateway = gateway;
    let next = 0;
    const some = async () => {
      while (next < this.#options.size) await this.#dial(next++);
    };
    await Promise.all(Array.from({ length: DIALS_AT_ONCE }, some));
  }

  /** Who loses its socket from now on dials this one. */
  dialFromNowOn(gateway: ServiceProcess): void {
    this.#gateway = gateway;
  }

  /** All report now, as they do some seconds after they came: until then they are given one job at a time. */
  reportOnce(): void {
    for (const index of this.#clients.keys()) this.#report(index);
  }

  /** From now on each reports every 2.5 s. */
  report(): void {
    const { size } = this.#options;
    const startedAtMs = performance.now();
    let due = 0;
    this.#ticker = setInterval(() => {
      const elapsedS = (performance.now() - startedAtMs) / 1_000;
      const until = Math.floor((elapsedS / REPORT_EVERY_S) * size);
      for (; due < until; due++) this.#report(due % size);
    }, TICK_MS);
  }

  /** Ends everything that runs on. */
  endAll(): void {
    for (const [index, running] of this.#running.entries())
      for (const wire of [...running.keys()]) this.#end(index, wire);
  }

  async leave(): Promise<void> {
    clearInterval(this.#ticker);
    this.#gateway = undefined;
    for (const client of this.#clients) client?.cut();
    await waitUntil("every socket is closed", () => this.#clients.every((client) => client === undefined));
  }

  async #dial(index: number): Promise<void> {
    const { agent, namespaceOf, onAssigned } = this.#options;
    const url = this.#gateway?.url;
    if (url === undefined) return;
    const client = await connectWorker({ url, token: this.#token, handshakeMs: REGISTER_LIMIT_MS });
    // All left while it dialled.
    if (this.#gateway === undefined) return client.cut();
    await new Promise<void>((resolve, reject) => {
      let isRegistered = false;
      const limit = setTimeout(() => client.cut(), REGISTER_LIMIT_MS);
      client.onMessage((message) => {
        // Kept for tests that ask for what came; here it would only grow.
        client.received.length = 0;
        if (message.case === "register") {
          clearTimeout(limit);
          isRegistered = true;
          this.#clients[index] = client;
          this.#registered++;
          resolve();
        } else if (message.case === "availability") {
          const wire = message.value.job?.id ?? "";
          client.accept(wire, { participantIdentity: `agent-${wire}` });
        } else if (message.case === "assignment") {
          const { id = "", room } = message.value.job ?? {};
          this.assigned++;
          onAssigned?.(room?.name ?? "");
          this.#running[index]?.set(id, room?.name ?? "");
          client.report(id, JS_RUNNING);
          if (this.jobMs !== undefined) setTimeout(() => this.#end(index, id), this.jobMs);
        }
      });
      client.onClose(() => {
        clearTimeout(limit);
        reject(new Error("closed before it was registered"));
        if (!isRegistered) return;
        this.#clients[index] = undefined;
        this.#registered--;
        void this.#comeBack(index);
      });
      const namespace = namespaceOf?.(index) ?? "";
      client.send({ case: "register", value: { version: "1.0.0", agentName: agent, namespace } });
    });
  }

  #report(index: number): void {
    this.#clients[index]?.sample({ status: 0, load: 0, jobCount: this.#running[index]?.size ?? 0 });
    this.reports++;
  }

  async #comeBack(index: number): Promise<void> {
    for (let attempt = 0; this.#gateway !== undefined; attempt++) {
      await letPass(REDIAL_MS[Math.min(attempt, REDIAL_MS.length - 1)] ?? 0);
      try {
        return await this.#dial(index);
      } catch {
        // Refused, or no answer: as with the SDKs, the next attempt.
      }
    }
  }

  #end(index: number, wire: string): void {
    if (this.#running[index]?.delete(wire) !== true) return;
    this.ended++;
    this.#clients[index]?.report(wire, JS_SUCCESS);
  }
}
