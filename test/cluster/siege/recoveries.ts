/**
 * Owns how soon things work again. After a fault, canaries are ordered: dispatches in every namespace, whose workers
 * have room and sit on all gateways; recovery is when the last of them has been assigned.
 */
import { waitUntil } from "../../kit/wait-until.js";
import { BOUNDS, type BoundName } from "../timing.js";
import type { Orders } from "./orders.js";

export interface Recovery {
  readonly kind: string;
  readonly bound: BoundName;
  count: number;
  worstMs: number;
}

const CANARIES = 3;
const GIVEN_UP_AFTER_MS = 30_000;

export class Recoveries {
  readonly byKind = new Map<string, Recovery>();
  readonly violations: string[] = [];
  readonly #orders: Orders;
  readonly #zones: readonly string[];
  readonly #startedAtMs = new Map<string, number>();

  constructor(deps: { orders: Orders; zones: readonly string[] }) {
    this.#orders = deps.orders;
    this.#zones = deps.zones;
  }

  /** A canary was assigned, in that room. */
  started(room: string): void {
    this.#startedAtMs.set(room, performance.now());
  }

  /** From `sinceMs` until canaries that are ordered now are assigned. */
  async measure(kind: string, bound: BoundName, sinceMs: number): Promise<void> {
    const rooms = await Promise.all(
      this.#zones.flatMap((zone) => Array.from({ length: CANARIES }, () => this.#orders.canary(zone))),
    ).then((orders) => orders.map((order) => this.#orders.accepted.get(order)?.room ?? ""));
    await waitUntil(
      `canaries are assigned after ${kind}`,
      () => rooms.every((room) => this.#startedAtMs.has(room)),
      { deadlineMs: GIVEN_UP_AFTER_MS },
    ).catch(() => {
      // Noted below as a recovery that took for ever.
    });
    const tookMs = Math.max(
      ...rooms.map((room) => (this.#startedAtMs.get(room) ?? Number.POSITIVE_INFINITY) - sinceMs),
    );
    this.note(kind, bound, tookMs);
  }

  note(kind: string, bound: BoundName, tookMs: number): void {
    const known = this.byKind.get(kind) ?? { kind, bound, count: 0, worstMs: 0 };
    known.count += 1;
    known.worstMs = Math.max(known.worstMs, tookMs);
    this.byKind.set(kind, known);
    const { scaledMs } = BOUNDS[bound];
    if (tookMs > scaledMs) {
      this.violations.push(`${kind}: recovered after ${Math.round(tookMs)} ms; the bound is ${scaledMs} ms`);
    }
  }
}
