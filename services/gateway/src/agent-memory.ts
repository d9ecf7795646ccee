/**
 * Owns that the directory knows which agents a namespace has, so that work for one waits when its last worker is gone.
 * Remembers what it has written: ten thousand workers of one agent cost one call an hour, not ten thousand.
 */

import { projectOf } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Registration } from "./session.js";
import type { Sessions } from "./sessions.js";

const KEEP_MS = 30 * 24 * 3600 * 1000;
const REPEAT_MS = 3600 * 1000;
/** Half of REPEAT_MS, so that no agent with a worker is forgotten however old its last write is. */
const LOOK_EVERY_MS = REPEAT_MS / 2;
const MAX_KNOWN = 10_000;

export interface AgentMemoryDeps {
  ledger: Ledger;
  sessions: Sessions;
  clock: Clock;
  log: Log;
}

interface Known {
  writtenAtMs: number;
  written: Promise<unknown>;
}

export class AgentMemory {
  readonly #deps: AgentMemoryDeps;
  readonly #known = new Map<string, Known>();
  #cancelLook = (): void => {};

  constructor(deps: AgentMemoryDeps) {
    this.#deps = deps;
  }

  /** Keeps the agents of long-lived sessions remembered. */
  start(): void {
    this.#cancelLook = this.#deps.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#rememberAll().catch((error: unknown) =>
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

  /** Resolves once the directory has it. Rejects when Redis cannot be asked. */
  async remember({ namespace, agentName }: Pick<Registration, "namespace" | "agentName">): Promise<void> {
    const { clock } = this.#deps;
    const key = `${namespace} ${agentName}`;
    const known = this.#known.get(key);
    if (known !== undefined && clock.now() - known.writtenAtMs < REPEAT_MS) {
      await known.written;
      return;
    }
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const project = projectOf(namespace);
    const written = this.#write(project, namespace, agentName);
    const entry = { writtenAtMs: clock.now(), written };
    this.#known.set(key, entry);
    try {
      await written;
    } catch (error) {
      if (this.#known.get(key) === entry) this.#known.delete(key);
      throw error;
    }
  }

  /** Apis that remember who knew the agent before learn of the newcomer with their next order. */
  async #write(project: string, namespace: string, agent: string): Promise<void> {
    const { ledger } = this.#deps;
    const { told } = await ledger.rememberAgent({
      project,
      agent,
      namespaceName: namespace,
      keepMs: KEEP_MS,
    });
    if (told !== "") await ledger.outdateAgents({ namespace: told });
  }

  async #rememberAll(): Promise<void> {
    const { sessions } = this.#deps;
    for (const namespace of sessions.namespaces()) {
      for (const { registration } of sessions.of(namespace)) {
        if (registration !== undefined) await this.remember(registration);
      }
    }
  }
}
