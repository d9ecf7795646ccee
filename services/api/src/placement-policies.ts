/**
 * How the jobs of a namespace are placed, as its operators set it: for one agent, or for all that have no policy of their
 * own. Set, it holds for every claim that follows; then sessions are put where they now belong, page by page. Died between
 * two pages: the others follow with their next samples.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Ledger } from "@muster/ledger/ledger";
import type { PlacementPolicy } from "@muster/ledger/shapes";
import type { Hints } from "./hints.js";

export interface PlacementPoliciesDeps {
  ledger: Pick<Ledger, "setPlacement" | "readPlacement" | "placeSessions">;
  hints: Pick<Hints, "wake">;
}

export interface SetPolicy {
  /** undefined: for the whole namespace. */
  agent: string | undefined;
  policy: PlacementPolicy;
}

/** Of one namespace. */
const MOST_POLICIES = 1_000;
/** Sessions put in place by one script, about. */
const SESSIONS_PER_CALL = 256;
const AGENT = "agent:";

export class PlacementPolicies {
  readonly #deps: PlacementPoliciesDeps;

  constructor(deps: PlacementPoliciesDeps) {
    this.#deps = deps;
  }

  /** The namespace's own first, if it has one, then by agent. */
  async list(namespace: string): Promise<SetPolicy[]> {
    const { policies } = await this.#deps.ledger.readPlacement({ namespace });
    const set = Object.entries(policies).map(([field, text]) => ({
      agent: field.startsWith(AGENT) ? decodeURIComponent(field.slice(AGENT.length)) : undefined,
      policy: JSON.parse(text) as PlacementPolicy,
    }));
    return set.sort((a, b) => ((a.agent ?? "") < (b.agent ?? "") || a.agent === undefined ? -1 : 1));
  }

  /** `policy` undefined: none any more. True when there was one. @throws DispatchError `invalid_argument` */
  async set(
    namespace: string,
    agent: string | undefined,
    policy: PlacementPolicy | undefined,
  ): Promise<boolean> {
    const { ledger } = this.#deps;
    const field = agent === undefined ? "namespace" : AGENT + encodeURIComponent(agent);
    const text = policy === undefined ? "" : JSON.stringify(policy);
    const reply = await ledger.setPlacement({ namespace, field, policy: text, maxCount: MOST_POLICIES });
    if (reply.status === "full") {
      const problem = `${reply.count} agents have a placement policy already; take some back, or set one for all`;
      throw new DispatchError("invalid_argument", problem, "agent_name");
    }
    await this.#putInPlace(namespace);
    return reply.hadOne === 1;
  }

  async #putInPlace(namespace: string): Promise<void> {
    const { ledger, hints } = this.#deps;
    const serve = new Set<string>();
    let cursor = "0";
    do {
      const page = await ledger.placeSessions({ namespace, cursor, limit: SESSIONS_PER_CALL });
      for (const pool of page.serve) serve.add(pool);
      cursor = page.next;
    } while (cursor !== "0");
    for (const pool of serve) hints.wake(namespace, { kind: "serve", pool });
  }
}
