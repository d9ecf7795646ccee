/**
 * A cluster of real processes that can be hurt: gateways, dispatchers and apis, each with its own proxy before one real
 * Redis, and simulated workers that a balancer leads to the gateways. Owns the verbs, and that whatever they do is known
 * to those who judge what is seen (conditions, witness, invariants). Decides nothing by chance.
 */
import { namespaceName } from "@muster/domain/namespace";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import type { Hash } from "../../shared/ledger/test/snapshot.js";
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import { type WaitOptions, waitUntil } from "../kit/wait-until.js";
import { type ClusterWorkerOptions, ClusterWorkers } from "./cluster-workers.js";
import { Conditions, type ServiceKind } from "./conditions.js";
import { Dispatches, type Order } from "./dispatches.js";
import { Invariants } from "./invariants.js";
import { Member } from "./member.js";
import { type StoreKind, startStore } from "./start-store.js";
import type { Store } from "./store.js";
import { JOBS_PER_WORKER, settingsOf } from "./timing.js";
import { Witness } from "./witness.js";

export const KEY = "cluster-key";
export const SECRET = "cluster-secret-that-is-long-enough";
const POLL_MS = 400;
/** At least so much longer than a look is the pause behind it. */
const LOOK_SHARE = 5;

export interface ClusterOptions {
  gateways?: number;
  dispatchers?: number;
  apis?: number;
  store?: StoreKind;
  /** Of a Cluster: each master with a replica, that failover() can make the master. */
  hasReplicas?: boolean;
  /** Of a Cluster: how long a master may be silent before the others call the whole down. */
  nodeTimeoutMs?: number;
  /** Namespace fields of the workers; one namespace each. */
  zones?: readonly string[];
  retentionMs?: number;
  /** The folder whose build the services run at first; default: this checkout's. See Member.checkout. */
  checkout?: string;
  /** More variables for the services of a kind. */
  env?: Partial<Record<ServiceKind, Record<string, string>>>;
}

export class Cluster {
  readonly key = KEY;
  readonly secret = SECRET;
  readonly conditions: Conditions;
  readonly witness: Witness;
  readonly invariants: Invariants;
  readonly dispatches: Dispatches;
  readonly namespaces: readonly string[];
  readonly redis: RedisClient;
  readonly #store: Store;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #workers: ClusterWorkers;
  #watching: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  private constructor(store: Store, options: ClusterOptions) {
    const { gateways = 2, dispatchers = 2, apis = 1, zones = ["zone"], retentionMs = 600_000 } = options;
    this.#store = store;
    this.redis = store.client();
    const now = () => performance.now();
    this.conditions = new Conditions(now);
    this.conditions.set("redis", "up");
    this.witness = new Witness({ conditions: this.conditions, now });
    this.namespaces = zones.map((zone) => namespaceName("default", zone));
    this.invariants = new Invariants({
      redis: this.redis,
      namespaces: this.namespaces,
      witness: this.witness,
      jobsPerWorker: JOBS_PER_WORKER,
    });
    const counts: Record<ServiceKind, number> = { dispatcher: dispatchers, gateway: gateways, api: apis };
    this.#members = new Map(
      (Object.keys(counts) as ServiceKind[]).flatMap((kind) =>
        Array.from({ length: counts[kind] }, (_, index) => {
          const name = `${kind}-${index}`;
          const env = { ...settingsOf(kind, retentionMs), ...options.env?.[kind], MUSTER_LOG_LEVEL: "info" };
          if (kind !== "dispatcher") Object.assign(env, { MUSTER_KEYS: `${KEY}: ${SECRET}` });
          const { conditions } = this;
          const { checkout } = options;
          const redis = store.address;
          return [name, new Member({ name, kind, env, redis, conditions, checkout })] as const;
        }),
      ),
    );
    const { witness } = this;
    const open = () => this.#up("gateway");
    this.#workers = new ClusterWorkers({ apiKey: KEY, apiSecret: SECRET, witness, open });
    this.dispatches = new Dispatches({ key: KEY, secret: SECRET, urls: () => this.apiUrls });
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const { store: kind = "single", hasReplicas = false, nodeTimeoutMs } = options;
    const limits = nodeTimeoutMs === undefined ? {} : { nodeTimeoutMs };
    const cluster = new Cluster(await startStore({ kind, hasReplicas, ...limits }), options);
    try {
      await Promise.all([...cluster.#members.values()].map((member) => member.start()));
    } catch (error) {
      await cluster.end();
      throw error;
    }
    return cluster;
  }

  /** Of the apis that run and were not told to stop; one of them may be frozen. */
  get apiUrls(): readonly string[] {
    return this.#up("api").map(({ url }) => url);
  }

  names(kind: ServiceKind): string[] {
    return [...this.#members.values()].filter((member) => member.kind === kind).map(({ name }) => name);
  }

  member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`nobody is called ${name}: ${[...this.#members.keys()]}`);
    return member;
  }

  start = (name: string) => this.member(name).start();
  /** SIGTERM; resolves with the exit code. */
  stop = (name: string) => this.member(name).stop();
  kill = (name: string) => this.member(name).kill();
  freeze = (name: string) => this.member(name).freeze();
  thaw = (name: string) => this.member(name).thaw();
  cut = (name: string) => this.member(name).cut();
  part = (name: string) => this.member(name).part();
  heal = (name: string) => this.member(name).heal();

  /** How many masters Redis has; the verbs below take the number of one. */
  get shards(): number {
    return this.#store.shards;
  }

  async killRedis(shard = 0): Promise<void> {
    this.conditions.set("redis", "dead");
    await this.#store.kill(shard);
  }

  /** Resolves when all is served again. */
  async restartRedis(shard = 0): Promise<void> {
    await this.#store.restart(shard);
    this.conditions.set("redis", "up");
  }

  async freezeRedis(shard = 0): Promise<void> {
    this.conditions.set("redis", "frozen");
    await this.#store.freeze(shard);
  }

  /** Resolves when all is served again. */
  async thawRedis(shard = 0): Promise<void> {
    await this.#store.thaw(shard);
    this.conditions.set("redis", "up");
  }

  /** All that Redis knew is gone, and the scripts too. */
  async flush(): Promise<void> {
    await this.look();
    this.conditions.set("redis", "dead");
    await this.#looking;
    this.invariants.forget();
    await this.#store.flush();
    this.conditions.set("redis", "up");
  }

  /** Another process has what Redis had, and is it now. A single one is killed and comes back with its file. */
  async failover(shard = 0): Promise<void> {
    await this.#store.untilReplaceable(shard);
    this.conditions.set("redis", "parted");
    await this.#looking;
    await this.#store.failover(shard);
    this.conditions.set("redis", "up");
  }

  async reshard(): Promise<void> {
    // In the middle of it no single node has all that a look must see.
    this.conditions.set("redis", "parted");
    await this.#looking;
    await this.#store.reshard(this.namespaces);
    this.conditions.set("redis", "up");
  }

  submit = (order: Order) => this.dispatches.create(order);

  worker = (options: ClusterWorkerOptions) => this.#workers.add(options);
  removeWorker = (worker: SimulatedWorker) => this.#workers.remove(worker);
  removeAllWorkers = () => this.#workers.removeAll();

  /** Looks at the invariants all the while, in the background; what is found shows in `invariants.violations`. */
  watch(): void {
    const lookAgain = async () => {
      const startedAtMs = performance.now();
      await this.look();
      // Whoever looks shares its core with the workers: the larger the picture, the rarer.
      const pauseMs = Math.max(POLL_MS, LOOK_SHARE * (performance.now() - startedAtMs));
      if (this.#watching !== undefined) this.#watching = setTimeout(() => void lookAgain(), pauseMs);
    };
    this.#watching ??= setTimeout(() => void lookAgain(), POLL_MS);
  }

  /** One look, joined with one that is under way; none while Redis is away. */
  async look(): Promise<void> {
    if (this.conditions.of("redis") !== "up") return;
    this.#looking = this.#looking.then(async () => {
      if (this.conditions.of("redis") !== "up") return;
      await this.invariants.look().catch(() => {
        // Redis went away meanwhile: the next look finds it back, or a wait in the test ends with its deadline.
      });
    });
    await this.#looking;
  }

  /** waitUntil with the invariants checked at each poll. */
  until<T>(description: string, check: () => T | Promise<T>, options: WaitOptions = {}) {
    const invariant = async () => {
      await this.look();
      this.invariants.assert();
    };
    return waitUntil(description, check, { everyMs: 50, ...options, invariant });
  }

  /** The hash of a job in the namespace of the first zone, or an empty one. */
  async job(id: string): Promise<Hash> {
    return await this.redis.hgetall(`${namespaceTag(this.namespaces[0] ?? "")}job:${id}`);
  }

  /** The job of a dispatch that makes one job. */
  async jobOf(order: string): Promise<string> {
    const [id] = await this.redis.zrange(
      `${namespaceTag(this.namespaces[0] ?? "")}order-jobs:${order}`,
      "0",
      "0",
    );
    if (id === undefined) throw new Error(`${order} has no job`);
    return id;
  }

  async isReady(name: string): Promise<boolean> {
    const response = await fetch(`${this.member(name).url}/readyz`, { signal: AbortSignal.timeout(1_000) });
    return response.ok;
  }

  /** What the services wrote about something, by whoever wrote it; the last that is still kept. */
  trace(word: string): string[] {
    return [...this.#members.values()].flatMap(({ name, output }) =>
      output
        .split("\n")
        .filter((line) => line.includes(word))
        .map((line) => `${name}: ${line}`),
    );
  }

  async end(): Promise<void> {
    clearTimeout(this.#watching);
    this.#watching = undefined;
    await this.#looking;
    await this.#workers.removeAll();
    await Promise.all([...this.#members.values()].map((member) => member.end()));
    await this.#store.stop();
  }

  #up(kind: ServiceKind): Member[] {
    return [...this.#members.values()].filter(
      (member) => member.kind === kind && member.isRunning && this.conditions.of(member.name) !== "draining",
    );
  }
}
