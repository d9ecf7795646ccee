/**
 * A cluster of real processes that can be hurt: gateways, dispatchers and apis, each with its own proxy before one real
 * Redis, and simulated workers that a balancer leads to the gateways. Owns the verbs, and that whatever they do is known
 * to those who judge what is seen (conditions, witness, invariants). Decides nothing by chance.
 */
import { namespaceName } from "@muster/domain/namespace";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import type { Hash } from "../../shared/ledger/test/snapshot.js";
import { workerToken } from "../kit/access-tokens.js";
import {
  type SimulatedWorker,
  type SimulatedWorkerOptions,
  startWorker,
  type WorkerWatch,
} from "../kit/simulated-worker.js";
import { type WaitOptions, waitUntil } from "../kit/wait-until.js";
import { Conditions, type ServiceKind } from "./conditions.js";
import { Dispatches, type Order } from "./dispatches.js";
import { Invariants } from "./invariants.js";
import { Member } from "./member.js";
import { type Store, type StoreKind, startStore } from "./store.js";
import { JOBS_PER_WORKER, settingsOf } from "./timing.js";
import { Witness } from "./witness.js";

const KEY = "cluster-key";
const SECRET = "cluster-secret-that-is-long-enough";
/** Scaled down as the grace is; the SDKs wait 0, 2, 4, … 10 s. */
const REDIAL_MS = [0, 200, 400, 600, 800, 1_000];
const POLL_MS = 400;

export interface ClusterOptions {
  gateways?: number;
  dispatchers?: number;
  apis?: number;
  store?: StoreKind;
  /** Namespace fields of the workers; one namespace each. */
  zones?: readonly string[];
  retentionMs?: number;
  /** More variables for the services of a kind. */
  env?: Partial<Record<ServiceKind, Record<string, string>>>;
}

export interface ClusterWorkerOptions extends Omit<SimulatedWorkerOptions, "url" | "token" | "dial"> {
  name: string;
  agent: string;
  zone?: string;
  /** Dials this one while its port is open; else, and by default, the balancer's choice at each attempt. */
  gateway?: string;
  /** Dials no other, and waits while that one is gone. */
  isPinned?: boolean;
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
  readonly #workers = new Set<SimulatedWorker>();
  #nextGateway = 0;
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
          return [name, new Member({ name, kind, env, redis: store.address, conditions })] as const;
        }),
      ),
    );
    const urls = () => this.#up("api").map(({ url }) => url);
    this.dispatches = new Dispatches({ key: KEY, secret: SECRET, urls });
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(await startStore(options.store ?? "single"), options);
    try {
      await Promise.all([...cluster.#members.values()].map((member) => member.start()));
    } catch (error) {
      await cluster.end();
      throw error;
    }
    return cluster;
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

  async killRedis(): Promise<void> {
    this.conditions.set("redis", "dead");
    await this.#store.kill();
  }

  async restartRedis(): Promise<void> {
    await this.#store.restart();
    this.conditions.set("redis", "up");
  }

  freezeRedis(): void {
    this.conditions.set("redis", "frozen");
    this.#store.freeze();
  }

  thawRedis(): void {
    this.#store.thaw();
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

  /** kill -9 of Redis, and back with its append-only file. */
  async failover(): Promise<void> {
    await this.killRedis();
    await this.restartRedis();
  }

  async reshard(): Promise<void> {
    // In the middle of it no single node has all that a look must see.
    this.conditions.set("redis", "parted");
    await this.#looking;
    await this.#store.reshard(this.namespaces);
    this.conditions.set("redis", "up");
  }

  submit = (order: Order) => this.dispatches.create(order);

  async worker(options: ClusterWorkerOptions): Promise<SimulatedWorker> {
    const { name, agent, zone = "zone", gateway, isPinned = false, ...rest } = options;
    let dialled = "";
    const worker = await startWorker({
      redialMs: REDIAL_MS,
      handshakeMs: 2_000,
      registerMs: 3_000,
      ...rest,
      url: "",
      token: workerToken(KEY, SECRET),
      register: { agentName: agent, namespace: zone, ...rest.register },
      dial: () => {
        const open = this.#up("gateway");
        const own = open.find((member) => member.name === gateway);
        const chosen = own ?? (isPinned ? undefined : this.#balance(open));
        dialled = chosen?.name ?? "";
        // Nobody listens on port 1: refused, as by a balancer without a backend.
        return chosen?.url ?? "http://127.0.0.1:1";
      },
      watch: both(
        this.witness.watch(name, () => dialled),
        rest.watch,
      ),
    });
    this.#workers.add(worker);
    return worker;
  }

  async removeWorker(worker: SimulatedWorker): Promise<void> {
    this.#workers.delete(worker);
    await worker.close();
  }

  async removeAllWorkers(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => this.removeWorker(worker)));
  }

  /** Looks at the invariants all the while, in the background; what is found shows in `invariants.violations`. */
  watch(): void {
    this.#watching ??= setInterval(() => {
      void this.look();
    }, POLL_MS);
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

  /** The dispatcher that hosts the namespace of a pool; found by giving it a job, in the room "host", which must end. */
  async hostOf(agent: string): Promise<string> {
    const order = await this.submit({ room: "host", agent });
    const id = await this.jobOf(order);
    await waitUntil("the first job is over", async () => (await this.job(id)).state === "ended");
    const claims = await Promise.all(
      this.names("dispatcher").map(async (name) => {
        const text = await (await fetch(`${this.member(name).url}/metrics`)).text();
        return { name, claimed: Number(/^muster_jobs_claimed_total (\S+)$/m.exec(text)?.[1] ?? 0) };
      }),
    );
    const host = claims.find(({ claimed }) => claimed > 0);
    if (host === undefined) throw new Error("no dispatcher says that it claimed the job");
    return host.name;
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
    clearInterval(this.#watching);
    await this.#looking;
    await Promise.all([...this.#workers].map((worker) => worker.close()));
    await Promise.all([...this.#members.values()].map((member) => member.end()));
    await this.#store.stop();
  }

  /** A balancer: in turn over those whose port is open; it does not see that one is frozen. */
  #balance(open: readonly Member[]): Member | undefined {
    return open[this.#nextGateway++ % Math.max(1, open.length)];
  }

  #up(kind: ServiceKind): Member[] {
    return [...this.#members.values()].filter(
      (member) => member.kind === kind && member.isRunning && this.conditions.of(member.name) !== "draining",
    );
  }
}

function both(one: WorkerWatch, other: WorkerWatch | undefined): WorkerWatch {
  if (other === undefined) return one;
  return {
    registered(session, isReturn) {
      one.registered(session, isReturn);
      other.registered(session, isReturn);
    },
    lost() {
      one.lost();
      other.lost();
    },
    offered(wire) {
      one.offered(wire);
      other.offered(wire);
    },
    started(job) {
      one.started(job);
      other.started(job);
    },
    over(job, how) {
      one.over(job, how);
      other.over(job, how);
    },
  };
}
