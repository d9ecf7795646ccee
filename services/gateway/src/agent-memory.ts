/**
 * Owns that the directory knows which agents a namespace has, so that work for one waits when its last worker is gone, and which
 * namespaces of a project have workers, whose number is bounded. Remembers what it has written: ten thousand workers of one
 * agent cost one call an hour, not ten thousand.
 *
 * An agent is remembered for minutes at first, and for long once one of its workers stayed, or took a job. A namespace counts
 * while it has workers, and is said again every minute; a newcomer beyond the bound is refused unless work waits for it.
 */

import { DispatchError } from "@muster/domain/errors";
import { fieldOf, projectOf } from "@muster/domain/namespace";
import { BRIEF_MEMORY_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Registration, Session } from "./session.js";
import type { Sessions } from "./sessions.js";

const KEEP_MS = 30 * 24 * 3600 * 1000;
/** An agent that is remembered for long is written again after it. */
const REPEAT_MS = 3600 * 1000;
/** A worker that two looks in a row have seen has stayed. */
const LOOK_EVERY_MS = 60_000;
/** How long a namespace counts after it was last said; the other gateways say it too. */
const LIVE_MS = 3 * LOOK_EVERY_MS;
const MAX_KNOWN = 10_000;
/** In one call. */
const MOST_NAMES = 1000;

export interface AgentMemoryDeps {
  ledger: Pick<Ledger, "rememberAgent" | "outdateAgents" | "keepNamespaces" | "leaveNamespace" | "countUse">;
  sessions: Sessions;
  /** Namespaces of a project with workers, at most; 0 = no bound. */
  maxNamespaces: number;
  clock: Clock;
  log: Log;
}

type Agent = Pick<Registration, "namespace" | "agentName">;

interface Known {
  writtenAtMs: number;
  isForLong: boolean;
  written: Promise<unknown>;
}

export class AgentMemory {
  readonly #deps: AgentMemoryDeps;
  readonly #known = new Map<string, Known>();
  /** When the last worker of a namespace left this gateway: what was written before has to be written again. */
  readonly #leftAtMs = new Map<string, number>();
  #seen = new WeakSet<Session>();
  #cancelLook = (): void => {};

  constructor(deps: AgentMemoryDeps) {
    this.#deps = deps;
  }

  /** Keeps the agents and namespaces of the sessions that are here remembered. */
  start(): void {
    this.#cancelLook = this.#deps.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#look().catch((error: unknown) =>
        this.#deps.log.warn({ err: error }, "agents not remembered; trying again later"),
      );
      this.start();
    });
  }

  stop(): void {
    this.#cancelLook();
  }

  /** Forgets what it has written: the directory may have lost it. */
  forget(): void {
    this.#known.clear();
  }

  /**
   * A worker registers. Resolves once the directory has it. Rejects when Redis cannot be asked.
   * @throws DispatchError `too_many_namespaces`
   */
  async remember(agent: Agent): Promise<void> {
    const known = this.#known.get(nameOf(agent));
    if (known !== undefined && this.#isGood(known, agent)) await known.written;
    else await this.#note(agent, { isForLong: false, isThere: false });
  }

  /** One of its workers is gone. Where it was the last one here of its namespace, that is said. Returns at once. */
  left({ namespace }: Agent): void {
    const { sessions, ledger, clock, log } = this.#deps;
    if (sessions.has(namespace) || fieldOf(namespace) === "") return;
    if (this.#leftAtMs.size >= MAX_KNOWN) this.#leftAtMs.clear();
    this.#leftAtMs.set(namespace, clock.now());
    ledger
      .leaveNamespace({ project: projectOf(namespace), namespaceName: namespace, liveMs: LIVE_MS })
      .catch((error: unknown) =>
        log.debug({ err: error }, "orders go to a namespace without workers for some minutes more"),
      );
  }

  /** A worker of it took a job: the agent is remembered for long. Returns at once; a failure is made up for by the next look. */
  worked(agent: Agent): void {
    if (!this.#isWrittenForLong(agent)) {
      this.#note(agent, { isForLong: true, isThere: true }).catch((error: unknown) =>
        this.#deps.log.warn({ err: error }, "agents not remembered; trying again later"),
      );
    }
  }

  /** Whether it need not be written again: it is remembered for long and the namespace still counts, or it was written a moment ago. */
  #isGood({ writtenAtMs, isForLong }: Known, { namespace }: Agent): boolean {
    if (writtenAtMs <= (this.#leftAtMs.get(namespace) ?? 0)) return false;
    const ageMs = this.#deps.clock.now() - writtenAtMs;
    return ageMs < (isForLong && this.#deps.sessions.has(namespace) ? REPEAT_MS : LOOK_EVERY_MS);
  }

  #isWrittenForLong(agent: Agent): boolean {
    const known = this.#known.get(nameOf(agent));
    return known?.isForLong === true && this.#deps.clock.now() - known.writtenAtMs < REPEAT_MS;
  }

  async #note(agent: Agent, how: { isForLong: boolean; isThere: boolean }): Promise<void> {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const key = nameOf(agent);
    const written = this.#write(agent, how);
    const entry = { writtenAtMs: this.#deps.clock.now(), isForLong: how.isForLong, written };
    this.#known.set(key, entry);
    try {
      await written;
    } catch (error) {
      if (this.#known.get(key) === entry) this.#known.delete(key);
      throw error;
    }
  }

  /** Apis that remember who knew the agent before learn of the newcomer with their next order. */
  async #write({ namespace, agentName: agent }: Agent, how: { isForLong: boolean; isThere: boolean }) {
    const { ledger, maxNamespaces: most } = this.#deps;
    const args = {
      ...{ project: projectOf(namespace), agent, namespaceName: namespace, liveMs: LIVE_MS, most },
      keepMs: how.isForLong ? KEEP_MS : BRIEF_MEMORY_MS,
    };
    let reply = await ledger.rememberAgent({ ...args, must: how.isThere });
    if (reply.status === "refused") {
      await this.#requireUse(namespace, reply.live);
      reply = await ledger.rememberAgent({ ...args, must: true });
    }
    if (reply.status === "remembered" && reply.told !== "")
      await ledger.outdateAgents({ namespace: reply.told });
  }

  /** Work that waits for it, or a worker that another gateway has and has not said yet, lets a namespace in. */
  async #requireUse(namespace: string, live: number): Promise<void> {
    const { jobs, orders, sessions } = await this.#deps.ledger.countUse({ namespace });
    if (jobs + orders + sessions > 0) return;
    throw new DispatchError(
      "too_many_namespaces",
      // Its name last: a close reason is cut, and its worker knows it.
      `${live} namespaces have workers, or had within 3 min; use one, or raise MUSTER_MAX_NAMESPACES; new is ${fieldOf(namespace)}`,
      "register.namespace",
    );
  }

  async #look(): Promise<void> {
    const { sessions } = this.#deps;
    const seen = new WeakSet<Session>();
    const agents = new Map<string, { agent: Agent; isForLong: boolean }>();
    for (const namespace of sessions.namespaces()) {
      for (const session of sessions.of(namespace)) {
        seen.add(session);
        const { registration: agent } = session;
        if (agent === undefined) continue;
        const isForLong = this.#seen.has(session) || agents.get(nameOf(agent))?.isForLong === true;
        agents.set(nameOf(agent), { agent, isForLong });
      }
    }
    this.#seen = seen;
    await this.#keepNamespaces();
    for (const { agent, isForLong } of agents.values()) {
      // Of those that came since the last look, their registration has written it.
      const isDone = isForLong ? this.#isWrittenForLong(agent) : this.#known.has(nameOf(agent));
      if (!isDone) await this.#note(agent, { isForLong, isThere: true });
    }
  }

  async #keepNamespaces(): Promise<void> {
    const byProject = new Map<string, string[]>();
    for (const namespace of this.#deps.sessions.namespaces()) {
      if (fieldOf(namespace) === "") continue;
      const project = projectOf(namespace);
      byProject.set(project, [...(byProject.get(project) ?? []), namespace]);
    }
    for (const [project, all] of byProject) {
      for (let from = 0; from < all.length; from += MOST_NAMES) {
        const names = all.slice(from, from + MOST_NAMES);
        await this.#deps.ledger.keepNamespaces({ project, names, liveMs: LIVE_MS });
      }
    }
  }
}

function nameOf({ namespace, agentName }: Agent): string {
  return `${namespace} ${agentName}`;
}
