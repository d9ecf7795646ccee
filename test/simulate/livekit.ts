/**
 * Places the jobs of a simulation as livekit-server does, after its source (livekit/livekit 788d4c35, pkg/agent/client.go
 * and pkg/service/agentservice.go; livekit/psrpc 220fe5f9, pkg/client/rpc.go). A model: none of its code runs here.
 *
 * The node of the room asks all nodes. Each bids the room below the target load of its available workers, added up; after
 * a window that is always waited out, the highest bid is told to go ahead, and the job is dropped when none is above 0.
 * That node picks among its available workers at random, weighted by 1 - load, as last reported: what it assigned since
 * does not count. A worker that refuses is passed over; when nobody is left, or after 3 s, the job is dropped.
 */
import { InvariantError } from "@muster/domain/assert";
import { Random } from "../cluster/siege/random.js";
import type { Arrival, Placement, World } from "./placement.js";
import type { LoadReport, SdkWorker } from "./sdk-worker.js";

export interface LivekitDeps {
  /** Nodes of the cluster; workers are spread evenly, rooms at random. */
  readonly nodes: number;
  readonly seed: number;
  /** agents.target_load; 0.7 by default. */
  readonly targetLoad: number;
}

/** From the first answer to a job request until the bids are compared (psrpc DefaultAffinityShortCircuit). */
const BID_WINDOW_MS = 200;
/** For the whole request (psrpc DefaultClientTimeout). */
const REQUEST_LIMIT_MS = 3_000;
/** A node launches from a pool of 50 workers, and a launch takes two: one asks, one waits for it. */
const LAUNCHES_AT_ONCE = 25;

interface KnownWorker {
  readonly worker: SdkWorker;
  /** As last reported; from registration on it is available with load 0. */
  known: Pick<LoadReport, "status" | "load">;
}

/** Both a place where workers are connected and one where rooms are. */
interface Node {
  readonly workers: KnownWorker[];
  readonly launchQueue: Arrival[];
  launching: number;
}

export class LivekitPlacement implements Placement {
  readonly #deps: LivekitDeps;
  readonly #chance: Random;
  readonly #nodes: readonly Node[];
  readonly #byId = new Map<string, KnownWorker>();
  #world: World | undefined;

  constructor(deps: LivekitDeps) {
    this.#deps = deps;
    this.#chance = new Random(deps.seed);
    this.#nodes = Array.from({ length: deps.nodes }, () => ({ workers: [], launchQueue: [], launching: 0 }));
  }

  async start(world: World): Promise<void> {
    this.#world = world;
    world.workers.forEach((worker, index) => {
      const connected: KnownWorker = { worker, known: { status: "available", load: 0 } };
      this.#byId.set(worker.id, connected);
      this.#nodes[index % this.#nodes.length]?.workers.push(connected);
    });
  }

  arrive(arrival: Arrival, nowMs: number): undefined {
    const home = this.#chance.pick(this.#nodes);
    home.launchQueue.push(arrival);
    this.#launch(home, nowMs);
  }

  report(worker: SdkWorker, nowMs: number): undefined {
    const { agenda } = this.#started;
    const { status, load } = worker.report(nowMs);
    agenda.at(nowMs + agenda.hopMs, (): undefined => {
      const connected = this.#byId.get(worker.id);
      if (connected !== undefined) connected.known = { status, load };
    });
  }

  /** What a worker says of its jobs moves nothing here. */
  launched(): undefined {}

  ended(): undefined {}

  get #started(): World {
    if (this.#world === undefined) throw new InvariantError("a placement was used before its start");
    return this.#world;
  }

  #launch(home: Node, nowMs: number): void {
    const { agenda } = this.#started;
    while (home.launching < LAUNCHES_AT_ONCE) {
      const arrival = home.launchQueue.shift();
      if (arrival === undefined) return;
      home.launching++;
      agenda.at(nowMs + agenda.hopMs, (atMs): undefined => this.#ask(arrival, home, atMs));
    }
  }

  /** The request is with the nodes. */
  #ask(arrival: Arrival, home: Node, nowMs: number): undefined {
    const { agenda } = this.#started;
    const bids = this.#nodes.map((node) => ({ node, bid: this.#bid(node) }));
    const best = bids.reduce((highest, next) => (next.bid > highest.bid ? next : highest));
    // There and back, and what is waited for further bids.
    agenda.at(nowMs + 2 * agenda.hopMs + BID_WINDOW_MS, (atMs): undefined => {
      if (best.bid > 0) this.#assign(arrival, home, best.node, new Set(), nowMs + REQUEST_LIMIT_MS, atMs);
      else this.#drop(home, atMs);
    });
  }

  #bid({ workers }: Node): number {
    let bid = 0;
    for (const { known } of workers)
      if (known.status === "available") bid += Math.max(0, this.#deps.targetLoad - known.load);
    return bid;
  }

  #assign(
    arrival: Arrival,
    home: Node,
    node: Node,
    attempted: Set<KnownWorker>,
    deadlineMs: number,
    nowMs: number,
  ): void {
    const { agenda, account, answerMs, assign } = this.#started;
    const chosen = this.#choose(node, attempted);
    if (chosen === undefined || nowMs >= deadlineMs) {
      this.#drop(home, nowMs);
      return;
    }
    attempted.add(chosen);
    agenda.at(nowMs + agenda.hopMs + answerMs, (atMs): undefined => {
      if (chosen.worker.answer(atMs)) {
        assign(arrival, chosen.worker, atMs);
        this.#done(home, atMs);
      } else {
        account.rejected();
        this.#assign(arrival, home, node, attempted, deadlineMs, atMs);
      }
    });
  }

  /** By chance, weighted by what is free of each. */
  #choose({ workers }: Node, attempted: ReadonlySet<KnownWorker>): KnownWorker | undefined {
    const open = workers.filter((one) => !attempted.has(one) && one.known.status === "available");
    const free = (one: KnownWorker) => Math.max(0, 1 - one.known.load);
    const all = open.reduce((sum, one) => sum + free(one), 0);
    if (all === 0) return undefined;
    let rest = this.#chance.next() * all;
    for (const one of open) {
      rest -= free(one);
      if (rest <= 0) return one;
    }
    return workers[0];
  }

  #drop(home: Node, nowMs: number): void {
    this.#started.account.dropped();
    this.#done(home, nowMs);
  }

  #done(home: Node, nowMs: number): void {
    home.launching--;
    this.#launch(home, nowMs);
  }
}
