/**
 * Owns watching workers that come back: whether the ledger gives their new session the jobs that they brought, and how
 * soon. What was given to others meanwhile is none of it.
 */
import { jobOfWireId } from "@muster/domain/ids";
import { namespaceTag } from "../../../shared/ledger/src/keys.js";
import type { SimulatedWorker } from "../../kit/simulated-worker.js";
import type { Cluster } from "../harness.js";
import type { Recoveries } from "./recoveries.js";

interface Return {
  readonly worker: SimulatedWorker;
  readonly session: string;
  readonly wires: readonly string[];
  readonly atMs: number;
}

const LOOK_EVERY_MS = 20;
const GIVEN_UP_AFTER_MS = 5_000;

export class Adoptions {
  readonly counts = { brought: 0, adopted: 0, elsewhere: 0 };
  readonly #cluster: Cluster;
  readonly #recoveries: Recoveries;
  readonly #open = new Set<Promise<void>>();

  constructor({ cluster, recoveries }: { cluster: Cluster; recoveries: Recoveries }) {
    this.#cluster = cluster;
    this.#recoveries = recoveries;
  }

  returned(worker: SimulatedWorker, session: string, zone: string): void {
    const wires = [...worker.running.keys()];
    if (wires.length === 0) return;
    this.counts.brought += wires.length;
    const back = { worker, session, wires, atMs: performance.now() };
    const watched = Promise.all(wires.map((wire) => this.#follow(back, wire, zone))).then(() => {});
    const done = watched.finally(() => this.#open.delete(done));
    this.#open.add(done);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#open);
  }

  async #follow({ worker, session, atMs }: Return, wire: string, zone: string): Promise<void> {
    const { conditions, redis } = this.#cluster;
    const key = `${namespaceTag(`default:${zone}`)}job:${jobOfWireId(wire)}`;
    while (performance.now() - atMs < GIVEN_UP_AFTER_MS) {
      // It ended, was told to stop, or lost its socket again: nothing to be seen any more.
      if (!worker.running.has(wire) || worker.id !== session || !worker.client.isOpen) return;
      if (conditions.of("redis") !== "up") return;
      const [state, holder, newest] = await redis.hmget(key, "state", "session", "wire");
      if (newest !== wire || state === "ended") {
        this.counts.elsewhere += 1;
        return;
      }
      if (holder === session && (state === "running" || state === "starting")) {
        this.counts.adopted += 1;
        const nowMs = performance.now();
        const names = ["redis", ...this.#cluster.names("gateway")];
        const isCalm = names.every((name) => conditions.trouble(name, atMs, nowMs) === undefined);
        if (isCalm) this.#recoveries.note("worker came back", "adoption", nowMs - atMs);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}
