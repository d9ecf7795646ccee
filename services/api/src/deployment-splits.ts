/**
 * How the jobs of an agent whose orders name no deployment are divided between two of it, as its operators set it. In force
 * with the next claim, ramped by the ledger's clock and rolled back by the ledger's scripts; nothing here runs between calls.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Ledger } from "@muster/ledger/ledger";
import type { DeploymentSplit, SplitCounts, SplitRecord } from "@muster/ledger/shapes";

export interface DeploymentSplitsDeps {
  ledger: Pick<Ledger, "setSplit" | "readSplits">;
}

export type AskedSplit = Omit<DeploymentSplit, "short_jobs"> & { short_jobs: "bad" | "ignored" };

export interface SplitView {
  agent: string;
  /** With the names of deployments as their workers give them. */
  split: AskedSplit;
  state: "ramping" | "done" | "rolled_back";
  startedAtMs: number;
  /** When the last step is or was reached; or when it was rolled back. */
  changedAtMs: number;
  percent: number;
  counts: { stable: SplitCounts; candidate: SplitCounts; lately: Omit<SplitCounts, "jobs"> };
  rolledBack: { badJobs: number; countedJobs: number; why: string } | undefined;
}

/** Of one namespace. */
const MOST_SPLITS = 100;

export class DeploymentSplits {
  readonly #deps: DeploymentSplitsDeps;

  constructor(deps: DeploymentSplitsDeps) {
    this.#deps = deps;
  }

  /** Of all agents, by name; or of one. */
  async list(namespace: string, agent?: string): Promise<SplitView[]> {
    const { splits } = await this.#deps.ledger.readSplits({ namespace });
    // Redis writes an empty list as {}.
    const views = Object.values(splits).map(viewOf);
    const asked = views.filter((view) => agent === undefined || view.agent === agent);
    return asked.sort((a, b) => (a.agent < b.agent ? -1 : 1));
  }

  /** From now on, in the place of the one before. @throws DispatchError `invalid_argument` */
  async put(namespace: string, agent: string, split: AskedSplit): Promise<SplitView> {
    const { short_jobs, ...rest } = split;
    // As before where nothing is asked for: the same split set again is the same.
    const named = {
      ...rest,
      ...(short_jobs === "bad" && { short_jobs }),
      stable: encodeURIComponent(split.stable),
      candidate: encodeURIComponent(split.candidate),
    };
    const reply = await this.#set(namespace, agent, JSON.stringify(named));
    if (reply.status === "full") {
      const problem = `${reply.count} agents have a deployment split already; take back those that are done`;
      throw new DispatchError("invalid_argument", problem, "agent_name");
    }
    const [set] = await this.list(namespace, agent);
    if (set === undefined) throw new DispatchError("unavailable", "it was taken back again meanwhile");
    return set;
  }

  /** True when there was one. */
  async remove(namespace: string, agent: string): Promise<boolean> {
    const reply = await this.#set(namespace, agent, "");
    return reply.status === "set" && reply.hadOne === 1;
  }

  #set(namespace: string, agent: string, split: string) {
    const { ledger } = this.#deps;
    return ledger.setSplit({ namespace, agent: encodeURIComponent(agent), split, maxCount: MOST_SPLITS });
  }
}

function viewOf(record: SplitRecord): SplitView {
  const {
    steps,
    rollback,
    short_jobs = "ignored",
    started_at,
    rolled_back_at,
    bad_jobs,
    counted_jobs,
    why,
  } = record.split;
  const reachedAtMs = started_at + (steps.at(-1)?.after_ms ?? 0);
  const isRolledBack = rolled_back_at !== undefined;
  return {
    agent: decodeURIComponent(record.agent),
    split: {
      stable: decodeURIComponent(record.split.stable),
      candidate: decodeURIComponent(record.split.candidate),
      ...{ steps, rollback, short_jobs },
    },
    state: isRolledBack ? "rolled_back" : record.at >= reachedAtMs ? "done" : "ramping",
    startedAtMs: started_at,
    changedAtMs: rolled_back_at ?? reachedAtMs,
    percent: record.percent,
    counts: {
      ...{ stable: record.stable, candidate: record.candidate },
      lately: { good: record.lately_good, bad: record.lately_bad },
    },
    rolledBack: isRolledBack
      ? { badJobs: bad_jobs ?? 0, countedJobs: counted_jobs ?? 0, why: why ?? "" }
      : undefined,
  };
}
