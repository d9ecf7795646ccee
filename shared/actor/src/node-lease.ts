/**
 * Owns this process's one lease as a node, and what its renewals teach: who else is live, that our own lease lapsed,
 * that Redis is no longer the one we knew. Redis TIME judges every lease; our clock only says when we can no longer be
 * sure of ours. Never decides what a lapse means: listeners do. Errors are retried for as long as it takes.
 */
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript } from "@muster/runtime/redis/script";
import { GENERATION_KEY, leasesKey, type NodeRole } from "./keys.js";
import { parseRenewal, RENEW_LEASE, type Renewal } from "./lease-renewal.js";
import { messageOf, within } from "./timing.js";

const DEFAULT_LEASE_MS = 3_000;
const DEFAULT_RENEW_EVERY_MS = 1_000;
/** A lease that ended is kept this long for who looks, and so that a node that comes back is told it lapsed. */
const DROP_AFTER_MS = 60_000;
const RETRY_MS = 250;
/** Behind a peer's expiry, when it is the next thing to happen. */
const AFTER_EXPIRY_MS = 5;
const RELEASE_LIMIT_MS = 1_000;

export interface NodeLeaseDeps {
  redis: RedisClient;
  /** Random per boot: `NO_…`. */
  nodeId: string;
  role: NodeRole;
  clock: Clock;
  log: Log;
  /** A random value, proposed where Redis has no generation yet or lost what it had confirmed. */
  newGeneration: () => string;
  leaseMs?: number;
  renewEveryMs?: number;
}

/** All are called synchronously, in this order when one renewal causes several. One that throws is logged. */
export interface LeaseListener {
  /** Others may have taken us for dead since; `gapMs` after the last good renewal. Once a gap. */
  onLapse?(gapMs: number): void;
  /** Redis was flushed or rolled back: facts that it had confirmed may be gone. */
  onGenerationChange?(known: string, current: string): void;
  /** The lease is held again after a lapse. */
  onRegain?(gapMs: number): void;
  /** Another set of live nodes, ourselves among them. */
  onChange?(liveNodes: readonly string[]): void;
}

export class NodeLease {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly counts = { renewals: 0, failures: 0, lapses: 0, generationChanges: 0 };
  readonly #deps: NodeLeaseDeps;
  readonly #leaseMs: number;
  readonly #renewEveryMs: number;
  readonly #listeners = new Set<LeaseListener>();
  #last: Renewal | undefined;
  /** When the last renewal that Redis confirmed was sent. */
  #renewedAtMs = 0;
  #hasLapsed = false;
  #liveNodes: readonly string[] = [];
  #isReleased = false;
  #cancelRenewal = (): void => {};
  #cancelLapse = (): void => {};
  #running: Promise<void> = Promise.resolve();
  #onFirstRenewal = (): void => {};

  constructor(deps: NodeLeaseDeps) {
    this.#deps = deps;
    this.nodeId = deps.nodeId;
    this.role = deps.role;
    this.#leaseMs = deps.leaseMs ?? DEFAULT_LEASE_MS;
    this.#renewEveryMs = deps.renewEveryMs ?? DEFAULT_RENEW_EVERY_MS;
  }

  /** Resolves when the lease is held for the first time, however long Redis takes. Call once. */
  start(): Promise<void> {
    const held = new Promise<void>((resolve) => {
      this.#onFirstRenewal = resolve;
    });
    this.#schedule(0);
    return held;
  }

  /** The returned function ends the subscription. */
  subscribe(listener: LeaseListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The live nodes of our role as of the last renewal, in the order of their ids; empty before the first. */
  liveNodes(): readonly string[] {
    return this.#liveNodes;
  }

  /** False from when we can no longer be sure that others take us for live, until the next good renewal. */
  isHeld(): boolean {
    return this.#last !== undefined && !this.#isReleased && this.#gapMs() < this.#leaseMs;
  }

  /** Names the life of Redis that we know; undefined before the first renewal. */
  generation(): string | undefined {
    return this.#last?.generation;
  }

  /**
   * Gives the lease up at once, so that nobody waits for its end; listeners then hear of the nodes that are left.
   * Never rejects: with Redis unreachable, the lease ends by itself.
   */
  async release(): Promise<void> {
    this.#isReleased = true;
    this.#cancelRenewal();
    this.#cancelLapse();
    const { clock, redis, log } = this.#deps;
    try {
      // A renewal under way would take the lease again behind us.
      await within(clock, RELEASE_LIMIT_MS, this.#running);
      await within(clock, RELEASE_LIMIT_MS, redis.zrem(leasesKey(this.role), this.nodeId));
    } catch (error) {
      log.warn({ error: messageOf(error) }, "node lease not released; it ends by itself");
    }
    this.#learnNodes(this.#liveNodes.filter((nodeId) => nodeId !== this.nodeId));
  }

  #schedule(delayMs: number): void {
    this.#cancelRenewal = this.#deps.clock.setTimer(delayMs, () => {
      this.#running = this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const { clock, log } = this.#deps;
    const sentAtMs = clock.now();
    let nextMs = RETRY_MS;
    try {
      const outcome = await within(clock, this.#leaseMs, this.#askRedis());
      if (outcome.late) throw new Error("no answer from Redis for as long as the lease runs");
      this.counts.renewals += 1;
      this.#learn(outcome.value, sentAtMs);
      nextMs = this.#nextRenewalMs(outcome.value, clock.now() - sentAtMs);
    } catch (error) {
      this.counts.failures += 1;
      log.warn({ error: messageOf(error) }, "node lease not renewed; trying again");
    }
    if (!this.#isReleased) this.#schedule(nextMs);
  }

  async #askRedis(): Promise<Renewal> {
    const known = this.#last;
    const reply = await runScript(
      this.#deps.redis,
      RENEW_LEASE,
      [leasesKey(this.role), GENERATION_KEY],
      [
        this.nodeId,
        this.#leaseMs,
        DROP_AFTER_MS,
        this.#deps.newGeneration(),
        known?.generation ?? "",
        known?.expiryMs ?? 0,
      ],
    );
    return parseRenewal(reply);
  }

  /** A peer that stops renewing is noticed when its lease ends, not at our next turn. */
  #nextRenewalMs(renewal: Renewal, tookMs: number): number {
    const regularMs = Math.max(0, this.#renewEveryMs - tookMs);
    const peers = renewal.leases.filter((lease) => lease.nodeId !== this.nodeId);
    const firstExpiryMs = Math.min(...peers.map((lease) => lease.expiryMs - renewal.nowMs));
    return Math.min(regularMs, firstExpiryMs + AFTER_EXPIRY_MS);
  }

  #learn(renewal: Renewal, sentAtMs: number): void {
    if (this.#isReleased) return;
    const known = this.#last;
    if (known !== undefined && (renewal.hadLapsed || this.#gapMs() >= this.#leaseMs)) this.#noteLapse();
    const gapMs = this.#gapMs();
    this.#last = renewal;
    this.#renewedAtMs = sentAtMs;
    this.#watchForLapse();
    if (known !== undefined && known.generation !== renewal.generation) {
      this.counts.generationChanges += 1;
      this.#tell((listener) => listener.onGenerationChange?.(known.generation, renewal.generation));
    }
    if (this.#hasLapsed && this.isHeld()) {
      this.#hasLapsed = false;
      this.#tell((listener) => listener.onRegain?.(gapMs));
    }
    this.#learnNodes(renewal.leases.map((lease) => lease.nodeId).sort());
    if (known === undefined) this.#onFirstRenewal();
  }

  #learnNodes(nodes: readonly string[]): void {
    const before = this.#liveNodes;
    if (nodes.length === before.length && nodes.every((node, index) => node === before[index])) return;
    this.#liveNodes = nodes;
    this.#tell((listener) => listener.onChange?.(nodes));
  }

  #watchForLapse(): void {
    this.#cancelLapse();
    const leftMs = Math.max(0, this.#leaseMs - this.#gapMs());
    this.#cancelLapse = this.#deps.clock.setTimer(leftMs, () => this.#noteLapse());
  }

  #noteLapse(): void {
    if (this.#hasLapsed || this.#isReleased) return;
    this.#hasLapsed = true;
    this.counts.lapses += 1;
    const gapMs = this.#gapMs();
    this.#tell((listener) => listener.onLapse?.(gapMs));
  }

  #gapMs(): number {
    return this.#deps.clock.now() - this.#renewedAtMs;
  }

  #tell(event: (listener: LeaseListener) => void): void {
    for (const listener of [...this.#listeners]) {
      try {
        event(listener);
      } catch (error) {
        this.#deps.log.error({ err: error }, "a listener of the node lease failed");
      }
    }
  }
}
