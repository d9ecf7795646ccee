/**
 * Owns which sessions this gateway has: all open sockets, and the registered ones by namespace. In memory only; the
 * ledger is told by others.
 */

import type { GatewayPopulation } from "./gateway-metrics.js";
import type { Session } from "./session.js";

export class Sessions {
  readonly #open = new Map<string, Session>();
  readonly #byNamespace = new Map<string, Map<string, Session>>();

  get size(): number {
    return this.#open.size;
  }

  opened(session: Session): void {
    this.#open.set(session.id, session);
  }

  registered(namespace: string, session: Session): void {
    const known = this.#byNamespace.get(namespace) ?? new Map<string, Session>();
    this.#byNamespace.set(namespace, known.set(session.id, session));
  }

  closed(session: Session): void {
    this.#open.delete(session.id);
    const namespace = session.registration?.namespace;
    const known = namespace === undefined ? undefined : this.#byNamespace.get(namespace);
    if (namespace === undefined || known === undefined) return;
    known.delete(session.id);
    if (known.size === 0) this.#byNamespace.delete(namespace);
  }

  all(): Session[] {
    return [...this.#open.values()];
  }

  /** Not to be kept: it changes as sessions come and go. */
  open(): Iterable<Session> {
    return this.#open.values();
  }

  find(id: string): Session | undefined {
    return this.#open.get(id);
  }

  /** Those with a registered session here, and only those. */
  namespaces(): string[] {
    return [...this.#byNamespace.keys()];
  }

  /** How many say that they take jobs and that they do not, and the jobs that they hold. Looks at each. */
  population(): GatewayPopulation {
    const counts = { available: 0, full: 0, jobs: 0 };
    for (const sessions of this.#byNamespace.values()) {
      for (const { worker, held } of sessions.values()) {
        counts[worker.status] += 1;
        counts.jobs += held.size;
      }
    }
    return counts;
  }

  has(namespace: string): boolean {
    return this.#byNamespace.has(namespace);
  }

  /** The registered sessions of a namespace. */
  of(namespace: string): Session[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }
}
