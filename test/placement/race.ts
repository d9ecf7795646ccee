/**
 * A pool under fire: several processes claim at once while its workers become full, drain and cool down, refuse and take jobs,
 * and end them. Owns what is seen from outside: when each worker was surely closed, and how each job stood in line. All times
 * are Redis's own, in whole ms, so only what lies strictly between two of them counts.
 */
import type { Ledger } from "@muster/ledger/ledger";
import type { RedisClient } from "@muster/runtime/redis/connect";
import type { Claimers, ClaimReply } from "./claimers.js";

export const NAMESPACE = "default";
export const POOL = "room/agent/";
const GATEWAY = "NO_gateway";
const FACTS = {
  ...{
    agent: "agent",
    type: "room",
    deployment: "",
    version: "1.0.0",
    permissions: "",
    client_ip: "10.0.0.1",
  },
  ...{ api_key: "key", cost: 0.01, max_load: 1 },
};
const ORDER = { agent: "agent", deployment: "", metadata: "", attributes: "{}", target: "room" } as const;

interface Seen {
  priority: number;
  createdAt: number;
  /** Surely in line from here. */
  parkedAt?: number;
  refused?: boolean;
  offers: { session: string; at: number }[];
}

/** How sick workers are dealt with: short, so that they are back within the race. */
const JUDGING = { coolMs: 50, earlyMs: 1 };

interface Window {
  session: string;
  why: string;
  from: number;
  to: number;
}

export class Race {
  readonly jobs = new Map<string, Seen>();
  readonly closed: Window[] = [];
  readonly overCap: string[] = [];
  readonly errors: string[] = [];
  done = 0;
  readonly #redis: RedisClient;
  readonly #ledger: Ledger;
  readonly #random: () => number;
  readonly #caps = new Map<string, number>();
  readonly #cooling: Promise<void>[] = [];
  claimers: Claimers | undefined;

  constructor(redis: RedisClient, ledger: Ledger, random: () => number) {
    this.#redis = redis;
    this.#ledger = ledger;
    this.#random = random;
  }

  async worker(session: string, cap: number): Promise<void> {
    this.#caps.set(session, cap);
    const args = {
      namespace: NAMESPACE,
      session,
      gateway: GATEWAY,
      pool: POOL,
      facts: { ...FACTS, cap },
      leaseMs: 600_000,
    };
    const first = await this.#ledger.registerSession({ ...args, rests: -1 });
    if (first.status === "unindexed") await this.#ledger.registerSession({ ...args, rests: first.rests });
    await this.#sample(session, "available", false);
  }

  /** One more job, and somebody who tries it. */
  async order(id: string): Promise<void> {
    const priority = Math.floor(this.#random() * 3);
    const [order, job] = [`AD_${id}`, `AJ_${id}`];
    const facts = { ...ORDER, priority, restart_policy: "on_failure" as const };
    const newJobs = [
      { id: job, type: "room", pool: POOL, room_sid: "", participant_info: "", max_attempts: 3 },
    ];
    const times = {
      retainMs: 600_000,
      guardMs: 60_000,
      waitMs: 600_000,
      listenMs: 0,
      knownForMs: -1,
      rests: 0,
    };
    await this.#ledger.createOrder({ namespace: NAMESPACE, order, room: id, facts, newJobs, ...times });
    const createdAt = Number(await this.#field(job, "created_at"));
    this.jobs.set(job, { priority, createdAt, offers: [] });
    this.claimers?.ask({ job });
  }

  /** The worker takes no jobs for a moment, and says why. */
  async close(session: string, forMs: number): Promise<void> {
    const why = ["full", "draining"][Math.floor(this.#random() * 2)] ?? "full";
    await this.#sample(session, why === "full" ? "full" : "available", why === "draining");
    const from = await this.#now();
    await this.until(from + forMs);
    const to = await this.#now();
    this.closed.push({ session, why, from, to });
    await this.#sample(session, "available", false);
  }

  async until(atMs: number): Promise<void> {
    while ((await this.#now()) < atMs) this.#look(await this.#places());
  }

  async hear(job: string | undefined, reply: ClaimReply): Promise<void> {
    if (reply.status === "parked" && job !== undefined) {
      const seen = this.jobs.get(job);
      if (seen !== undefined) seen.parkedAt ??= await this.#now();
      if (reply.behind === 1) this.claimers?.ask({ pool: POOL });
    }
    if (reply.status === "offered") await this.#answer(reply.job);
  }

  async #answer(job: Record<string, string>): Promise<void> {
    const { id = "", session = "" } = job;
    const epoch = Number(job.epoch);
    const seen = this.jobs.get(id);
    seen?.offers.push({ session, at: Number(job.offered_at) });
    const at = { namespace: NAMESPACE, job: id, session, epoch };
    const dice = this.#random();
    // Each is refused once: one that two refuse is at fault itself, and whoever was ejected for it is back before its time.
    if (dice < 0.15 && seen?.refused !== true) {
      if (seen !== undefined) seen.refused = true;
      const reason = dice < 0.05 ? "silent" : "rejected";
      const reply = await this.#ledger.reject({
        ...at,
        reason,
        terminate: false,
        coolMs: JUDGING.coolMs,
        guardMs: 60_000,
        lateMs: 0,
      });
      // Silence ejects it, or it refused too often.
      const blame = "blame" in reply ? reply.blame : null;
      if (blame !== null && "until_ms" in blame)
        this.#cooling.push(this.#cool(session, await this.#now(), blame.until_ms));
      if (reply.status === "requeued") this.claimers?.ask({ job: id });
    } else {
      await this.#ledger.accept({ ...at, agentIdentity: `agent-${id}`, startMs: 600_000 });
      await this.until((await this.#now()) + Math.floor(this.#random() * 40));
      const reply = await this.#ledger.report({
        ...{ namespace: NAMESPACE, job: id, wire: job.wire ?? id, session, status: "success", message: "" },
        ...{ startMs: 600_000, ...JUDGING },
      });
      this.done++;
      if ("serve" in reply && reply.serve !== "") this.claimers?.ask({ pool: POOL });
    }
  }

  async #cool(session: string, from: number, to: number): Promise<void> {
    this.closed.push({ session, why: "cooling", from, to });
    await this.until(to + 60);
    const reply = await this.#ledger.expireSession({
      namespace: NAMESPACE,
      session,
      earlyMs: JUDGING.earlyMs,
    });
    if (reply.status === "back" && reply.serve !== "") this.claimers?.ask({ pool: POOL });
  }

  async settled(): Promise<void> {
    await Promise.all(this.#cooling);
  }

  /** Those whose back-off is over, as the actor's timers do. */
  async retry(): Promise<void> {
    for (const [job, { refused }] of this.jobs) if (refused === true) await this.#retryOne(job);
  }

  async #retryOne(job: string): Promise<void> {
    const times = {
      guardMs: 60_000,
      graceMs: 1_000,
      stopMs: 1_000,
      silentMs: 1_000,
      startMs: 1_000,
      reportMs: 1_000,
      awakeSinceMs: 0,
      ...JUDGING,
    };
    const reply = await this.#ledger.expireJob({ namespace: NAMESPACE, job, ...times });
    if (reply.status === "requeued") this.claimers?.ask({ job });
  }

  async #sample(session: string, status: "available" | "full", draining: boolean): Promise<void> {
    const sample = { session, status, draining, load: this.#random() / 4, job_count: 0 };
    const reply = await this.#ledger.sampleSessions({
      namespace: NAMESPACE,
      gateway: GATEWAY,
      samples: [sample],
    });
    if (reply.serve.length > 0) this.claimers?.ask({ pool: POOL });
  }

  async #places(): Promise<[string, number][]> {
    return Promise.all(
      [...this.#caps.keys()].map(async (session): Promise<[string, number]> => {
        return [session, await this.#redis.zcard(`muster:{${NAMESPACE}}:session-jobs:${session}`)];
      }),
    );
  }

  #look(places: readonly (readonly [string, number])[]): void {
    for (const [session, taken] of places) {
      const cap = this.#caps.get(session) ?? 0;
      if (taken > cap) this.overCap.push(`${session} has ${taken} of ${cap}`);
    }
  }

  async #field(job: string, field: string): Promise<string | null> {
    return this.#redis.hget(`muster:{${NAMESPACE}}:job:${job}`, field);
  }

  async #now(): Promise<number> {
    const [seconds, micros] = await this.#redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }
}
