/**
 * Who may have an agent WebSocket: the three spellings of the path, the 503 of a gateway that is leaving, and the
 * caller's `authorize`, whose failure is a 500 and never an unhandled rejection. Decides; the transports act on it.
 */
import type { TransportDeps, UpgradeDecision, UpgradeRequest } from "./transport.js";

/** SDKs append "agent" to a base url, with or without its slash; livekit-server answers "//agent" too. */
export const AGENT_PATHS = ["/agent", "//agent", "/agent/"] as const;

const LEAVING = {
  accept: false,
  status: 503,
  reason: "this gateway is shutting down, connect again",
} as const;
const FAILED = { accept: false, status: 500, reason: "internal error" } as const;

export class Admission<C> {
  readonly #deps: Pick<TransportDeps<C>, "authorize" | "log">;
  #open = true;

  constructor(deps: Pick<TransportDeps<C>, "authorize" | "log">) {
    this.#deps = deps;
  }

  stop(): void {
    this.#open = false;
  }

  /** Answers at once when `authorize` does, so that the usual upgrade waits for nothing. */
  decide(request: UpgradeRequest): UpgradeDecision<C> | Promise<UpgradeDecision<C>> {
    if (!this.#open) return LEAVING;
    try {
      const decision = this.#deps.authorize(request);
      return decision instanceof Promise ? this.#settled(decision) : decision;
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #settled(pending: Promise<UpgradeDecision<C>>): Promise<UpgradeDecision<C>> {
    try {
      const decision = await pending;
      return this.#open ? decision : LEAVING;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): UpgradeDecision<C> {
    this.#deps.log.error({ err: error }, "authorizing an agent failed");
    return FAILED;
  }
}

export function isAgentPath(path: string): boolean {
  return (AGENT_PATHS as readonly string[]).includes(path);
}
