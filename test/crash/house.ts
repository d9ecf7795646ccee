/**
 * Owns the processes of one suite: a Redis, one gateway, dispatcher and api that nothing befalls, and beside them as
 * many of one kind as there are points to try at a time, each to be struck once. Also the times that all run with.
 */

import { createLedger, type Ledger } from "@muster/ledger/ledger";
import { closeRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { leasesKey } from "../../shared/actor/src/keys.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { waitUntil } from "../kit/wait-until.js";
import { Victim } from "./victim.js";

export type Kind = Exclude<ServiceName, "standalone">;

export const KEY = "crash-key";
export const SECRET = "crash-secret-that-is-long-enough";
/** Longer than a worker takes to come back, also where all processes of the suite share two cores. */
const GRACE_MS = 3_500;
/** Points that are tried side by side; an operation with more commands takes another round. */
const VICTIMS = 8;
/** Of who lives, by every process; what is remembered is a command less to strike at. */
const REMEMBERED_MS = 1_000;

const ALL = { MUSTER_LOG_LEVEL: "info", MUSTER_RETENTION_MS: "600000" };
const NODE = { MUSTER_LEASE_MS: "800", MUSTER_GRACE_MS: String(GRACE_MS) };
const SETTINGS: Record<Kind, Record<string, string>> = {
  gateway: {
    ...ALL,
    ...NODE,
    MUSTER_KEYS: `${KEY}: ${SECRET}`,
    MUSTER_OFFER_TIMEOUT_MS: "1500",
    MUSTER_OFFER_TIMEOUT_MAX_MS: "3000",
    // One place a worker, so that "waits for room" is one job away.
    MUSTER_MAX_JOBS_PER_WORKER: "1",
    MUSTER_START_DEADLINE_MS: "4000",
    MUSTER_DRAIN_MS: "0",
  },
  dispatcher: { ...ALL, ...NODE, MUSTER_OFFER_DEADLINE_MS: "2000", MUSTER_DRAIN_MS: "0" },
  api: { ...ALL, MUSTER_KEYS: `${KEY}: ${SECRET}`, MUSTER_DRAIN_MS: "0" },
};

export interface HouseOptions {
  victims: Kind;
  /** More variables for the services of a kind. */
  env?: Partial<Record<Kind, Record<string, string>>>;
}

export class House {
  readonly redis: RedisClient;
  readonly ledger: Ledger;
  readonly victims: readonly Victim[];
  readonly #server: RedisServer;
  readonly #twins = new Map<Kind, ServiceProcess>();
  /** The node of the dispatcher that nothing befalls. */
  dispatcherNode = "";
  #starting: Promise<void>[] = [];
  #points = 0;
  #triedAtMs = Number.NEGATIVE_INFINITY;

  private constructor(server: RedisServer, { victims, env }: HouseOptions) {
    this.#server = server;
    this.redis = server.client();
    this.ledger = createLedger(this.redis);
    const settings = { ...SETTINGS[victims], ...env?.[victims] };
    this.victims = Array.from({ length: VICTIMS }, () => new Victim(victims, settings, server.port));
  }

  static async start(options: HouseOptions): Promise<House> {
    const server = await startRedis();
    const house = new House(server, options);
    house.dispatcherNode = await house.#nodeOf(() => house.#startTwin("dispatcher", options));
    await Promise.all([house.#startTwin("gateway", options), house.#startTwin("api", options)]);
    return house;
  }

  twin(kind: Kind): ServiceProcess {
    const twin = this.#twins.get(kind);
    if (twin === undefined) throw new Error(`no ${kind} runs`);
    return twin;
  }

  /** A number that no other point of this suite has. */
  nextPoint(): number {
    return ++this.#points;
  }

  /** Begins to start it anew, if it is dead, unless its arrival would move what others are about to inherit. */
  replaceSoon(victim: Victim): void {
    if (victim.kind !== "dispatcher" && !victim.isAlive) this.#starting.push(victim.start());
  }

  /** Every victim runs, those that were killed anew, and the others as if they had just begun. */
  async restartVictims(): Promise<void> {
    await waitUntil(
      "what they read of other nodes is forgotten",
      () => performance.now() - this.#triedAtMs > REMEMBERED_MS,
      { everyMs: 50 },
    );
    await Promise.all(this.#starting.splice(0));
    const dead = this.victims.filter((victim) => !victim.isAlive);
    if (dead[0]?.kind !== "dispatcher") {
      await Promise.all(dead.map((victim) => victim.start()));
      return;
    }
    // One by one: the lease that is new is its own.
    for (const victim of dead) victim.node = await this.#nodeOf(() => victim.start());
  }

  /** The last commands of a round have been issued. */
  noteTried(): void {
    this.#triedAtMs = performance.now();
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.#starting);
    await Promise.all(this.victims.map((victim) => victim.end()));
    await Promise.all([...this.#twins.values()].map((twin) => twin.kill()));
    await closeRedis(this.redis);
    await this.#server.stop();
  }

  async #startTwin(kind: Kind, { env }: HouseOptions): Promise<void> {
    const settings = { ...SETTINGS[kind], ...env?.[kind], MUSTER_REDIS_URL: this.#server.url };
    this.#twins.set(kind, await startService(kind, settings));
  }

  async #nodeOf(start: () => Promise<unknown>): Promise<string> {
    const list = () => this.redis.zrange(leasesKey("dispatcher"), "0", "-1");
    const before = new Set(await list());
    await start();
    return (await list()).find((node) => !before.has(node)) ?? "";
  }
}
