/**
 * Whether anybody runs the agent without a name, which livekit-server sends to each room that names none. Somebody does while
 * such a worker is connected, and for as long after as a deployment takes that starts its workers anew. A worker is remembered
 * for much longer than that (KnownNamespaces), so that no order for it vanishes; but nobody ordered this one. Reads only.
 */

import { JOB_TYPES } from "@muster/domain/pool";
import type { Ledger } from "@muster/ledger/ledger";
import type { KnownNamespaces } from "../../known-namespaces.js";
import type { OrderPolicy } from "../../policy.js";

export interface UnnamedAgentDeps {
  ledger: Pick<Ledger, "seekWorkers">;
  known: Pick<KnownNamespaces, "of">;
  policy: Pick<OrderPolicy, "adoptUnnamed">;
  project: string;
}

/** So long after its last worker left, or came, an agent is taken to be started anew. */
const LATELY_MS = 10 * 60_000;

export class UnnamedAgent {
  readonly #deps: UnnamedAgentDeps;

  constructor(deps: UnnamedAgentDeps) {
    this.#deps = deps;
  }

  /** Whether dispatches for this deployment of it are to be taken over, by the setting and by its workers. Rejects when Redis cannot be asked. */
  async isRun(deployment: string): Promise<boolean> {
    const { ledger, known, policy, project } = this.#deps;
    if (policy.adoptUnnamed !== "known") return policy.adoptUnnamed === "always";
    const asked = { types: JOB_TYPES, agent: "", deployment: encodeURIComponent(deployment) };
    const { namespaces } = await known.of(project, "");
    const found = await Promise.all(
      namespaces.map((namespace) => ledger.seekWorkers({ namespace, ...asked, latelyMs: LATELY_MS })),
    );
    return found.some(({ status }) => status !== "none");
  }
}
