/**
 * Begins drains and undoes them, in one namespace each, and says how far one is. The stored drain is the fact: whoever
 * registers, or says its load, follows it by itself, so that each worker is in line 2.5 s later at the latest, whoever
 * died here. The pages that follow only make it so at once. Repeatable; what is undone is offered work before the answer.
 */

import { type DrainTarget, MAX_DRAINS } from "@muster/domain/drain";
import { DispatchError } from "@muster/domain/errors";
import type { Ledger } from "@muster/ledger/ledger";
import type { StoredDrain } from "@muster/ledger/shapes";
import type { Log } from "@muster/runtime/log";
import { drainedPools, drainId, targetOf } from "./drain-target.js";
import type { Hints } from "./hints.js";
import type { ApiMetrics } from "./metrics.js";

export interface DrainsDeps {
  ledger: Pick<Ledger, "putDrain" | "deleteDrain" | "applyDrains" | "listDrains" | "measureDrain">;
  hints: Pick<Hints, "wake">;
  metrics: Pick<ApiMetrics, "drainChanged">;
  log: Log;
}

export interface DrainProgress {
  /** Workers that it covers and that are connected. */
  workers: number;
  /** Of these, those that it does not hold yet. */
  behind: number;
  /** Jobs that run there, or of which the worker was told to stop them. */
  jobs: number;
  /** Offers there that are not answered yet. */
  offers: number;
  /** Of a deployment: jobs whose worker's socket is away. */
  away: number;
}

/** However many workers there are, each script has Redis for a millisecond or two. */
const APPLIED_PER_CALL = 128;
const MEASURED_PER_CALL = 128;
/** Before the first page: at the newest. */
const NEWEST = -1;

export class Drains {
  readonly #deps: DrainsDeps;

  constructor(deps: DrainsDeps) {
    this.#deps = deps;
  }

  /**
   * The drain that then stands; one that stood before keeps its reason.
   * @throws DispatchError `not_found` (no such worker), `failed_precondition` (too many drains)
   */
  async begin(
    namespace: string,
    target: DrainTarget,
    reason: string,
  ): Promise<{ drain: StoredDrain; isNew: boolean }> {
    const { ledger, metrics, log } = this.#deps;
    const { kind, value } = target;
    const agent = target.kind === "deployment" ? target.agentName : "";
    const id = drainId(namespace, target);
    const facts = { drain: id, kind, value, agent, reason };
    const reply = await ledger.putDrain({ namespace, ...facts, maxCount: MAX_DRAINS });
    switch (reply.status) {
      case "unknown":
        throw new DispatchError("not_found", `there is no worker ${value}`, "target.worker");
      case "full":
        throw new DispatchError(
          "failed_precondition",
          `there are ${reply.count} drains, and a namespace has at most ${MAX_DRAINS}; undo one first`,
        );
      case "stored": {
        await this.#apply(namespace, target);
        if (reply.created === 1) {
          metrics.drainChanged("begun");
          log.info({ namespace, drain: id, kind }, "a drain was begun");
        }
        return { drain: JSON.parse(reply.text) as StoredDrain, isNew: reply.created === 1 };
      }
    }
  }

  /** Oldest first. */
  async list(namespace: string): Promise<StoredDrain[]> {
    const { texts } = await this.#deps.ledger.listDrains({ namespace });
    const drains = texts.map((text) => JSON.parse(text) as StoredDrain);
    return drains.sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
  }

  /** Counted page by page, so not of one moment where workers are many. undefined when there is none of that id. */
  async measure(
    namespace: string,
    id: string,
  ): Promise<{ drain: StoredDrain; progress: DrainProgress } | undefined> {
    const drain = (await this.list(namespace)).find((one) => one.id === id);
    if (drain === undefined) return undefined;
    const pools = drainedPools(targetOf(drain));
    const progress = { workers: 0, behind: 0, jobs: 0, offers: 0, away: 0 };
    for (let below = NEWEST; below !== 0; ) {
      const page = { namespace, drain: id, pools, below, limit: MEASURED_PER_CALL };
      const reply = await this.#deps.ledger.measureDrain(page);
      if (reply.status === "unknown") return undefined;
      progress.workers += reply.sessions;
      progress.behind += reply.behind;
      progress.jobs += reply.jobs;
      progress.offers += reply.offers;
      progress.away += reply.orphans;
      below = reply.next;
    }
    return { drain, progress };
  }

  /** False when there was none: never, or not any more. */
  async undo(namespace: string, id: string): Promise<boolean> {
    const { ledger, metrics, log } = this.#deps;
    const reply = await ledger.deleteDrain({ namespace, drain: id });
    // Also when it was gone: whoever undid it may not have come to the end.
    const target = reply.status === "deleted" ? targetOf(JSON.parse(reply.text) as StoredDrain) : undefined;
    await this.#apply(namespace, target);
    if (reply.status !== "deleted") return false;
    metrics.drainChanged("undone");
    log.info({ namespace, drain: id }, "a drain was undone");
    return true;
  }

  /** Brings in line whom it covers, or everybody, and has the pools served that got room by it. */
  async #apply(namespace: string, target: DrainTarget | undefined): Promise<void> {
    const { ledger, hints } = this.#deps;
    const only = target?.kind === "worker" ? target.value : "";
    for (let below = NEWEST; below !== 0; ) {
      const reply = await ledger.applyDrains({ namespace, only, below, limit: APPLIED_PER_CALL });
      for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });
      below = reply.next;
    }
  }
}
