/**
 * Owns the stage of one point: namespaces, an agent and workers that no other point has, what is asked for there, and
 * what of it can be seen in the ledger and at the workers. Judges nothing (verdict.ts does).
 */
import { randomUUID } from "node:crypto";
import { namespaceName } from "@muster/domain/namespace";
import { type JobRecord, jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";
import { ownerOf } from "../../shared/actor/src/rendezvous.js";
import { type Moment, readAtOnce } from "../cluster/snapshot-at-once.js";
import { roomToken, workerToken } from "../kit/access-tokens.js";
import {
  type RunningJob,
  type SimulatedWorker,
  type SimulatedWorkerOptions,
  startWorker,
} from "../kit/simulated-worker.js";
import { type WaitOptions, waitUntil } from "../kit/wait-until.js";
import { type House, KEY, SECRET } from "./house.js";
import type { Victim } from "./victim.js";

const RECOVERY_LIMIT_MS = 20_000;
const REDIAL_MS = [0, 100, 200, 400];
const MAX_NAMES_TRIED = 100_000;

export interface Look {
  namespace: string;
  moment: Moment;
  jobs: JobRecord[];
  orders: OrderRecord[];
}

export class Point {
  readonly house: House;
  readonly victim: Victim;
  readonly agent: string;
  /** Namespace fields of its workers: "" is the default one, which it shares. */
  readonly zones: string[] = [];
  readonly workers: SimulatedWorker[] = [];
  /** What is repeated is asked for under the same ids. */
  readonly requestIds = new Map<string, string>();
  readonly #number: number;
  /** What was tried here, in words. */
  where = (): string => this.agent;

  constructor(house: House, victim: Victim) {
    this.house = house;
    this.victim = victim;
    this.#number = house.nextPoint();
    this.agent = `agent-${this.#number}`;
  }

  get namespaces(): string[] {
    return this.zones.map((zone) => namespaceName("default", zone));
  }

  room(name: string): string {
    return `${name}-${this.#number}`;
  }

  /** A namespace of its own. A dispatcher that is to be struck hosts it, and the one that is left inherits it. */
  addZone(): string {
    const { house, victim } = this;
    const left = house.victims.filter((one) => one !== victim && one.isAlive).map(({ node }) => node);
    const heirs = [house.dispatcherNode, ...left];
    for (let attempt = 0; attempt < MAX_NAMES_TRIED; attempt++) {
      const zone = `zone-${this.#number}-${this.zones.length}-${attempt}`;
      const namespace = namespaceName("default", zone);
      const isRight =
        victim.node === "" ||
        (ownerOf(namespace, [...heirs, victim.node]) === victim.node &&
          ownerOf(namespace, heirs) === house.dispatcherNode);
      if (!isRight) continue;
      this.zones.push(zone);
      return zone;
    }
    throw new Error("found no namespace that this dispatcher would host");
  }

  /** Reports, reconnects and brings its jobs along as the Python SDK does. Dials whom `dial` names each time. */
  async worker(options: Omit<SimulatedWorkerOptions, "url" | "token"> & { zone?: string } = {}) {
    const { zone = this.zones[0] ?? "", ...rest } = options;
    const worker = await startWorker({
      reports: true,
      reconnects: "python",
      redialMs: REDIAL_MS,
      registerMs: 2_000,
      dial: () => this.house.twin("gateway").url,
      ...rest,
      url: "",
      token: workerToken(KEY, SECRET),
      register: { agentName: this.agent, namespace: zone, ...rest.register },
    });
    this.workers.push(worker);
    return worker;
  }

  /** CreateDispatch, under the same request id each time. Resolves with the dispatch id. */
  async create(apiUrl: string, room: string): Promise<string> {
    const { id } = await this.#twirp(apiUrl, "CreateDispatch", room, { room, agentName: this.agent });
    return String(id);
  }

  async remove(apiUrl: string, room: string, dispatchId: string): Promise<void> {
    await this.#twirp(apiUrl, "DeleteDispatch", room, { room, dispatchId });
  }

  async terminate(apiUrl: string, room: string, job: string): Promise<void> {
    await this.#post(`${apiUrl}/v1/jobs/${job}/terminate?namespace=${this.zones[0] ?? ""}`, room, {});
  }

  /** Asks somebody that nothing befalls, and waits until a worker runs it. */
  async runs(room: string): Promise<RunningJob> {
    await this.create(this.house.twin("api").url, room);
    return waitUntil(`${room} runs`, () => this.running(room)[0]);
  }

  /** Every assignment for a room that any worker of this point ever got. */
  assigned(room: string): RunningJob[] {
    return this.workers.flatMap((worker) => worker.assigned.filter((job) => job.room === room));
  }

  running(room: string): RunningJob[] {
    return this.workers.flatMap((worker) => [...worker.running.values()].filter((job) => job.room === room));
  }

  /** What the ledger has of this point now, for each of its namespaces. */
  async look(): Promise<Look[]> {
    return Promise.all(
      this.namespaces.map(async (namespace) => {
        const moment = await readAtOnce(this.house.redis, namespace);
        const of = (family: string) =>
          [...moment.hashes].filter(([key]) => key.startsWith(family)).map(([, hash]) => hash);
        const orders = of("order:")
          .map(orderRecord)
          .filter((order) => order.agent === this.agent);
        const ids = new Set(orders.map(({ id }) => id));
        const jobs = of("job:")
          .map(jobRecord)
          .filter((job) => ids.has(job.order));
        return { namespace, moment, jobs, orders };
      }),
    );
  }

  /** The order and jobs of one room. */
  async ledgerOf(room: string): Promise<{ orders: OrderRecord[]; jobs: JobRecord[] }> {
    const looks = await this.look();
    return {
      orders: looks.flatMap(({ orders }) => orders.filter((order) => order.room === room)),
      jobs: looks.flatMap(({ jobs }) => jobs.filter((job) => job.room === room)),
    };
  }

  until<T>(description: string, check: () => T | Promise<T>, options: WaitOptions = {}) {
    return waitUntil(description, check, { deadlineMs: RECOVERY_LIMIT_MS, everyMs: 100, ...options });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  #twirp(apiUrl: string, method: string, room: string, message: object) {
    return this.#post(`${apiUrl}/twirp/livekit.AgentDispatchService/${method}`, room, message);
  }

  async #post(url: string, room: string, message: object): Promise<Record<string, unknown>> {
    const call = `${new URL(url).pathname} ${room}`;
    const requestId = this.requestIds.get(call) ?? randomUUID();
    this.requestIds.set(call, requestId);
    const response = await fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${roomToken(KEY, SECRET, room)}`,
        "content-type": "application/json",
        "x-livekit-request-id": requestId,
      },
      body: JSON.stringify(message),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${call} was answered ${response.status}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }
}
