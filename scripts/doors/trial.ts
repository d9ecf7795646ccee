/**
 * Owns one trial: honest traffic in quiet, then the same while something is done to the doors, and what differs. Which
 * differences are too much is in verdict.ts.
 */

import { letPass } from "../../test/sizing/house.js";
import type { Attack, Findings } from "./attack.js";
import type { AttackerProcess } from "./attacker-process.js";
import { HonestTraffic, type TrafficFigures } from "./honest/traffic.js";
import { type House, type Part, startHouse } from "./house.js";
import type { Settings } from "./options.js";
import { keysIn, kindOf, tracesIn } from "./traces.js";

export interface Trial {
  readonly name: string;
  readonly before: TrafficFigures;
  readonly during: TrafficFigures;
  readonly findings: Findings;
  readonly peaks: Readonly<Record<Part, number>>;
  /** Of the logs of all services. */
  readonly loggedKiBPerS: number;
  readonly fallen: readonly string[];
  /** Lines that say that something is broken in Muster itself. */
  readonly bugs: readonly string[];
  readonly keys: number;
  /** Keys that are not honest ones'; of what must be refused alone. */
  readonly traces: readonly string[];
}

const WARM_UP_S = 2;

/** An attack or a fuzzer, by what a trial must know of it. */
export type Tried = Pick<Attack, "name" | "about" | "leaves" | "spoils" | "leastSeconds">;

/** Houses are used again while nothing is left in them. */
export class Trials {
  readonly #settings: Settings;
  readonly #attacker: AttackerProcess;
  #stage: Stage | undefined;

  constructor(settings: Settings, attacker: AttackerProcess) {
    this.#settings = settings;
    this.#attacker = attacker;
  }

  async run(tried: Tried, inputs: number, onProgress: (text: string) => void): Promise<Trial> {
    const { SEED: seed, PERCENT: percent } = this.#settings;
    const seconds = Math.max(this.#settings.SECONDS, tried.leastSeconds ?? 0);
    this.#stage ??= await startStage(this.#settings);
    const { house, traffic, before, kinds } = this.#stage;
    const [loggedBefore, bugsBefore] = [house.logged(), house.bugs().length];
    house.takePeaks();
    traffic.begin();
    const startedAtMs = performance.now();
    const task = {
      name: tried.name,
      gateway: house.gateway.url,
      api: house.api.url,
      seed,
      seconds,
      percent,
      inputs,
    };
    const findings = await this.#attacker.perform(task, onProgress);
    // What is over at once is still measured among as many honest orders as a window needs.
    await letPass(startedAtMs + 500 * seconds - performance.now());
    const tookS = (performance.now() - startedAtMs) / 1_000;
    const during = await traffic.end();
    const trial = {
      ...{ name: tried.name, before, during, findings },
      peaks: house.takePeaks(),
      loggedKiBPerS: (house.logged() - loggedBefore) / 1_024 / tookS,
      fallen: [...house.fallen].map(([part, how]) => `${part} ${how}`),
      bugs: house.bugs().slice(bugsBefore),
      keys: (await keysIn(house.redis)).length,
      traces: tried.leaves === "refused" ? await tracesIn(house.redis, kinds) : [],
    };
    if (tried.spoils || house.fallen.size > 0) await this.stop();
    return trial;
  }

  async stop(): Promise<void> {
    const stage = this.#stage;
    this.#stage = undefined;
    await stage?.traffic.stop().catch(() => undefined);
    await stage?.house.stop();
  }
}

interface Stage {
  readonly house: House;
  readonly traffic: HonestTraffic;
  readonly before: TrafficFigures;
  readonly kinds: ReadonlySet<string>;
}

async function startStage({ RATE, SECONDS }: Settings): Promise<Stage> {
  const house = await startHouse();
  const traffic = await HonestTraffic.start(house, RATE);
  await quiet(traffic, WARM_UP_S);
  const before = await quiet(traffic, SECONDS);
  return { house, traffic, before, kinds: new Set((await keysIn(house.redis)).map(kindOf)) };
}

async function quiet(traffic: HonestTraffic, seconds: number): Promise<TrafficFigures> {
  traffic.begin();
  await letPass(1_000 * seconds);
  return await traffic.end();
}
