/**
 * Owns work that one version begins and the other must finish: a job that waits for a worker who comes later, an order on
 * hold, and one whose only workers are drained. Begun with all services of one version, let go with all of the other; in
 * between nobody may touch it, and at the end it must have been done.
 */
import type { SimulatedWorker } from "../../kit/simulated-worker.js";
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
const DEPLOYMENT = "blue";

export class StandingWork {
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
    await this.#begin("late", async (_job, order) => order);
    await this.#work("held");
    await this.#begin("held", async (_job, order) => order, { hold: true });
    await this.#work("drained");
    const target = { kind: "deployment", agent_name: this.#agent("drained"), deployment: DEPLOYMENT };
    const drain = await this.#call("POST", "/v1/drains", { target, namespace: this.#zone });
    await this.#begin("drained", async () => drain.id);
  }

  /** What of it was touched although nobody let it go; to be asked before `letGo`. */
  problems(): string[] {
    return this.#begun.flatMap(({ what, job }) =>
      this.#cluster.witness.started.has(job)
        ? [`${this.#round}: ${job}, ${what}, was given to a worker`]
        : [],
    );
  }

  async letGo(): Promise<void> {
    for (const { what, id } of this.#begun) {
      if (what === "late") await this.#work("late");
      if (what === "held") await this.#call("POST", `/v1/orders/${id}/release`);
      if (what === "drained") await this.#call("DELETE", `/v1/drains/${id}?namespace=${this.#zone}`);
    }
    const jobs = this.#begun.map(({ job }) => job);
    await this.#cluster.until(
      `what was begun ${this.#round} is done`,
      () => jobs.every((job) => this.#cluster.witness.succeeded.has(job)),
      { deadlineMs: 15_000 },
    );
  }

  #agent(what: Waits): string {
    return `${what}-${this.#round}`;
  }

  async #begin(
    what: Waits,
    idOf: (job: string, order: string) => Promise<string>,
    more: object = {},
  ): Promise<void> {
    const order = await this.#call("POST", "/v1/orders", {
      room: `${what}-${this.#round}`,
      agent_name: this.#agent(what),
      namespace: this.#zone,
      ...(what === "drained" && { deployment: DEPLOYMENT }),
      ...more,
    });
    const job = order.jobs[0]?.id ?? "";
    this.#begun.push({ what, job, id: await idOf(job, order.id) });
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
