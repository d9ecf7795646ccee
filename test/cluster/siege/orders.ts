/**
 * Owns what is ordered in a siege, at a steady rate whatever happens, and the account at the end: everything that was
 * accepted has ended, with a reason that its agent allows, or it is named.
 */

import type { Cluster } from "../harness.js";
import type { JobFate } from "../invariants.js";
import { type AgentKind, agentOf } from "./agents.js";
import type { SiegePlan } from "./plan.js";
import type { Random } from "./random.js";

interface Accepted {
  readonly kind: AgentKind;
  readonly room: string;
  isDeleted: boolean;
}

export interface OrdersDeps {
  cluster: Cluster;
  plan: SiegePlan;
  random: Random;
}

const NODE_SHARE = 0.12;
/** Deleted at some moment of their lives. */
const DELETED_SHARE = 0.04;
/** A room closes, and its order is deleted: what ends the jobs of agents that never report. */
const ROOM_MS = [1_500, 6_000] as const;

export class Orders {
  readonly accepted = new Map<string, Accepted>();
  readonly unanswered: string[] = [];
  readonly #deps: OrdersDeps;
  readonly #underWay = new Set<Promise<void>>();
  #number = 0;
  #ticker: NodeJS.Timeout | undefined;

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { plan, random } = this.#deps;
    this.#ticker = setInterval(() => {
      const kind = random.chance(NODE_SHARE) ? "node" : "python";
      this.#track(this.#live(kind, random.pick(plan.zones)));
    }, 1_000 / plan.ordersPerSecond);
  }

  /** No more orders; resolves when every call has been answered and every room has closed. */
  async settle(): Promise<void> {
    clearInterval(this.#ticker);
    await Promise.all(this.#underWay);
  }

  async canary(zone: string): Promise<string> {
    return await this.#create("canary", zone);
  }

  /** What is wrong with how they ended; empty when all is accounted for. */
  problems(fates: ReadonlyMap<string, JobFate>, succeeded: ReadonlySet<string>): string[] {
    const byOrder = new Map<string, [string, JobFate][]>();
    for (const [id, fate] of fates) byOrder.set(fate.order, [...(byOrder.get(fate.order) ?? []), [id, fate]]);
    const found: string[] = [];
    for (const [order, accepted] of this.accepted) {
      const jobs = byOrder.get(order) ?? [];
      if (jobs.length !== 1) found.push(`${order} (${accepted.room}) has ${jobs.length} jobs, not 1`);
      for (const [id, fate] of jobs) {
        const problem = problemOf(fate, accepted, succeeded.has(id));
        if (problem !== undefined) found.push(`${id} of ${order} (${accepted.room}): ${problem}`);
      }
    }
    return found;
  }

  async #live(kind: AgentKind, zone: string): Promise<void> {
    const { random } = this.#deps;
    const roomMs = random.between(...ROOM_MS);
    const isDeleted = kind === "node" || random.chance(DELETED_SHARE);
    const order = await this.#create(kind, zone).catch((error: unknown) => {
      this.unanswered.push(String(error));
      return undefined;
    });
    const accepted = this.accepted.get(order ?? "");
    if (order === undefined || accepted === undefined || !isDeleted) return;
    await new Promise((resolve) => setTimeout(resolve, roomMs));
    accepted.isDeleted = true;
    await this.#deps.cluster.dispatches.remove(order, accepted.room);
  }

  async #create(kind: AgentKind, zone: string): Promise<string> {
    const room = `${kind}-${zone}-${this.#number++}`;
    const order = await this.#deps.cluster.submit({ room, agent: agentOf(kind, zone) });
    this.accepted.set(order, { kind, room, isDeleted: false });
    return order;
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error: unknown) => void this.unanswered.push(String(error)));
    const done = tracked.finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }
}

function problemOf({ state, outcome, cause }: JobFate, accepted: Accepted, hasSucceeded: boolean) {
  if (state !== "ended") return `is ${state} and has not ended`;
  if (outcome === "" || cause === "") return "ended without a reason";
  if (outcome === "canceled" && !accepted.isDeleted)
    return `was canceled (${cause}), and nobody asked for that`;
  if (outcome === "success" && cause === "reported" && !hasSucceeded)
    return "ended as success, and no worker finished it";
  // Who reports is never given up for unknown: its jobs are resumed, or it says how they ended.
  if (outcome === "unknown" && accepted.kind !== "node") return `ended as unknown (${cause})`;
  if (outcome === "expired") return `expired (${cause}) though it may wait for an hour`;
  return undefined;
}
