/**
 * Owns the simulated workers of a test cluster, and the balancer that leads them to its gateways: in turn to those whose
 * port is open, frozen ones among them. What each of them sees is told to the witness.
 */
import { workerToken } from "../kit/access-tokens.js";
import {
  type SimulatedWorker,
  type SimulatedWorkerOptions,
  startWorker,
  type WorkerWatch,
} from "../kit/simulated-worker.js";
import type { Witness } from "./witness.js";

/** Scaled down as the grace is; the SDKs wait 0, 2, 4, … 10 s. */
const REDIAL_MS = [0, 200, 400, 600, 800, 1_000];

export interface ClusterWorkerOptions extends Omit<SimulatedWorkerOptions, "url" | "token" | "dial"> {
  name: string;
  agent: string;
  zone?: string;
  /** Dials this one while its port is open; else, and by default, the balancer's choice at each attempt. */
  gateway?: string;
  /** Dials no other, and waits while that one is gone. */
  isPinned?: boolean;
}

export interface ClusterWorkersDeps {
  apiKey: string;
  apiSecret: string;
  witness: Witness;
  /** The gateways whose port is open now. */
  open: () => readonly { name: string; url: string }[];
}

export class ClusterWorkers {
  readonly #deps: ClusterWorkersDeps;
  readonly #workers = new Set<SimulatedWorker>();
  #next = 0;

  constructor(deps: ClusterWorkersDeps) {
    this.#deps = deps;
  }

  /** Resolves once it is registered, however long that takes. */
  async add(options: ClusterWorkerOptions): Promise<SimulatedWorker> {
    const { apiKey, apiSecret, witness, open } = this.#deps;
    const { name, agent, zone = "zone", gateway, isPinned = false, ...rest } = options;
    let dialled = "";
    const worker = await startWorker({
      redialMs: REDIAL_MS,
      handshakeMs: 2_000,
      registerMs: 3_000,
      ...rest,
      url: "",
      token: workerToken(apiKey, apiSecret),
      register: { agentName: agent, namespace: zone, ...rest.register },
      dial: () => {
        const gateways = open();
        const own = gateways.find((one) => one.name === gateway);
        const other = isPinned ? undefined : gateways[this.#next++ % Math.max(1, gateways.length)];
        const chosen = own ?? other;
        dialled = chosen?.name ?? "";
        // Nobody listens on port 1: refused, as by a balancer without a backend.
        return chosen?.url ?? "http://127.0.0.1:1";
      },
      watch: both(
        witness.watch(name, () => dialled),
        rest.watch,
      ),
    });
    this.#workers.add(worker);
    return worker;
  }

  async remove(worker: SimulatedWorker): Promise<void> {
    this.#workers.delete(worker);
    await worker.close();
  }

  async removeAll(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => this.remove(worker)));
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
