/**
 * Owns a minute of everything: callers that come all the while, workers of many natures, and one mishap after the other, so
 * that each metric moves that can move without a disaster. Judges nothing.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { adminToken, workerToken } from "../kit/access-tokens.js";
import { type SimulatedWorker, type SimulatedWorkerOptions, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { KEY, SECRET, type WatchedHouse } from "./house.js";
import { roomMishaps } from "./room-mishaps.js";

/** Of a caller. Many of them, so that dispatchers have something to share. */
const ZONES = Array.from({ length: 8 }, (_, index) => `zone-${index}`);
const CALLS_EVERY_MS = 80;
/** Sooner than a lease ends: who loses its gateway comes back with its jobs. */
const SOON_MS = [100, 300, 300];
/** Later: it is missed, and its jobs are given to others. */
const LATE_MS = [1_800, 400, 400];
const CALL = { jobMs: () => 1_500 + Math.random() * 2_500, loadPerJob: 0.22 };

export class Load {
  readonly #house: WatchedHouse;
  readonly #workers: SimulatedWorker[] = [];
  #calls = 0;
  #dials = 0;
  #isOver = false;
  #traffic: Promise<void> | undefined;
  readonly #listening = new AbortController();

  constructor(house: WatchedHouse) {
    this.#house = house;
  }

  /** Workers that do what they should, callers, and somebody who listens. */
  async begin(): Promise<void> {
    const house = this.#house;
    void this.#listen();
    await house.call("api-1", "PUT", "/v1/rules/hall", {
      when: { room_pattern: "hall-*" },
      orders: [{ agent_name: "sales" }],
      configuration: "not-there",
    });
    const inZones = ZONES.flatMap((namespace, index) => {
      const agents = index % 2 === 0 ? ["support", "support", "support"] : ["sales", "sales"];
      return agents.map((agentName) => this.#work(agentName, { namespace }));
    });
    const elsewhere = ["support", "sales", ""].map((agentName) =>
      this.#work(agentName, {}, { jobMs: 3_000 }),
    );
    await Promise.all([...inZones, ...elsewhere]);
    this.#traffic = this.#callers();
  }

  /** One thing after the other, each with the time to be seen. */
  async mishaps(): Promise<void> {
    await this.#sickWorkers();
    const gone = await this.#workerGone();
    await this.#nobodyThere();
    await gone();
    await roomMishaps({
      house: this.#house,
      work: (...worker) => this.#work(...worker),
      order: (...order) => this.#order(...order),
    });
    await this.#oddMessages();
    await this.#operators();
    await this.#losses();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#listening.abort();
    await this.#traffic;
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  async #callers(): Promise<void> {
    while (!this.#isOver) {
      const zone = this.#calls % ZONES.length;
      const agent = zone % 2 === 0 ? "support" : "sales";
      void this.#order(agent, { namespace: ZONES[zone] ?? "" }).catch(() => undefined);
      // All the while: a rate knows no first time.
      if (this.#calls % 20 === 0) void this.#shutDoors().catch(() => undefined);
      await pause(CALLS_EVERY_MS);
    }
  }

  /** Each in a room of its own, by the api that makes no rooms. */
  async #order(agentName: string, more: object = {}): Promise<{ id: string; jobs: { id: string }[] }> {
    const order = { room: `room-${this.#calls++}`, agent_name: agentName, ...more };
    const answer = await this.#house.call("api-2", "POST", "/v1/orders", order);
    return (await answer.json()) as { id: string; jobs: { id: string }[] };
  }

  async #work(agentName: string, more: object = {}, options: Partial<SimulatedWorkerOptions> = {}) {
    const redialMs = agentName === "sales" ? SOON_MS : LATE_MS;
    const worker = await startWorker({
      ...{ url: "", token: workerToken(KEY, SECRET), reports: true, reconnects: "python", ...CALL },
      ...{ register: { agentName, ...more }, sampleEveryMs: 400, redialMs, ...options },
      dial: () => this.#gateway().url,
    });
    this.#workers.push(worker);
    worker.sample();
    return worker;
  }

  #gateway() {
    const gateways = this.#house.gateways();
    const gateway = gateways[this.#dials++ % gateways.length];
    if (gateway === undefined) throw new Error("no gateway runs");
    return gateway;
  }

  /** One of each kind, in a namespace of its own, beside one that is well where that matters. */
  async #sickWorkers(): Promise<void> {
    await Promise.all([
      this.#work("silent", {}, { onOffer: "silent" }),
      this.#work("picky", {}, { onOffer: "reject" }),
      this.#work("picky"),
      this.#work("clumsy", {}, { jobMs: 20, jobEnds: () => "failed" }),
      this.#work("slow", {}, { answerAfterMs: 1_000 }),
      ...[1, 2].map(() => this.#work("unwilling", {}, { onOffer: "reject" })),
    ]);
    await this.#order("unwilling", { deadline_ms: 8_000 });
    const agents = ["silent", "picky", "clumsy", "slow"];
    for (let count = 0; count < 8; count++) {
      await Promise.all(agents.map((agent) => this.#order(agent, { max_attempts: 2 })));
      await pause(200);
    }
  }

  /** They wait: until nobody waits any more, until somebody comes, until somebody else is asked. */
  async #nobodyThere(): Promise<void> {
    const fallback = [{ after_ms: 1_000, agent_name: "support" }];
    const unopened = { target: { for: "participants" }, deadline_ms: 2_000, room: "never-opens" };
    await Promise.all([
      ...[1, 2, 3, 4, 5].map(() => this.#order("nobody", { deadline_ms: 4_000 })),
      this.#order("nobody", { fallback }),
      ...[1, 2, 3].map(() => this.#order("late")),
      this.#order("support", unopened),
    ]);
    await pause(3_000);
    await this.#work("late");
  }

  async #operators(): Promise<void> {
    const target = { kind: "deployment", agent_name: "support", deployment: "" };
    const drain = { target, namespace: ZONES[0] };
    const begun = (await (await this.#house.call("api-1", "POST", "/v1/drains", drain)).json()) as {
      id: string;
    };
    await pause(2_500);
    await this.#house.call("api-1", "DELETE", `/v1/drains/${begun.id}?namespace=${ZONES[0]}`);
    const { jobs } = await this.#order("sales", { namespace: ZONES[1] });
    await this.#house.call("api-1", "POST", `/v1/jobs/${jobs[0]?.id}/terminate?namespace=${ZONES[1]}`, {});
  }

  /** From workers that are mistaken. */
  async #oddMessages(): Promise<void> {
    for (const { client, assigned } of this.#workers.slice(0, 4)) {
      client.sample({ load: 7 });
      client.sample({ load: -1 });
      const ended = assigned.slice(0, 1).map(({ wire }) => wire);
      client.migrate([`AJ_${randomUUID().slice(0, 12)}`, ...ended]);
      client.simulate({ name: "practice" });
      await client.ping();
    }
  }

  async #shutDoors(): Promise<void> {
    const api = this.#house.of("api-1").url;
    await fetch(`${api}/v1/jobs`);
    await fetch(`${api}/webhook`, { method: "POST", body: "{}" });
    await this.#house.call("api-1", "GET", "/v1/jobs/AJ_nothing");
    await this.#house.call("api-1", "POST", "/v1/orders", { room: "", agent_name: "support" });
  }

  /** It dies with its job, and stays away; the other one of its agent gets it. Resolves with that wait. */
  async #workerGone(): Promise<() => Promise<unknown>> {
    const worker = await this.#work("long", {}, { jobMs: 60_000 });
    await this.#order("long");
    await waitUntil("it has its job", () => worker.running.size > 0, { deadlineMs: 15_000 });
    await worker.close();
    const other = await this.#work("long", {}, { jobMs: 60_000 });
    return () => waitUntil("its job is resumed", () => other.running.size > 0, { deadlineMs: 15_000 });
  }

  /** A gateway, a dispatcher more, Redis for a moment. */
  async #losses(): Promise<void> {
    await this.#house.kill("gateway-2");
    await this.#house.add("gateway-3");
    await pause(3_000);
    await this.#house.add("dispatcher-3");
    await pause(3_000);
    await this.#house.redis.client().call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await pause(2_000);
  }

  async #listen(): Promise<void> {
    try {
      const answer = await this.#streaming();
      for await (const _ of answer.body ?? []) if (this.#isOver) break;
    } catch {
      // It ends with its listener.
    }
  }

  #streaming(): Promise<Response> {
    const { url } = this.#house.of("api-1");
    const token = adminToken(KEY, SECRET);
    return fetch(`${url}/v1/events`, {
      headers: { authorization: `Bearer ${token}` },
      signal: this.#listening.signal,
    });
  }
}
