/**
 * Places the jobs of a simulation as Muster does: each claim, answer, load sample and report is the ledger's own script,
 * against a real Redis, at virtual times. Puts the actor and the gateway together; decides nothing that a script decides.
 */
import { InvariantError, invariant } from "@muster/domain/assert";
import { GUARD_MS, WAIT_BOUND_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { PlacementPolicy } from "@muster/ledger/shapes";
import type { Effect } from "./agenda.js";
import { MusterActor, RETAIN_MS } from "./muster-actor.js";
import { MusterGateway } from "./muster-gateway.js";
import { jobIdOf, orderArgs, type SessionPolicy } from "./muster-records.js";
import type { Arrival, Placement, World } from "./placement.js";
import type { SdkWorker } from "./sdk-worker.js";

export interface MusterDeps {
  readonly ledger: Ledger;
  /** Of this run alone. */
  readonly namespace: string;
  readonly policy: SessionPolicy;
  /** Set for the namespace before the first worker comes; `{}` leaves all to `policy`. */
  readonly placement: PlacementPolicy;
}

const TIMES = {
  retainMs: RETAIN_MS,
  guardMs: GUARD_MS,
  waitMs: WAIT_BOUND_MS,
  listenMs: 0,
  knownForMs: -1,
  rests: -1,
};
const NO_JOB = { atMs: 0, durationMs: 1, cost: 0, priority: 0 };

export class MusterPlacement implements Placement {
  readonly #deps: MusterDeps;
  readonly #waiting = new Map<string, Arrival>();
  #parts: { actor: MusterActor; gateway: MusterGateway } | undefined;

  constructor(deps: MusterDeps) {
    this.#deps = deps;
  }

  async start(world: World, nowMs: number): Promise<void> {
    const { ledger, namespace, policy, placement } = this.#deps;
    const set = { field: "namespace", policy: JSON.stringify(placement), maxCount: 1 };
    await ledger.setPlacement({ namespace, nowMs, ...set });
    const actor = new MusterActor({
      ...{ ledger, namespace, agenda: world.agenda },
      offer: (offered, atMs) => this.#started.gateway.ask(offered, atMs),
      expired: () => world.account.dropped(),
    });
    const gateway = new MusterGateway({
      ...{ ledger, namespace, policy, world, actor },
      arrivalOf: (job) => this.#take(job),
    });
    this.#parts = { actor, gateway };
    await gateway.register(nowMs);
    await this.#teach(nowMs);
    actor.lookAtTimers(nowMs + world.agenda.hopMs);
  }

  /** Redis learns a script from its first call, which carries the whole text: in a burst a thousand would be the first. */
  async #teach(nowMs: number): Promise<void> {
    const { ledger, namespace } = this.#deps;
    const nobodys = { namespace, nowMs, job: "AJ_none", session: "AW_none" };
    const order = { ...orderArgs({ index: -1, job: NO_JOB }), newJobs: [] };
    await ledger.createOrder({ namespace, nowMs, ...order, ...TIMES });
    await this.#started.actor.admit(nobodys.job, nowMs);
    await ledger.accept({ ...nobodys, epoch: 1, agentIdentity: "", startMs: 1 });
    await ledger.reject({
      ...nobodys,
      epoch: 1,
      reason: "rejected",
      terminate: false,
      coolMs: 1,
      guardMs: 1,
      lateMs: 0,
    });
    await ledger.report({
      ...nobodys,
      wire: nobodys.job,
      status: "running",
      message: "",
      startMs: 1,
      coolMs: 1,
      earlyMs: 1,
    });
  }

  async arrive(arrival: Arrival, nowMs: number): Promise<Effect> {
    const { ledger, namespace } = this.#deps;
    const job = jobIdOf(arrival.index);
    this.#waiting.set(job, arrival);
    const [created, effect] = await Promise.all([
      ledger.createOrder({ namespace, nowMs, ...orderArgs(arrival), ...TIMES }),
      this.#started.actor.admit(job, nowMs),
    ]);
    invariant(created.status === "created", "an order of a simulation was not made");
    return effect;
  }

  report(worker: SdkWorker, nowMs: number): undefined {
    this.#started.gateway.takeLoad(worker, nowMs);
  }

  launched({ index }: Arrival, worker: SdkWorker, nowMs: number): Promise<Effect> {
    return this.#started.gateway.say(index, worker, "running", nowMs);
  }

  ended({ index }: Arrival, worker: SdkWorker, nowMs: number): Promise<Effect> {
    return this.#started.gateway.say(index, worker, "success", nowMs);
  }

  get #started() {
    if (this.#parts === undefined) throw new InvariantError("a placement was used before its start");
    return this.#parts;
  }

  #take(job: string): Arrival {
    const arrival = this.#waiting.get(job);
    invariant(arrival !== undefined, "a job was accepted that never arrived, or twice");
    this.#waiting.delete(job);
    return arrival;
  }
}
