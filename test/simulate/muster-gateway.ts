/**
 * Plays Muster's gateway in a simulation: registers the workers, gathers their load reports and writes them in batches,
 * asks them what the actor offers and brings their answers and reports to the ledger, as the gateway does and with its
 * numbers. There is one, and its lease outlasts the simulation: what happens when one dies is tested elsewhere.
 */
import { InvariantError } from "@muster/domain/assert";
import { COOL_DOWN_MS, EARLY_FAILURE_MS, GUARD_MS, START_DEADLINE_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { LoadSample } from "@muster/ledger/shapes";
import type { Effect } from "./agenda.js";
import type { MusterActor, Offered } from "./muster-actor.js";
import { GATEWAY, type SessionPolicy, sessionArgs } from "./muster-records.js";
import type { Arrival, World } from "./placement.js";
import type { SdkWorker } from "./sdk-worker.js";

export interface MusterGatewayDeps {
  readonly ledger: Ledger;
  readonly namespace: string;
  readonly policy: SessionPolicy;
  readonly world: World;
  readonly actor: MusterActor;
  arrivalOf(job: string): Arrival;
}

/** How long samples are gathered, unless a worker came to be available or ceased to be. */
const FLUSH_MS = 100;
const SAMPLES_AT_ONCE = 256;

export class MusterGateway {
  readonly #deps: MusterGatewayDeps;
  readonly #workers: ReadonlyMap<string, SdkWorker>;
  readonly #pending = new Map<string, LoadSample>();
  readonly #statuses = new Map<string, string>();
  /** Of running jobs, by the number of their arrival. */
  readonly #wires = new Map<number, { job: string; wire: string }>();
  #flushAtMs = Number.POSITIVE_INFINITY;

  constructor(deps: MusterGatewayDeps) {
    this.#deps = deps;
    this.#workers = new Map(deps.world.workers.map((worker) => [worker.id, worker]));
  }

  async register(nowMs: number): Promise<void> {
    const { ledger, namespace, policy } = this.#deps;
    for (const session of this.#workers.keys()) {
      const args = { namespace, nowMs, ...sessionArgs(session, policy) };
      const first = await ledger.registerSession({ ...args, rests: -1 });
      if (first.status === "unindexed") await ledger.registerSession({ ...args, rests: first.rests });
    }
  }

  takeLoad(worker: SdkWorker, nowMs: number): void {
    const { agenda } = this.#deps.world;
    const { status, load, jobCount } = worker.report(nowMs);
    this.#pending.set(worker.id, { session: worker.id, status, draining: false, load, job_count: jobCount });
    const isUrgent = (this.#statuses.get(worker.id) ?? "available") !== status;
    this.#statuses.set(worker.id, status);
    const flushAtMs = nowMs + (isUrgent ? agenda.hopMs : FLUSH_MS);
    if (flushAtMs >= this.#flushAtMs) return;
    this.#flushAtMs = flushAtMs;
    agenda.at(flushAtMs, (atMs) => this.#flush(atMs));
  }

  /** Asks the worker, and brings its answer to the ledger. */
  ask(offered: Offered, nowMs: number): void {
    const { agenda, answerMs } = this.#deps.world;
    const { id: job = "", session = "", epoch = "", wire = "" } = offered.job;
    const worker = this.#workers.get(session);
    if (worker === undefined) throw new InvariantError("a job was offered to no worker of the simulation");
    agenda.at(nowMs + agenda.hopMs + answerMs, (atMs) => {
      const claim = { job, session, epoch: Number(epoch) };
      return worker.answer(atMs) ? this.#accept(claim, wire, worker, atMs) : this.#refuse(claim, atMs);
    });
  }

  /** What a worker says of a job of its own. */
  async say(index: number, worker: SdkWorker, status: "running" | "success", nowMs: number): Promise<Effect> {
    const { ledger, namespace, actor } = this.#deps;
    const names = this.#wires.get(index);
    if (names === undefined) throw new InvariantError("a worker spoke of a job that it was not given");
    const reply = await ledger.report({
      namespace,
      nowMs,
      ...names,
      session: worker.id,
      status,
      message: "",
      startMs: START_DEADLINE_MS,
      coolMs: COOL_DOWN_MS,
      earlyMs: EARLY_FAILURE_MS,
    });
    if (reply.status !== (status === "running" ? "running" : "ended"))
      throw new InvariantError("a worker's word on its own job was not taken");
    return () => {
      if (reply.status !== "ended") return;
      this.#wires.delete(index);
      actor.serveSoon(reply.serve, nowMs);
    };
  }

  async #accept(
    claim: { job: string; session: string; epoch: number },
    wire: string,
    worker: SdkWorker,
    nowMs: number,
  ): Promise<Effect> {
    const { ledger, namespace, world, arrivalOf } = this.#deps;
    const agentIdentity = `agent-${claim.job}`;
    const reply = await ledger.accept({
      namespace,
      nowMs,
      ...claim,
      agentIdentity,
      startMs: START_DEADLINE_MS,
    });
    if (reply.status !== "started") throw new InvariantError("an answer that came in time was not taken");
    return () => {
      const arrival = arrivalOf(claim.job);
      this.#wires.set(arrival.index, { job: claim.job, wire });
      world.assign(arrival, worker, nowMs);
    };
  }

  async #refuse(claim: { job: string; session: string; epoch: number }, nowMs: number): Promise<Effect> {
    const { ledger, namespace, world, actor } = this.#deps;
    const times = { coolMs: COOL_DOWN_MS, guardMs: GUARD_MS, lateMs: 0 };
    const reply = await ledger.reject({
      ...{ namespace, nowMs, ...claim, ...times },
      ...{ reason: "rejected", terminate: false },
    });
    if (reply.status !== "requeued") throw new InvariantError("a refusal that came in time was not taken");
    return () => {
      world.account.rejected();
      actor.admitSoon(claim.job, nowMs);
      actor.serveSoon(reply.serve, nowMs);
    };
  }

  async #flush(nowMs: number): Promise<Effect> {
    // A later one that an urgent one came before: nothing may be left for it.
    if (this.#pending.size === 0) return () => {};
    const { ledger, namespace, actor } = this.#deps;
    this.#flushAtMs = Number.POSITIVE_INFINITY;
    const all = [...this.#pending.values()];
    this.#pending.clear();
    const batches: LoadSample[][] = [];
    for (let from = 0; from < all.length; from += SAMPLES_AT_ONCE)
      batches.push(all.slice(from, from + SAMPLES_AT_ONCE));
    const replies = await Promise.all(
      batches.map((samples) => ledger.sampleSessions({ namespace, nowMs, gateway: GATEWAY, samples })),
    );
    return () => {
      for (const { serve } of replies) for (const pool of serve) actor.serveSoon(pool, nowMs);
    };
  }
}
