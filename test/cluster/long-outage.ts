/**
 * Owns what the tests of a long outage share: a cluster with the times that Muster ships with, workers that dial as the
 * SDKs do, one room for each order, and the wait that asks all the while whether anything was begun a second time.
 */
import { expect } from "vitest";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import type { Hash } from "../../shared/ledger/test/snapshot.js";
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { Cluster } from "./harness.js";
import { PRODUCTION, SDK_REDIAL_MS } from "./production-times.js";
import { NODE, PYTHON } from "./workers.js";

export const OUTAGE_MS = 20_000;
/** For processes that start on a machine which all of this shares. */
const SLACK_MS = 8_000;

export type WorkerKind = "python" | "node";

export class LongOutage {
  readonly cluster: Cluster;
  readonly #workers: SimulatedWorker[] = [];

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async prepare(zones: readonly string[]): Promise<LongOutage> {
    return new LongOutage(await Cluster.start({ zones, env: PRODUCTION }));
  }

  /** Each kind in each zone is an agent of its own. */
  async worker(kind: WorkerKind, zone: string): Promise<SimulatedWorker> {
    const worker = await this.cluster.worker({
      ...(kind === "python" ? PYTHON : NODE),
      agent: `${kind}-${zone}`,
      name: `${kind}-${zone}-${this.#workers.length}`,
      zone,
      redialMs: SDK_REDIAL_MS[kind],
    });
    this.#workers.push(worker);
    return worker;
  }

  async order(kind: WorkerKind, zone: string, name: string): Promise<void> {
    await this.cluster.submit({ room: `${kind}-${zone}-${name}`, agent: `${kind}-${zone}` });
  }

  /** The rooms that were assigned, once for each assignment. */
  rooms(name = ""): string[] {
    const all = this.#workers.flatMap(({ assigned }) => assigned.map(({ room }) => room));
    return all.filter((room) => room.endsWith(name));
  }

  async job(zone: string, id: string): Promise<Hash> {
    return await this.cluster.redis.hgetall(`${this.tag(zone)}job:${id}`);
  }

  tag(zone: string): string {
    return namespaceTag(`default:${zone}`);
  }

  /** From `sinceMs` for so long; at a deadline that nothing else decides. */
  async pass(description: string, sinceMs: number, lastsMs: number): Promise<void> {
    const isOver = () => performance.now() - sinceMs >= lastsMs;
    await this.until(description, isOver, lastsMs + SLACK_MS);
  }

  /** With all that must hold all the while: no room has a second assignment, and no job a second execution. */
  async until(description: string, check: () => boolean | Promise<boolean>, deadlineMs = SLACK_MS) {
    const { cluster } = this;
    const invariant = async () => {
      await cluster.look();
      cluster.invariants.assert();
      const assigned = this.rooms();
      expect(assigned).toHaveLength(new Set(assigned).size);
      expect(cluster.witness.overlaps).toEqual([]);
    };
    await waitUntil(description, check, { everyMs: 100, deadlineMs, invariant });
  }
}
