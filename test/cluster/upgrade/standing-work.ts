/**
 * Owns work that one version begins and the other must finish: a job that waits for a worker who comes later, an order on
 * hold, and one whose only workers are drained. Begun with all services of one version, let go with all of the other; in
 * between nobody may touch it, and at the end it must have been done.
 */
import type { SimulatedWorker } from "../../kit/simulated-worker.js";
import { waitUntil } from "../../kit/wait-until.js";
import type { Cluster } from "../harness.js";
import { callRest } from "./rest-calls.js";

/** As its agent is called. */
type Waits = "late" | "held" | "drained";

interface Begun {
  readonly what: Waits;
  readonly job: string;
  /** What is undone to let it go. */
  readonly id: string;
}

const JOB_MS = 50;
const DONE_WITHIN_MS = 20_000;
const DEPLOYMENT = "blue";

export class StandingWork {
  /** What is wrong with it; complete once it was let go. */
  readonly problems: string[] = [];
  readonly #cluster: Cluster;
  readonly #zone: string;
  readonly #round: string;
  readonly #begun: Begun[] = [];
  readonly #workers: SimulatedWorker[] = [];

  /** `round` tells its agents and rooms from those of another. */
  constructor(cluster: Cluster, zone: string, round: string) {
    this.#cluster = cluster;
    this.#zone = zone;
    this.#round = round;
  }

  async begin(): Promise<void> {
    await this.#begin("late", async (order) => order);
    await this.#work("held");
    await this.#begin("held", async (order) => order, { hold: true });
    await this.#work("drained");
    const target = { kind: "deployment", agent_name: this.#agent("drained"), deployment: DEPLOYMENT };
    const drain = await this.#call("POST", "/v1/drains", { target, namespace: this.#zone });
    await this.#begin("drained", async () => drain.id);
  }

  /** Resolves when all of it is done, or had the time for that. */
  async letGo(): Promise<void> {
    const { witness, invariants } = this.#cluster;
    for (const { what, job } of this.#begun)
      if (witness.started.has(job)) this.#note(what, job, "was given to a worker before it was let go");
    for (const { what, id } of this.#begun) {
      if (what === "late") await this.#work("late");
      if (what === "held") await this.#call("POST", `/v1/orders/${id}/release`);
      if (what === "drained") await this.#call("DELETE", `/v1/drains/${id}?namespace=${this.#zone}`);
    }
    const isOver = ({ job }: Begun) =>
      witness.succeeded.has(job) || invariants.fates.get(job)?.state === "ended";
    const areOver = () => this.#begun.every(isOver);
    await waitUntil("what was begun is done", areOver, { deadlineMs: DONE_WITHIN_MS }).catch(() => {
      // Said below, of each.
    });
    for (const { what, job } of this.#begun) {
      if (witness.succeeded.has(job)) continue;
      const { state = "never seen", outcome = "", cause = "" } = invariants.fates.get(job) ?? {};
      this.#note(
        what,
        job,
        `was let go and is not done: ${[state, outcome, cause].filter(Boolean).join(", ")}`,
      );
    }
  }

  #note(what: Waits, job: string, problem: string): void {
    this.problems.push(`${job}, ${what}, begun ${this.#round}, ${problem}`);
  }

  #agent(what: Waits): string {
    return `${what}-${this.#round}`;
  }

  async #begin(what: Waits, idOf: (order: string) => Promise<string>, more: object = {}): Promise<void> {
    const order = await this.#call("POST", "/v1/orders", {
      room: `${what}-${this.#round}`,
      agent_name: this.#agent(what),
      namespace: this.#zone,
      ...(what === "drained" && { deployment: DEPLOYMENT }),
      ...more,
    });
    const job = order.jobs[0]?.id ?? "";
    this.#begun.push({ what, job, id: await idOf(order.id) });
  }

  async #work(what: Waits): Promise<void> {
    this.#workers.push(
      await this.#cluster.worker({
        ...{ name: this.#agent(what), agent: this.#agent(what), zone: this.#zone },
        ...{ reports: true, reconnects: "python", jobMs: JOB_MS, sampleEveryMs: 500 },
        ...(what === "drained" && { register: { deployment: DEPLOYMENT } }),
      }),
    );
  }

  #call(method: string, path: string, body?: object) {
    const [api = ""] = this.#cluster.names("api");
    return callRest(this.#cluster, api, method, path, body);
  }
}
