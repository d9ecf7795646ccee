/**
 * What is done when Redis is found to have forgotten (flushed, or rolled back by a restart or failover): it is counted,
 * said with how much is missing as far as we knew, and what we host is listed as due again, since the index may have
 * forgotten more than the ledger. Restoring what still runs is the gateways' part; what waited is gone with Redis.
 */

import type { DueIndex } from "@muster/actor/due-index";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { DispatcherMetrics } from "./metrics.js";

/** What a namespace held when its actor last looked. */
export interface Tally {
  jobs: number;
  sessions: number;
}

export interface GenerationDeps {
  ledger: Pick<Ledger, "listWaiting">;
  index: Pick<DueIndex, "markDue">;
  metrics: Pick<DispatcherMetrics, "generationChanged">;
  clock: Clock;
  log: Log;
  /** After this time the gateways have restored what they hold. */
  holdMs: number;
}

export class Generation {
  readonly #deps: GenerationDeps;
  readonly #tallies = new Map<string, Tally>();
  #cancel = (): void => {};

  constructor(deps: GenerationDeps) {
    this.#deps = deps;
  }

  note(namespace: string, tally: Tally): void {
    this.#tallies.set(namespace, tally);
  }

  forget(namespace: string): void {
    this.#tallies.delete(namespace);
  }

  changed(known: string, current: string): void {
    const { metrics, clock, log, holdMs } = this.#deps;
    const before = new Map(this.#tallies);
    metrics.generationChanged();
    log.error({ known, current, ...sumOf([...before.values()]) }, "Redis has forgotten what it held");
    const failed = (error: unknown) => log.warn({ err: error }, "what Redis forgot could not be looked at");
    this.#markDue([...before.keys()]).catch(failed);
    this.#cancel();
    this.#cancel = clock.setTimer(holdMs, () => void this.#compare(before).catch(failed));
  }

  stop(): void {
    this.#cancel();
  }

  async #markDue(namespaces: readonly string[]): Promise<void> {
    await Promise.all(namespaces.map((namespace) => this.#deps.index.markDue(namespace)));
  }

  async #compare(before: ReadonlyMap<string, Tally>): Promise<void> {
    const { ledger, log } = this.#deps;
    const lost = await Promise.all(
      [...before].map(async ([namespace, tally]) => {
        const now = await ledger.listWaiting({ namespace, first: 0, limit: 1, presenceMs: 0 });
        return {
          jobs: Math.max(0, tally.jobs - now.jobs),
          sessions: Math.max(0, tally.sessions - now.sessions),
        };
      }),
    );
    log.error({ lost: sumOf(lost) }, "what Redis forgot and nobody restored, of what this dispatcher hosts");
  }
}

function sumOf(tallies: readonly Tally[]): Tally & { namespaces: number } {
  const sum = { namespaces: tallies.length, jobs: 0, sessions: 0 };
  for (const { jobs, sessions } of tallies) {
    sum.jobs += jobs;
    sum.sessions += sessions;
  }
  return sum;
}
