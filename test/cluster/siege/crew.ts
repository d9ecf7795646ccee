/**
 * Owns the workers of a siege: steady, rejecting, failing, slow and silent ones, which die and are replaced all the
 * while, and lose their sockets. What becomes of their jobs is not its business.
 */
import type { OfferPolicy, SimulatedWorker, WorkerWatch } from "../../kit/simulated-worker.js";
import type { Cluster } from "../harness.js";
import { OFFER_TIMEOUT_MS } from "../timing.js";
import { type AgentKind, agentOf } from "./agents.js";
import type { SiegePlan } from "./plan.js";
import type { Random } from "./random.js";

export interface CrewDeps {
  cluster: Cluster;
  plan: SiegePlan;
  random: Random;
  /** Told what each worker does, beside the witness. */
  watch: (kind: AgentKind, zone: string, worker: () => SimulatedWorker | undefined) => WorkerWatch;
}

interface Berth {
  readonly kind: AgentKind;
  readonly zone: string;
  /** Of a canary: it tells how work goes on there, and not somewhere. */
  readonly gateway: string | undefined;
  worker: SimulatedWorker | undefined;
}

const NODE_SHARE = 0.2;
const CANARIES_PER_GATEWAY = 2;
const SAMPLE_EVERY_MS = 500;
const LOAD_PER_JOB = 0.1;
const LONG_JOB_SHARE = 0.05;

export class Crew {
  readonly counts = { started: 0, died: 0, cut: 0 };
  readonly #deps: CrewDeps;
  readonly #berths: Berth[] = [];
  readonly #replacements = new Set<Promise<void>>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(deps: CrewDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { plan, cluster } = this.#deps;
    const nodes = Math.round(plan.workersPerZone * NODE_SHARE);
    for (const zone of plan.zones) {
      for (const gateway of cluster.names("gateway")) {
        for (let index = 0; index < CANARIES_PER_GATEWAY; index++) {
          this.#berths.push({ kind: "canary", zone, gateway, worker: undefined });
        }
      }
      const kinds: AgentKind[] = [
        ...Array<AgentKind>(nodes).fill("node"),
        ...Array<AgentKind>(plan.workersPerZone - nodes).fill("python"),
      ];
      for (const kind of kinds) this.#berths.push({ kind, zone, gateway: undefined, worker: undefined });
    }
    for (const berth of this.#berths) await this.#man(berth);
  }

  /** From now on a worker dies or loses its socket every now and then. */
  trouble(everyMs: number): void {
    const { random } = this.#deps;
    this.#ticker = setInterval(() => {
      if (random.chance(0.5)) this.killSome(1);
      else this.cutSome(1);
    }, everyMs);
  }

  /** They are gone with their jobs; each is replaced after a while, as a supervisor would. */
  killSome(count: number): void {
    for (const berth of this.#some(count)) {
      const { worker } = berth;
      berth.worker = undefined;
      this.counts.died += 1;
      if (worker !== undefined) this.#track(this.#replace(berth, worker));
    }
  }

  /** Their sockets are gone, and their jobs go on. */
  cutSome(count: number): void {
    for (const { worker } of this.#some(count)) {
      this.counts.cut += 1;
      worker?.client.cut();
    }
  }

  get size(): number {
    return this.#berths.length;
  }

  /** No more trouble; resolves when every place has its worker. */
  async settle(): Promise<void> {
    clearInterval(this.#ticker);
    await Promise.all(this.#replacements);
  }

  #some(count: number): Berth[] {
    const { random } = this.#deps;
    const manned = this.#berths.filter((berth) => berth.kind !== "canary" && berth.worker !== undefined);
    return Array.from({ length: Math.min(count, manned.length) }, () => {
      const [picked] = manned.splice(random.between(0, manned.length - 1), 1);
      return picked as Berth;
    });
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#replacements.delete(tracked));
    this.#replacements.add(tracked);
  }

  async #replace(berth: Berth, worker: SimulatedWorker): Promise<void> {
    const { cluster, random } = this.#deps;
    await cluster.removeWorker(worker);
    await new Promise((resolve) => setTimeout(resolve, random.between(200, 2_000)));
    await this.#man(berth);
  }

  async #man(berth: Berth): Promise<void> {
    const { cluster, watch } = this.#deps;
    const { kind, zone, gateway } = berth;
    const name = `${kind}-${zone}-${this.counts.started++}`;
    berth.worker = await cluster.worker({
      ...this.#habits(kind),
      name,
      agent: agentOf(kind, zone),
      zone,
      ...(gateway === undefined ? {} : { gateway, isPinned: true }),
      sampleEveryMs: SAMPLE_EVERY_MS,
      loadPerJob: LOAD_PER_JOB,
      watch: watch(kind, zone, () => berth.worker),
    });
  }

  #habits(kind: AgentKind) {
    const { random } = this.#deps;
    if (kind === "canary") return { reports: true, reconnects: "python", jobMs: 20 } as const;
    const jobMs = () =>
      random.chance(LONG_JOB_SHARE) ? random.between(4_000, 12_000) : random.between(100, 1_500);
    if (kind === "node") return { reconnects: "node", jobMs } as const;
    const nature = random.next();
    const onOffer = (): OfferPolicy => {
      if (nature < 0.1) return random.chance(0.5) ? "reject" : "accept";
      if (nature < 0.15) return random.chance(0.1) ? "terminate" : "accept";
      return nature < 0.2 && random.chance(0.2) ? "silent" : "accept";
    };
    const isSlow = nature > 0.9;
    return {
      reports: true,
      reconnects: "python",
      jobMs,
      onOffer,
      jobEnds: () => (nature > 0.2 && nature < 0.3 && random.chance(0.3) ? "failed" : "success"),
      // Some of it too late.
      ...(isSlow ? { answerAfterMs: random.between(50, OFFER_TIMEOUT_MS + 100) } : {}),
    } as const;
  }
}
