/**
 * Measures the pools of the namespaces that are hosted here, for the metrics by which workers are scaled and watched. No
 * reader waits for it and none asks Redis anything: while somebody reads the metrics it looks by itself, every 5 s at most,
 * and never for more than a tenth of the time. What a reader gets is of the namespaces that are hosted here at that moment:
 * of one that went to another dispatcher both would tell otherwise. Names of agents beyond a number are one, so that no label
 * grows. Never fails.
 */

import { poolOf } from "@muster/domain/pool";
import { addSizes, NO_TERMS, neededOf } from "@muster/domain/scaling";
import type { Ledger } from "@muster/ledger/ledger";
import { measurePool } from "@muster/ledger/pool-size";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { AgentPools, DispatcherMetrics } from "./metrics.js";

export interface PoolGaugesDeps {
  ledger: Pick<Ledger, "listPools" | "measurePool">;
  hosted(): readonly string[];
  metrics: Pick<DispatcherMetrics, "poolsMeasured">;
  clock: Clock;
  log: Log;
}

const EVERY_MS = 5_000;
const REST_SHARE = 10;
/** Whoever scrapes does so more often; when nobody did for so long, nobody reads. */
const READ_LATELY_MS = 120_000;
/** Of one namespace, those where a worker registered last. */
const MOST_POOLS = 64;
/** Looked at for agents that have work and never had a worker. */
const JOBS_AT_EACH_END = 64;
const AT_ONCE = 4;
/** Below the number at which the metrics themselves would fold a label, value by value instead of summed. */
const MOST_AGENTS = 40;
const OTHERS = "other";
/** Prometheus takes an empty label for none. */
const UNNAMED = "(unnamed)";

/** Of one pool, under the label of its agent. */
interface Figures {
  agent: string;
  pools: AgentPools;
}

export class PoolGauges {
  readonly #deps: PoolGaugesDeps;
  /** Those with a label of their own, for good: a label that changes its meaning would be worse than a crowded one. */
  readonly #named = new Set<string>();
  /** What was measured last, by namespace and label. */
  #measured: ReadonlyMap<string, readonly Figures[]> = new Map();
  #measuring: Promise<void> | undefined;
  #cancelNext: (() => void) | undefined;
  #readAtMs = 0;
  #measuredAtMs: number | undefined;
  #isStopped = false;

  constructor(deps: PoolGaugesDeps) {
    this.#deps = deps;
  }

  /** Somebody reads the metrics. Answers how old the figures are, in ms; undefined while there are none. */
  read(): number | undefined {
    const nowMs = this.#deps.clock.now();
    this.#readAtMs = nowMs;
    if (this.#cancelNext === undefined) this.#begin();
    if (this.#measuredAtMs === undefined) return undefined;
    this.#tell();
    return nowMs - this.#measuredAtMs;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelNext?.();
    await this.#measuring;
  }

  #begin(): void {
    if (this.#measuring !== undefined || this.#isStopped) return;
    this.#measuring = this.#measure().finally(() => {
      this.#measuring = undefined;
    });
  }

  async #measure(): Promise<void> {
    const { hosted, clock, log } = this.#deps;
    const beganAtMs = clock.now();
    const measured = new Map<string, Figures[]>();
    const namespaces = [...hosted()];
    const work = async () => {
      for (let name = namespaces.pop(); name !== undefined && !this.#isStopped; name = namespaces.pop())
        measured.set(name, await this.#measureNamespace(name));
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      this.#measured = measured;
      this.#measuredAtMs = beganAtMs;
    } catch (error) {
      log.warn({ err: error }, "pools could not be measured; the metrics say what was seen last");
    }
    this.#plan(beganAtMs);
  }

  #plan(beganAtMs: number): void {
    const { clock } = this.#deps;
    if (this.#isStopped) return;
    const tookMs = clock.now() - beganAtMs;
    const restMs = Math.max(EVERY_MS, REST_SHARE * tookMs) - tookMs;
    this.#cancelNext = clock.setTimer(restMs, () => {
      this.#cancelNext = undefined;
      if (clock.now() - this.#readAtMs < READ_LATELY_MS) this.#begin();
    });
  }

  async #measureNamespace(namespace: string): Promise<Figures[]> {
    const { ledger } = this.#deps;
    const { names } = await ledger.listPools({ namespace, limit: MOST_POOLS, ends: JOBS_AT_EACH_END });
    const figures: Figures[] = [];
    for (const name of names) {
      const size = await measurePool(ledger, namespace, name);
      const agent = this.#labelOf(poolOf(name).agentName);
      figures.push({ agent, pools: { ...size, workersNeeded: neededOf(size, NO_TERMS).workers } });
    }
    return figures;
  }

  #tell(): void {
    const { hosted, metrics } = this.#deps;
    const agents = new Map<string, AgentPools>();
    for (const namespace of hosted()) {
      for (const { agent, pools } of this.#measured.get(namespace) ?? []) {
        const before = agents.get(agent);
        agents.set(agent, before === undefined ? pools : addPools(before, pools));
      }
    }
    metrics.poolsMeasured(agents);
  }

  #labelOf(agentName: string): string {
    const name = agentName === "" ? UNNAMED : agentName;
    if (this.#named.size < MOST_AGENTS) this.#named.add(name);
    return this.#named.has(name) ? name : OTHERS;
  }
}

function addPools(a: AgentPools, b: AgentPools): AgentPools {
  return { ...addSizes(a, b), workersNeeded: a.workersNeeded + b.workersNeeded };
}
