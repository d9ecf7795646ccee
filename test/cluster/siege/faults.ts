/**
 * Owns the faults of a siege: what each does, how it is undone, and from when its recovery is counted. One at a time,
 * or two at once; each is over, and recovered from, before the next.
 */
import type { ServiceKind } from "../conditions.js";
import type { Cluster } from "../harness.js";
import { type BoundName, HOLD_MS, LEASE_MS } from "../timing.js";
import type { Crew } from "./crew.js";
import type { SiegePlan } from "./plan.js";
import type { Random } from "./random.js";
import type { Recoveries } from "./recoveries.js";

export interface FaultsDeps {
  cluster: Cluster;
  plan: SiegePlan;
  random: Random;
  crew: Pick<Crew, "killSome" | "cutSome" | "size">;
  recoveries: Pick<Recoveries, "measure" | "violations">;
}

interface Fault {
  readonly kind: string;
  readonly weight: number;
  run(): Promise<void>;
}

/** Shorter and longer than a lease, and longer than a lease and the grace together. */
const OUTAGE_MS = [300, 6_000] as const;

export class Faults {
  readonly counts = new Map<string, number>();
  readonly #deps: FaultsDeps;
  readonly #table: Fault[];

  constructor(deps: FaultsDeps) {
    this.#deps = deps;
    this.#table = this.#tableOf(deps.plan);
  }

  /** Until then, one after the other; each kind once before chance decides. */
  async run(untilMs: number): Promise<void> {
    const { random, plan } = this.#deps;
    const first = [...this.#table].sort(() => random.next() - 0.5);
    while (performance.now() < untilMs) {
      const fault = first.pop() ?? this.#weighted();
      this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
      await fault.run();
      await pause(random.between(...plan.pauseMs));
    }
  }

  #weighted(): Fault {
    const { random } = this.#deps;
    return random.pick(this.#table.flatMap((fault) => Array<Fault>(fault.weight).fill(fault)));
  }

  #tableOf({ store }: SiegePlan): Fault[] {
    const { crew } = this.#deps;
    const kinds = ["gateway", "dispatcher", "api"] as const satisfies ServiceKind[];
    const services = kinds.flatMap((kind) => [
      this.#fault(`${kind} killed`, 3, () => this.#killed(kind)),
      this.#fault(`${kind} drained`, 2, () => this.#drained(kind)),
      this.#fault(`${kind} frozen`, 2, () => this.#away(kind, "frozen")),
      this.#fault(`${kind} cut from Redis`, 2, () => this.#away(kind, "parted")),
      this.#fault(`${kind} connections reset`, 1, () => this.#reset(kind)),
    ]);
    const redis = [
      this.#fault("Redis killed", 3, () => this.#redisKilled()),
      this.#fault("Redis frozen", 1, () => this.#redisFrozen()),
      ...(store === "cluster"
        ? [
            this.#fault("slots moved", 3, () => this.#slotsMoved()),
            this.#fault("mastership moved", 3, () => this.#mastershipMoved()),
          ]
        : []),
    ];
    return [
      ...services,
      ...redis,
      this.#fault("gateway and dispatcher killed at once", 1, () =>
        Promise.all([this.#killed("gateway"), this.#killed("dispatcher")]).then(() => {}),
      ),
      this.#fault("many workers died", 1, async () => crew.killSome(Math.ceil(crew.size / 4))),
      this.#fault("many sockets lost", 1, async () => crew.cutSome(Math.ceil(crew.size / 3))),
    ];
  }

  #fault(kind: string, weight: number, run: () => Promise<void>): Fault {
    return { kind, weight, run };
  }

  async #killed(kind: ServiceKind): Promise<void> {
    const { cluster, random } = this.#deps;
    const name = random.pick(cluster.names(kind));
    const sinceMs = performance.now();
    await cluster.kill(name);
    await this.#measure(`${kind} killed`, "loss", sinceMs);
    await cluster.start(name);
  }

  async #drained(kind: ServiceKind): Promise<void> {
    const { cluster, random } = this.#deps;
    const name = random.pick(cluster.names(kind));
    const sinceMs = performance.now();
    const stopped = cluster.stop(name);
    await this.#measure(`${kind} drained`, "drain", sinceMs);
    const code = await stopped;
    if (code !== 0) this.#deps.recoveries.violations.push(`${name} drained and exited with ${code}`);
    await cluster.start(name);
  }

  async #away(kind: ServiceKind, how: "frozen" | "parted"): Promise<void> {
    const { cluster, random } = this.#deps;
    const name = random.pick(cluster.names(kind));
    const untilMs = performance.now() + random.between(...OUTAGE_MS);
    const words = how === "frozen" ? "frozen" : "cut from Redis";
    const sinceMs = performance.now();
    if (how === "frozen") cluster.freeze(name);
    else cluster.part(name);
    await this.#measure(`${kind} ${words}`, "loss", sinceMs);
    await pause(untilMs - performance.now());
    const backMs = performance.now();
    if (how === "frozen") cluster.thaw(name);
    else cluster.heal(name);
    await this.#measure(`${kind} ${words}, and back`, "partition", backMs);
  }

  async #reset(kind: ServiceKind): Promise<void> {
    const { cluster, random, recoveries } = this.#deps;
    const sinceMs = performance.now();
    cluster.cut(random.pick(cluster.names(kind)));
    await recoveries.measure(`${kind} connections reset`, "loss", sinceMs);
  }

  /** Of a Cluster one master; what it had acknowledged is in its file. */
  async #redisKilled(): Promise<void> {
    const { cluster, random } = this.#deps;
    const shard = this.#shard();
    await cluster.killRedis(shard);
    await pause(random.between(0, 3_000));
    await cluster.restartRedis(shard);
    await this.#measure("Redis killed", "redis", performance.now());
  }

  /**
   * Of a Cluster one master. Its replica does not take over, since it may lack what the frozen one had acknowledged:
   * beyond the nodes' timeout the whole Cluster refuses to serve instead.
   */
  async #redisFrozen(): Promise<void> {
    const { cluster, random } = this.#deps;
    const shard = this.#shard();
    await cluster.freezeRedis(shard);
    await pause(random.between(...OUTAGE_MS));
    await cluster.thawRedis(shard);
    await this.#measure("Redis frozen", "redis", performance.now());
  }

  /** On command, which loses nothing, and back. */
  async #mastershipMoved(): Promise<void> {
    const { cluster } = this.#deps;
    const shard = this.#shard();
    for (const kind of ["mastership moved", "mastership moved back"]) {
      await cluster.failover(shard);
      await this.#measure(kind, "redis", performance.now());
    }
  }

  #shard(): number {
    const { cluster, random } = this.#deps;
    return random.between(0, cluster.shards - 1);
  }

  /** Key by key, which takes as long as there are keys: recovered is who serves when it is done. */
  async #slotsMoved(): Promise<void> {
    await this.#deps.cluster.reshard();
    await this.#measure("slots moved", "redis", performance.now());
  }

  #measure(kind: string, bound: BoundName, sinceMs: number): Promise<void> {
    const { cluster, recoveries } = this.#deps;
    // A dispatcher that just came, or just found Redis again, times nothing out for a while.
    const holders = ["redis", ...cluster.names("dispatcher")];
    const hasGap = holders.some(
      (name) => cluster.conditions.trouble(name, sinceMs - HOLD_MS - LEASE_MS, sinceMs - 1) !== undefined,
    );
    return hasGap && bound === "loss"
      ? recoveries.measure(`${kind}, soon after another gap`, "lossInHold", sinceMs)
      : recoveries.measure(kind, bound, sinceMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
