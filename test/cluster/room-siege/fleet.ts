/** Owns the workers of a siege of rooms: they die with their jobs and are replaced, and lose their sockets. */
import type { SimulatedWorker } from "../../kit/simulated-worker.js";
import type { Cluster } from "../harness.js";
import type { Random } from "../siege/random.js";
import type { Agents } from "./agents.js";
import type { Judge } from "./judge.js";
import { AGENT, PLACES, ZONE } from "./plan.js";

export interface FleetDeps {
  cluster: Cluster;
  random: Random;
  agents: Agents;
  judge: () => Judge;
  size: number;
}

const REPLACED_MS = [200, 2_000] as const;
const SAMPLE_EVERY_MS = 500;
const LOAD_PER_JOB = 0.1;
/** Jobs end by what happens in their rooms. */
const NEVER_MS = 3_600_000;

export class Fleet {
  readonly size: number;
  readonly counts = { started: 0, died: 0, cut: 0 };
  readonly #deps: FleetDeps;
  readonly #workers = new Set<SimulatedWorker>();
  readonly #replacements = new Set<Promise<void>>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(deps: FleetDeps) {
    this.#deps = deps;
    this.size = deps.size;
  }

  async start(): Promise<void> {
    for (let index = 0; index < this.size; index++) await this.#add();
  }

  trouble(everyMs: number): void {
    const { random } = this.#deps;
    this.#ticker = setInterval(() => (random.chance(0.5) ? this.killSome(1) : this.cutSome(1)), everyMs);
  }

  /** By what the workers run: an offer may be under way to the last place. */
  hasPlace(): boolean {
    return [...this.#workers].some(({ running, client }) => client.isOpen && running.size < PLACES - 1);
  }

  killSome(count: number): void {
    for (const worker of this.#some(count)) {
      this.#workers.delete(worker);
      this.counts.died += 1;
      const done = this.#replace(worker).finally(() => this.#replacements.delete(done));
      this.#replacements.add(done);
    }
  }

  cutSome(count: number): void {
    for (const worker of this.#some(count)) {
      this.counts.cut += 1;
      worker.client.cut();
    }
  }

  async settle(): Promise<void> {
    clearInterval(this.#ticker);
    await Promise.all(this.#replacements);
  }

  #some(count: number): SimulatedWorker[] {
    const { random } = this.#deps;
    const workers = [...this.#workers];
    return Array.from({ length: Math.min(count, workers.length) }, () => {
      const [picked] = workers.splice(random.between(0, workers.length - 1), 1);
      return picked as SimulatedWorker;
    });
  }

  async #replace(worker: SimulatedWorker): Promise<void> {
    const { cluster, random } = this.#deps;
    await cluster.removeWorker(worker);
    await new Promise((resolve) => setTimeout(resolve, random.between(...REPLACED_MS)));
    await this.#add();
  }

  async #add(): Promise<void> {
    const { cluster, agents, judge } = this.#deps;
    let worker: SimulatedWorker | undefined;
    const { started, over } = agents.watch(() => worker);
    worker = await cluster.worker({
      ...{ name: `${AGENT}-${this.counts.started++}`, agent: AGENT, zone: ZONE },
      ...{ reports: true, reconnects: "python", jobMs: NEVER_MS },
      ...{ sampleEveryMs: SAMPLE_EVERY_MS, loadPerJob: LOAD_PER_JOB },
      watch: {
        ...{ registered() {}, lost() {}, offered() {}, over },
        started(job) {
          judge().started(job);
          started(job);
        },
      },
    });
    this.#workers.add(worker);
  }
}
