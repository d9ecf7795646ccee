/**
 * Owns the setting of the ledger's tests: a namespace of its own, a clock that only the test moves, and every script as
 * a verb with ordinary values filled in. Says nothing about what is right.
 */
import type { EjectionReason } from "@muster/domain/ejection";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type Attempts, readAttempts } from "../src/attempts.js";
import { createLedger, type Ledger } from "../src/ledger.js";
import type {
  DeploymentSplit,
  HeldJob,
  LoadSample,
  NewJob,
  OrderChanges,
  OrderFacts,
  PlacementPolicy,
  RestoredJob,
  SessionFacts,
} from "../src/shapes.js";

export const POOL = "room/agent/";
/** Of the agent that is asked in fallback steps. */
export const SECOND_POOL = "room/second/";
/** Of the first agent's deployment that splits try out. */
export const CANDIDATE_POOL = "room/agent/new";
export const OFFER_MS = 3_500;
/** For how long an answer to a slow offer still counts; and what a slow session is then given. */
export const LATE_MS = 7_000;
export const ANSWER_MS = 8_000;
export const ANSWER_MARGIN_MS = 2_000;
export const START_MS = 30_000;
export const GUARD_MS = 5_000;
export const GRACE_MS = 35_000;
export const STOP_MS = 20_000;
export const REMOVE_MS = 3_000;
export const AGAIN_MS = 2_000;
export const REMOVAL_MS = 1_000;
export const WAIT_MS = 3_600_000;
/** Long, so that only the tests about leases have to think of them. */
export const LEASE_MS = 2 * WAIT_MS;
export const RETAIN_MS = 600_000;
export const RETRY_MS = 1_000;
export const COOL_MS = 5_000;
export const EARLY_MS = 10_000;
export const MAX_ATTEMPTS = 3;
export const RECHECK_MS = 30_000;
export const SILENT_MS = 600_000;
export const REPORT_MS = 330_000;
export const REJOIN_MS = 5_000;
/** How long the last caller may take to come back. */
export const AWAY_MS = 21_000;
export const HOLD_MS = 5_000;
/** How long after a worker's report its unseen agent is asked about. */
export const CHECK_MS = 2_000;
/** How soon it is looked again at what is on hold. */
export const LOOK_MS = 3_600_000;
/** How soon at one that a split placed. */
export const SIDE_LOOK_MS = 5_000;
export const ENTERING_MS = 300;
/** How long a drain of one worker outlives a session that may come back. */
export const DRAIN_OUTLIVES_MS = 60_000;
export const SCAN = 16;
export const HEADS = 8;

export const FACTS: SessionFacts = {
  ...{
    agent: "agent",
    type: "room",
    deployment: "",
    version: "1.9.0",
    permissions: "",
    client_ip: "127.0.0.1",
  },
  ...{ api_key: "devkey", cost: 0.1, max_load: 0.7, cap: 0 },
};

export const ORDER: OrderFacts = {
  ...{ agent: "agent", deployment: "", metadata: "", attributes: "{}", priority: 0 },
  ...{ restart_policy: "on_failure", target: "room" },
};

export const newJob = (id: string, pool = POOL, type = "room"): NewJob => ({
  ...{ id, type, pool, room_sid: "", participant_info: "" },
  max_attempts: MAX_ATTEMPTS,
});

/** The first so many of these steps: to the second pool, and back to the first. */
export const STEPS = [
  { pool: "agent/", after_ms: 0 },
  { pool: "second/", after_ms: 5_000 },
  { pool: "agent/", after_ms: 40_000 },
] as const;
export const fallback = (steps: number) => ({ fallback: JSON.stringify(STEPS.slice(0, steps + 1)) });

let namespaces = 0;

export class Scene {
  readonly namespace = `n${process.pid}-${namespaces++}`;
  readonly redis: RedisClient;
  readonly ledger: Ledger;
  /** Only the test moves it. */
  nowMs = 1_700_000_000_000;
  /** What those who bring work know of listeners. */
  listenMs = 0;
  /** In which room an order is whose test does not say. */
  roomFor: (order: string) => string = () => "room";

  constructor(redis: RedisClient) {
    this.redis = redis;
    this.ledger = createLedger(redis);
  }

  /** What every call carries. */
  get at() {
    return { namespace: this.namespace, nowMs: this.nowMs };
  }

  pass(ms: number): void {
    this.nowMs += ms;
  }

  async register(session: string, facts: Partial<SessionFacts> = {}, gateway = "NO_g", pool = POOL) {
    const args = { ...this.at, session, gateway, pool, facts: { ...FACTS, ...facts }, leaseMs: LEASE_MS };
    const first = await this.ledger.registerSession({ ...args, rests: -1 });
    return first.status === "unindexed"
      ? this.ledger.registerSession({ ...args, rests: first.rests })
      : first;
  }

  sample(session: string, load: number, rest: Partial<LoadSample> = {}, gateway = "NO_g") {
    const sample: LoadSample = { session, status: "available", draining: false, load, job_count: 0, ...rest };
    return this.ledger.sampleSessions({ ...this.at, gateway, samples: [sample] });
  }

  /** In force, and everybody where it puts them. */
  async setPlacement(policy: PlacementPolicy | undefined, field = "namespace") {
    const text = policy === undefined ? "" : JSON.stringify(policy);
    const reply = await this.ledger.setPlacement({ ...this.at, field, policy: text, maxCount: 3 });
    for (let cursor = "0"; reply.status === "set"; ) {
      cursor = (await this.ledger.placeSessions({ ...this.at, cursor, limit: 100 })).next;
      if (cursor === "0") break;
    }
    return reply.status;
  }

  /** Half of the jobs to the candidate from now on, unless told otherwise; undefined: none any more. */
  async setSplit(split: Partial<DeploymentSplit> | undefined, agent = "agent") {
    const usual = { stable: "", candidate: "new", steps: [{ after_ms: 0, percent: 50 }] };
    const rollback = { max_bad_percent: 50, min_jobs: 2 };
    const text = split === undefined ? "" : JSON.stringify({ ...usual, rollback, ...split });
    return this.ledger.setSplit({ ...this.at, agent, split: text, maxCount: 3 });
  }

  /** Of the agent of that name. */
  async split(agent = "agent") {
    const { splits } = await this.ledger.readSplits({ ...this.at });
    return Object.values(splits).find((record) => record.agent === agent);
  }

  expireSplit(agent = "agent") {
    return this.ledger.expireSplit({ ...this.at, agent });
  }

  /** A session that was registered and has sent its first load sample. */
  async worker(session: string, load = 0, facts: Partial<SessionFacts> = {}, gateway = "NO_g", pool = POOL) {
    await this.register(session, facts, gateway, pool);
    await this.sample(session, load, {}, gateway);
  }

  async order(
    order: string,
    jobs: NewJob[] = [newJob(jobOf(order))],
    facts: Partial<OrderFacts> = {},
    room = this.roomFor(order),
    knownForMs = -1,
  ) {
    const times = { retainMs: RETAIN_MS, guardMs: GUARD_MS, waitMs: WAIT_MS };
    const args = {
      ...this.at,
      order,
      room,
      facts: { ...ORDER, ...facts },
      newJobs: jobs,
      knownForMs,
      ...times,
    };
    const first = await this.ledger.createOrder({ ...args, listenMs: this.listenMs, rests: -1 });
    return first.status === "unindexed"
      ? this.ledger.createOrder({ ...args, listenMs: this.listenMs, rests: first.rests })
      : first;
  }

  async admit(job: string) {
    return sparing(
      await this.ledger.admit({ ...this.at, job, offerMs: OFFER_MS, retryMs: RETRY_MS, scan: SCAN }),
    );
  }

  serve(pool = POOL) {
    return this.ledger.serve({ ...this.at, pool, offerMs: OFFER_MS, scan: SCAN, heads: HEADS });
  }

  accept(job: string, session: string, epoch: number) {
    return this.ledger.accept({
      ...this.at,
      job,
      session,
      epoch,
      agentIdentity: `agent-${job}`,
      startMs: START_MS,
    });
  }

  async reject(job: string, session: string, epoch: number, reason = "rejected", terminate = false) {
    const times = { coolMs: COOL_MS, guardMs: GUARD_MS, lateMs: reason === "slow" ? LATE_MS : 0 };
    return sparing(
      await this.ledger.reject({ ...this.at, job, session, epoch, reason, terminate, ...times }),
    );
  }

  /** What came of an offer that was taken back as slow. */
  async settleLate(
    job: string,
    session: string,
    epoch: number,
    answer: "yes" | "no" | "none",
    { answerMs = answer === "none" ? 0 : ANSWER_MS, offeredAt = this.nowMs } = {},
  ) {
    const terms = { agentIdentity: `agent-${job}`, startMs: START_MS, coolMs: COOL_MS };
    return sparing(
      await this.ledger.settleLate({
        ...{ ...this.at, job, session, epoch, answer, answerMs, offeredAt, ...terms },
      }),
    );
  }

  seen(job: string, session: string, epoch: number) {
    return this.ledger.seen({ ...this.at, job, session, epoch });
  }

  async report(job: string, session: string, status: string, wire = job) {
    const message = status === "failed" ? "boom" : "";
    const times = { startMs: START_MS, coolMs: COOL_MS, earlyMs: EARLY_MS };
    return sparing(await this.ledger.report({ ...this.at, job, wire, session, status, message, ...times }));
  }

  /** `removeMs`: as where LiveKit can be asked; 0 where not. */
  terminate(job: string, removeMs = 0) {
    return this.ledger.terminateJob({
      ...this.at,
      job,
      cause: "terminated",
      reason: "no longer wanted",
      stopMs: STOP_MS,
      removeMs,
    });
  }

  endJob(job: string, outcome = "success") {
    return this.ledger.endJob({ ...this.at, job, outcome, cause: "room_finished", message: "" });
  }

  deleteOrder(order: string, limit = 100, removeMs = 0) {
    return this.ledger.deleteOrder({ ...this.at, order, stopMs: STOP_MS, removeMs, limit });
  }

  deregister(session: string, goodbye = false, clean = goodbye) {
    const times = { graceMs: GRACE_MS, guardMs: GUARD_MS };
    return this.ledger.deregisterSession({ ...this.at, session, goodbye, clean, ...times });
  }

  /** What the worker of `session` says that it still runs, by wire id. */
  migrate(session: string, ...wires: string[]) {
    const claims = wires.map((wire) => ({ job: wire.replace(/\..*$/, ""), wire }));
    const times = { graceMs: GRACE_MS, guardMs: GUARD_MS, stopMs: STOP_MS };
    return this.ledger.migrateJobs({ ...this.at, session, claims, ...times });
  }

  /** `startMs`: 0, as when the agent has had its time to join. */
  settle(
    job: string,
    epoch: number,
    verdict: "absent" | "present" | "unknown",
    resumeUnproven = false,
    { silentMs = SILENT_MS, deserted = false, removeMs = 0, startMs = 0 } = {},
  ) {
    const times = { recheckMs: RECHECK_MS, startMs, silentMs, removeMs, stopMs: STOP_MS };
    return this.ledger.settleOrphan({ ...this.at, job, epoch, verdict, resumeUnproven, deserted, ...times });
  }

  /** Somebody can say from now on whether an agent is in its room. */
  async knowPresence(): Promise<void> {
    await this.redis.set(`muster:{${this.namespace}}:presence`, 1);
  }

  async settleUnjoined(job: string, epoch: number, verdict: "joined" | "never" | "unknown", company = false) {
    const times = { recheckMs: RECHECK_MS, silentMs: SILENT_MS, stopMs: STOP_MS, removeMs: REMOVE_MS };
    const judging = { coolMs: COOL_MS, earlyMs: EARLY_MS };
    const args = { ...this.at, job, epoch, verdict, company, ...times, ...judging };
    return sparing(await this.ledger.settleUnjoined(args));
  }

  withdraw(job: string, session: string, epoch: number) {
    return this.ledger.withdrawStart({ ...this.at, job, session, epoch, guardMs: GUARD_MS });
  }

  restore(id: string, session: string, rest: Partial<RestoredJob> = {}, room = "room") {
    const job = {
      ...{
        id,
        session,
        epoch: 1,
        wire: id,
        order: orderOf(id),
        type: "room",
        room_sid: "RM_1",
        room_info: "",
      },
      ...{ participant_info: "", agent_identity: `agent-${id}`, max_attempts: MAX_ATTEMPTS, facts: ORDER },
      ...rest,
    };
    return this.ledger.restoreJob({ ...this.at, room, job, retainMs: RETAIN_MS, waitMs: WAIT_MS });
  }

  assert(held: HeldJob[] = [], gateway = "NO_g") {
    return this.ledger.assertGateway({ ...this.at, gateway, leaseMs: LEASE_MS, held });
  }

  async expireJob(job: string, awakeSinceMs = 0) {
    const times = {
      guardMs: GUARD_MS,
      graceMs: GRACE_MS,
      startMs: START_MS,
      stopMs: STOP_MS,
      silentMs: SILENT_MS,
    };
    const judging = { reportMs: REPORT_MS, coolMs: COOL_MS, earlyMs: EARLY_MS, awakeSinceMs };
    return sparing(await this.ledger.expireJob({ ...this.at, job, ...times, ...judging }));
  }

  /** An order for whoever comes into the room. */
  openOrder(order: string, facts: Partial<OrderFacts> = {}) {
    const open = {
      target: '{"for":"participants"}',
      open: 1,
      max_attempts: MAX_ATTEMPTS,
      wait_ms: WAIT_MS,
    } as const;
    return this.order(order, [], { ...open, ...facts });
  }

  extend(order: string, jobs: NewJob[] = [], roomSid = "RM_1", roomInfo = "", opens = false, infoAt = 1_000) {
    return this.ledger.extendOrder({
      ...this.at,
      ...{
        order,
        roomSid,
        roomInfo,
        roomInfoAt: infoAt,
        newJobs: jobs,
        opens,
        waitMs: WAIT_MS,
        guardMs: GUARD_MS,
        rests: -1,
      },
      listenMs: this.listenMs,
    });
  }

  async explain(job: string): Promise<Attempts> {
    const reply = await this.ledger.explainJob({ ...this.at, job });
    if (reply.status === "unknown") throw new Error(`there is no job ${job}`);
    return readAttempts(reply.job, reply.attempts);
  }

  wait(job: string, first = 0, limit = 100) {
    return this.ledger.explainWait({ ...this.at, job, first, limit });
  }

  position(job: string) {
    return this.ledger.findPosition({ ...this.at, job });
  }

  /** All of its jobs, in as many calls as it takes. */
  async change(order: string, changes: OrderChanges, limit = 100) {
    for (let cursor = "0", before = ""; ; ) {
      const args = { ...this.at, order, changes, before, cursor, limit };
      const first = await this.ledger.changeOrder({ ...args, rests: -1 });
      const reply =
        first.status === "unindexed" ? await this.ledger.changeOrder({ ...args, rests: first.rests }) : first;
      if (reply.status !== "changed" || reply.next === "0") return reply;
      cursor = reply.next;
      before = reply.before;
    }
  }

  hold(order: string, cursor = "0", limit = 100) {
    return this.ledger.holdOrder({ ...this.at, order, cursor, limit });
  }

  async release(order: string, limit = 100) {
    const args = { ...this.at, order, limit, listenMs: this.listenMs };
    const first = await this.ledger.releaseOrder({ ...args, rests: -1 });
    return first.status === "unindexed" ? this.ledger.releaseOrder({ ...args, rests: first.rests }) : first;
  }

  /** Without bringing anybody in line. */
  putDrain(drain: string, kind: string, value: string, agent = "", maxCount = 100) {
    return this.ledger.putDrain({ ...this.at, drain, kind, value, agent, reason: "upkeep", maxCount });
  }

  deleteDrain(drain: string) {
    return this.ledger.deleteDrain({ ...this.at, drain });
  }

  /** Everybody, in as many pages as it takes; the pools to serve. */
  async applyDrains(limit = 100, only = ""): Promise<string[]> {
    const serve: string[] = [];
    for (let below = -1; below !== 0; ) {
      const reply = await this.ledger.applyDrains({ ...this.at, only, below, limit });
      serve.push(...reply.serve);
      below = reply.next;
    }
    return serve;
  }

  rest() {
    return this.ledger.rest({ ...this.at, listenMs: this.listenMs });
  }

  /** What the room book says of the callers in the life that the order is bound to. */
  async noteCallers(order: string, callers: number, seenAt = this.nowMs, roomSid = "RM_1") {
    const args = { ...this.at, order, roomSid, callers, seenAt, awayMs: AWAY_MS, limit: 100 };
    const first = await this.ledger.noteCallers({ ...args, listenMs: this.listenMs, rests: -1 });
    return first.status === "unindexed"
      ? this.ledger.noteCallers({ ...args, listenMs: this.listenMs, rests: first.rests })
      : first;
  }

  /** `seenAt`: when a caller was last known to be there; 0 = nobody ever was. */
  async endRoom(order: string, roomSid = "RM_1", limit = 100, seenAt = 0, told = true) {
    const times = { stopMs: STOP_MS, waitMs: WAIT_MS, listenMs: this.listenMs };
    const args = { ...this.at, order, roomSid, seenAt, told, ...times, limit };
    const first = await this.ledger.endRoomOrder({ ...args, rests: -1 });
    return first.status === "unindexed" ? this.ledger.endRoomOrder({ ...args, rests: first.rests }) : first;
  }

  expireOrder(order: string) {
    return this.ledger.expireOrder({ ...this.at, order });
  }

  agentJoined(job: string, sid: string, joinedAt = 1_000, identity = `agent-${job}`) {
    const said = { sid, joinedAt, identity, hasLeft: false, how: "" };
    return this.ledger.noteAgent({ ...this.at, job, ...said, rejoinMs: REJOIN_MS });
  }

  agentLeft(job: string, sid: string, how: "clean" | "failed" | "unknown", identity = `agent-${job}`) {
    const said = { sid, joinedAt: 0, identity, hasLeft: true, how };
    return this.ledger.noteAgent({ ...this.at, job, ...said, rejoinMs: REJOIN_MS });
  }

  expireGateway(gateway = "NO_g", limit = 100, awakeSinceMs = 0) {
    const times = { graceMs: GRACE_MS, guardMs: GUARD_MS, holdMs: HOLD_MS, awakeSinceMs };
    return this.ledger.expireGateway({ ...this.at, gateway, ...times, limit });
  }

  expireSession(session: string) {
    return this.ledger.expireSession({ ...this.at, session, earlyMs: EARLY_MS });
  }

  reinstate(session: string) {
    return this.ledger.reinstateSession({ ...this.at, session });
  }

  expireStop(field: string) {
    return this.ledger.expireStop({ ...this.at, field, againMs: AGAIN_MS });
  }

  confirmStop(field: string, wasThere = false) {
    return this.ledger.confirmStop({ ...this.at, field, wasThere });
  }

  simulate(job: string, session: string) {
    const infos = { type: "room", roomInfo: "cm9vbQ==", participantInfo: "" };
    const times = { retainMs: RETAIN_MS, guardMs: GUARD_MS, waitMs: WAIT_MS };
    return this.ledger.simulateJob({ ...this.at, job, session, room: "room", ...infos, ...times });
  }

  sweep(limit = 100) {
    return this.ledger.sweepEnded({ ...this.at, retainMs: RETAIN_MS, limit });
  }

  /** A job that `session` was offered: the order of its name, admitted. Answers the epoch. */
  async offered(job: string, session: string): Promise<number> {
    await this.order(orderOf(job), [newJob(job)]);
    const reply = await this.admit(job);
    if (reply.status !== "offered" || reply.job.session !== session) throw new Error(JSON.stringify(reply));
    return Number(reply.job.epoch);
  }

  /** The same, accepted; and seen to run. */
  async starting(job: string, session: string): Promise<number> {
    const epoch = await this.offered(job, session);
    await this.accept(job, session, epoch);
    return epoch;
  }

  async running(job: string, session: string): Promise<number> {
    const epoch = await this.starting(job, session);
    await this.seen(job, session, epoch);
    return epoch;
  }

  /** A running job whose session, which was known to report unless told otherwise, is gone. */
  async orphan(job: string, session: string, reports = true): Promise<number> {
    const epoch = await this.running(job, session);
    if (reports) await this.report(job, session, "running");
    await this.deregister(session);
    return epoch;
  }

  /** A worker that was seen to report before: what it then does not say can be held against it. */
  async reporter(
    session: string,
    load = 0,
    facts: Partial<SessionFacts> = {},
    gateway = "NO_g",
    pool = POOL,
  ) {
    await this.worker(session, load, facts, gateway, pool);
    const job = `AJ_first-${session}`;
    await this.simulate(job, session);
    const reply = await this.admit(job);
    if (reply.status !== "offered") throw new Error(JSON.stringify(reply));
    await this.accept(job, session, Number(reply.job.epoch));
    await this.report(job, session, "success", reply.job.wire);
  }

  /** One field of a job, order or session, as Redis has it. */
  async field(kind: "job" | "order" | "session", id: string, field: string): Promise<string | undefined> {
    return (await this.redis.hget(`muster:{${this.namespace}}:${kind}:${id}`, field)) ?? undefined;
  }

  async timer(member: string): Promise<number | undefined> {
    const due = await this.redis.zscore(`muster:{${this.namespace}}:deadlines`, member);
    return due === null ? undefined : Number(due);
  }

  /** How much of a kind is held against a session. */
  async strikes(session: string, reason: EjectionReason): Promise<number> {
    const struck = (await this.field("session", session, "struck")) ?? "";
    return struck.split(";").filter((entry) => entry.startsWith(`${reason},`)).length;
  }

  async loadInPool(session: string, pool = POOL): Promise<number | undefined> {
    const load = await this.redis.zscore(`muster:{${this.namespace}}:pool:${pool}`, session);
    return load === null ? undefined : Number(load);
  }
}

/** Without what is said of an ejection where there was none: most tests are about workers that are well. */
function sparing<T extends object>(reply: T): T {
  if (!("blame" in reply) || reply.blame !== null) return reply;
  const { blame: _, ...rest } = reply;
  return rest as T;
}

export const jobOf = (order: string): string => order.replace("AD_", "AJ_");
export const orderOf = (job: string): string => job.replace("AJ_", "AD_");
