/**
 * Owns running one operation of the model test on the ledger and on its model, and saying in the same words what each
 * answered.
 */
import type { JobState } from "@muster/domain/job";
import type { SplitRecord } from "@muster/ledger/shapes";
import type { Blame } from "../src/shapes.js";
import { LedgerModel } from "./ledger-model.js";
import { DrainsModel } from "./ledger-model-drains.js";
import { blameWords } from "./ledger-model-health.js";
import { OrdersModel, roomJobOf } from "./ledger-model-orders.js";
import { RecoveryModel } from "./ledger-model-recovery.js";
import type { At, Operation } from "./model-operations.js";
import { modelAddressOf, modelRoomOf } from "./model-places.js";
import { six } from "./placement-model.js";
import {
  CANDIDATE_POOL,
  fallback,
  MAX_ATTEMPTS,
  newJob,
  ORDER,
  POOL,
  REMOVAL_MS,
  REMOVE_MS,
  type Scene,
  SECOND_POOL,
  START_MS,
  STEPS,
  WAIT_MS,
} from "./scene.js";

/** One session has a gateway of its own, so that leases end at different times. */
const gatewayOf = (id: string) => (id === "AW_3" ? "NO_h" : "NO_g");
/** One serves the agent of the fallback steps, and one the deployment that is tried out. */
const poolOf = (id: string) => (id === "AW_2" ? SECOND_POOL : id === "AW_4" ? CANDIDATE_POOL : POOL);
const words = (...parts: unknown[]) => parts.filter((part) => part !== undefined && part !== "").join(" ");
const lifeAndSteps = (index: number) => ({
  oneLife: index % 2 === 0,
  steps: ([0, 1, 2] as const)[index % 3] ?? 0,
});
type Answers = [real: string, modelled: string];

export class ModelStep {
  readonly #scene: Scene;
  readonly model = new LedgerModel();
  readonly #recovery = new RecoveryModel(this.model.state);
  readonly #drains = new DrainsModel(this.model.state);
  readonly open = new OrdersModel(this.model);

  constructor(scene: Scene) {
    this.#scene = scene;
    this.model.state.nowMs = scene.nowMs;
  }

  /** A job in one of the states, when there is one; and mostly the session and the epoch that it has. */
  #aim(
    { job, other, late }: At,
    ...states: JobState[]
  ): readonly [job: string, session: string, epoch: number] {
    const fitting = [...this.model.state.jobs].filter(([, { state }]) => states.includes(state));
    const id = fitting[Number(job.slice(3)) % Math.max(1, fitting.length)]?.[0] ?? job;
    const known = this.model.state.jobs.get(id);
    const epoch = (known?.epoch ?? 1) - (late === 0 ? 1 : 0);
    return [id, other ?? (known?.session || "AW_0"), epoch];
  }

  /** Mostly the newest id of the job, else its first, or one that nobody has seen. */
  #wire({ late }: At, job: string): string {
    const newest = this.model.state.wire(job);
    return late === 0 ? job : late === 1 ? `${job}.${Number(newest.split(".")[1] ?? 1) + 2}` : newest;
  }

  /** Registers, samples and orders as many as told. */
  async begin(sessions: number, jobs: number, knowsPresence: boolean): Promise<void> {
    if (knowsPresence) await this.#scene.knowPresence();
    this.model.state.knowsPresence = knowsPresence;
    for (let index = 0; index < sessions; index++) {
      await this.run({ do: "register", session: `AW_${index}`, cap: 0 });
      await this.run({ do: "sample", session: `AW_${index}`, load: 0, full: 1, count: 0 });
    }
    for (let index = 0; index < jobs; index++)
      await this.run({ do: "order", job: `AJ_${index}`, priority: 0, never: 1, ...lifeAndSteps(index) });
  }

  /** One session has a job that failed at once and one that never started; or one refusal less than is too many. */
  async ail(how: "failures" | "refusals"): Promise<void> {
    const at = (job: string) => ({ job, other: null, late: 9 });
    const offered = (job: string): Operation[] => [
      { do: "order", job, priority: 0, never: 1, oneLife: false, steps: 0 },
      { do: "admit", job },
    ];
    const refused = (job: string): Operation[] => [
      ...offered(job),
      { do: "reject", at: at(job), reason: "rejected", terminate: 1 },
    ];
    const failures: Operation[] = [
      ...[...offered("AJ_4"), { do: "accept", at: at("AJ_4") } as const],
      { do: "report", at: at("AJ_4"), status: "running" },
      { do: "report", at: at("AJ_4"), status: "failed" },
      ...[...offered("AJ_5"), { do: "accept", at: at("AJ_5") } as const],
      { do: "pass", ms: START_MS },
      { do: "expireJob", at: { ...at("AJ_5"), other: "AW_0" }, away: 1 },
      { do: "expireStop" },
    ];
    const refusals = ["AJ_0", "AJ_1", "AJ_2", "AJ_3"].flatMap(refused);
    for (const op of how === "failures" ? failures : refusals) await this.run(op);
  }

  async run(op: Operation): Promise<Answers> {
    const [scene, model] = [this.#scene, this.model];
    switch (op.do) {
      case "register": {
        const gateway = gatewayOf(op.session);
        const pool = poolOf(op.session);
        const facts = { cap: op.cap, client_ip: modelAddressOf(op.session) };
        const reply = await scene.register(op.session, facts, gateway, pool);
        return [reply.status, model.register(op.session, gateway, pool, op.cap)];
      }
      case "sample": {
        const status = op.full === 0 ? "full" : "available";
        const gateway = gatewayOf(op.session);
        const reply = await scene.sample(op.session, op.load, { status, job_count: op.count }, gateway);
        const news = reply.miscounted.map(({ surplus }) => `miscounted ${surplus}`);
        const misfits = reply.misfits.map(({ floor }) => `misfit ${six(floor)}`);
        const real = words(reply.status, reply.unknown.length > 0 ? "unknown" : "", ...news, ...misfits);
        return [real, model.sample(op.session, gateway, op.load, status, op.count)];
      }
      case "setPlacement":
        return [await scene.setPlacement(op.policy), model.setPlacement(op.policy)];
      case "drain":
      case "undrain": {
        const [kind, value] = op.isWide
          ? (["gateway", gatewayOf(op.session)] as const)
          : (["worker", op.session] as const);
        const id = `DR_${value}`;
        const isNew = op.do === "drain";
        const { status } = isNew ? await scene.putDrain(id, kind, value) : await scene.deleteDrain(id);
        const modelled = isNew ? this.#drains.drain(id, kind, value) : this.#drains.undrain(id);
        if (op.isApplied) {
          await scene.applyDrains(2);
          this.#drains.apply();
        }
        return [status, modelled];
      }
      case "setSplit": {
        if (op.split === null) {
          const { status, hadOne } = (await scene.setSplit(undefined)) as { status: "set"; hadOne: number };
          return [words(status, `${hadOne}`), model.state.splits.set(undefined)];
        }
        const { stable, steps, maxBadPercent, minJobs } = op.split;
        const reply = await scene.setSplit({
          stable,
          steps: steps.map(({ afterMs, percent }) => ({ after_ms: afterMs, percent })),
          rollback: { max_bad_percent: maxBadPercent, min_jobs: minJobs },
        });
        const pools = { stable: `room/agent/${stable}`, candidate: CANDIDATE_POOL };
        const modelled = model.state.splits.set({ ...pools, steps, maxBadPercent, minJobs });
        return [words(reply.status, reply.status === "set" ? `${reply.hadOne}` : ""), modelled];
      }
      case "readSplit":
        return [splitWords(await scene.split()), model.state.splits.read()];
      case "expireSplit":
        return [(await scene.expireSplit()).status, model.state.splits.expire()];
      case "order": {
        const policy = { restart_policy: op.never === 0 ? "never" : "on_failure" } as const;
        const life = op.oneLife ? ({ one_life: 1, room_sid: "RM_1" } as const) : {};
        const facts = { priority: op.priority, ...policy, ...life, ...(op.steps > 0 && fallback(op.steps)) };
        const reply = await scene.order(op.job, [newJob(op.job)], facts, modelRoomOf(op.job));
        const asked = STEPS.slice(0, op.steps + 1);
        const steps = asked.map((step) => ({ pool: `room/${step.pool}`, afterMs: step.after_ms }));
        const { priority, oneLife } = op;
        return [reply.status, model.order(op.job, { priority, oneLife, restarts: op.never !== 0, steps })];
      }
      case "admit": {
        const reply = await scene.admit(op.job);
        const { status } = reply;
        const real =
          status === "offered"
            ? words(status, reply.job.id, reply.job.session, reply.job.epoch)
            : words(
                status,
                status === "parked"
                  ? reply.behind
                  : status === "superseded"
                    ? reply.count
                    : status === "idle"
                      ? reply.state
                      : "",
                status === "parked" ? blamed(reply) : "",
              );
        return [real, model.admit(op.job)];
      }
      case "serve": {
        const reply = await scene.serve(op.pool);
        const job = reply.status === "offered" ? reply.job : {};
        return [words(reply.status, job.id, job.session, job.epoch), model.serve(op.pool)];
      }
      case "accept": {
        const aim = this.#aim(op.at, "offered");
        return [stateWords(await scene.accept(...aim)), model.accept(...aim)];
      }
      case "seen": {
        const aim = this.#aim(op.at, "starting");
        return [stateWords(await scene.seen(...aim)), model.seen(...aim)];
      }
      case "agentJoins": {
        const [id] = this.#aim(op.at, "starting", "running", "orphaned");
        const reply = await scene.agentJoined(id, "PA_1", scene.nowMs);
        const why = reply.status === "ignored" ? reply.reason : "";
        return [words(reply.status, why), model.agentJoins(id)];
      }
      case "withdraw": {
        const aim = this.#aim(op.at, "starting");
        return [stateWords(await scene.withdraw(...aim)), this.#recovery.withdraw(...aim)];
      }
      case "reject": {
        const aim = this.#aim(op.at, "offered");
        const reply = await scene.reject(...aim, op.reason, op.terminate === 0);
        return [words(stateWords(reply), blamed(reply)), model.reject(...aim, op.reason, op.terminate === 0)];
      }
      case "settleLate": {
        const owing = [...model.state.jobs].filter(
          ([, { lateBy, state }]) => lateBy !== "" && state !== "ended",
        );
        const [id, job] = owing[op.pick % Math.max(1, owing.length)] ?? ["AJ_0", undefined];
        const aim = [id, job?.lateBy ?? "AW_0", job?.epoch ?? 1] as const;
        const reply = await scene.settleLate(...aim, op.answer);
        return [words(stateWords(reply), blamed(reply)), model.settleLate(...aim, op.answer)];
      }
      case "report": {
        const [id, from] = this.#aim(op.at, "starting", "running", "orphaned");
        const wire = this.#wire(op.at, id);
        const reply = await scene.report(id, from, op.status, wire);
        const real = words(
          reply.status,
          reply.status === "refused" ? reply.reason : reply.status === "checking" ? reply.due : blamed(reply),
        );
        return [real, model.report(id, from, wire, op.status)];
      }
      case "terminate": {
        const reply = await scene.terminate(op.job, op.canAsk ? REMOVE_MS : 0);
        const detail =
          reply.status === "final"
            ? reply.outcome
            : reply.status === "terminated" && reply.stop
              ? "stop"
              : "";
        return [words(reply.status, detail), model.terminate(op.job, op.canAsk)];
      }
      case "delete": {
        const reply = await scene.deleteOrder(op.job, 100, op.canAsk ? REMOVE_MS : 0);
        const modelled = model.terminate(op.job, op.canAsk);
        const real = reply.status === "unknown" ? "unknown" : `deleted ${reply.stops.length}`;
        return [
          real,
          modelled === "unknown" ? modelled : `deleted ${modelled === "terminated stop" ? 1 : 0}`,
        ];
      }
      case "change": {
        const { priority, waitMs, maxAttempts, restarts } = op.changes;
        const changes = {
          ...(priority !== undefined && { priority }),
          ...(waitMs !== undefined && { wait_ms: waitMs }),
          ...(maxAttempts !== undefined && { max_attempts: maxAttempts }),
          ...(restarts !== undefined && {
            restart_policy: restarts ? ("on_failure" as const) : ("never" as const),
          }),
        };
        return [(await scene.change(op.job, changes)).status, model.change(op.job, op.changes)];
      }
      case "hold":
        return [(await scene.hold(op.job)).status, model.hold(op.job)];
      case "release": {
        const reply = await scene.release(op.job);
        const pools = reply.status === "released" ? reply.serve.join() : "";
        return [words(reply.status, pools), model.release(op.job)];
      }
      case "end": {
        const reply = await scene.endJob(op.job);
        return [words(reply.status, reply.status === "final" ? reply.outcome : ""), model.endJob(op.job)];
      }
      case "endRoom": {
        const reply = await scene.endRoom(op.job);
        return [
          words(reply.status, reply.status === "ended" ? reply.outcomes.join() : ""),
          model.endRoom(op.job),
        ];
      }
      case "openOrder":
      case "roomOpens":
      case "roomCloses":
      case "callers":
      case "expireOrder":
      case "holdOpen":
      case "releaseOpen":
      case "changeOpen":
      case "deleteOpen":
        return this.#openOrder(op);
      case "expireSession":
        return [(await scene.expireSession(op.session)).status, model.timers.expireSession(op.session)];
      case "reinstate":
        return [(await scene.reinstate(op.session)).status, model.timers.reinstate(op.session)];
      case "expireJob": {
        const awakeSinceMs = op.away === 0 ? scene.nowMs : 0;
        const isOrphan = op.at.other !== null;
        const others = ["parked", "queued", "offered", "starting", "running"] as const;
        const [id] = isOrphan ? this.#aim(op.at, "orphaned") : this.#aim(op.at, ...others);
        const reply = await scene.expireJob(id, awakeSinceMs);
        const detail =
          reply.status === "ended"
            ? reply.outcome
            : reply.status === "superseded"
              ? reply.count
              : "epoch" in reply
                ? reply.epoch
                : undefined;
        return [words(reply.status, detail, blamed(reply)), model.timers.expireJob(id, awakeSinceMs)];
      }
      case "settleUnjoined": {
        const doubted = [...model.state.jobs].find(([, job]) => job.isDoubted && job.state === "running");
        const [aimed, , epoch] = this.#aim(op.at, "starting");
        const id = doubted?.[0] ?? aimed;
        const at = doubted === undefined || op.at.late === 0 ? epoch : doubted[1].epoch;
        const reply = await scene.settleUnjoined(id, at, op.verdict, op.company);
        const detail =
          reply.status === "ended" ? reply.outcome : reply.status === "kept" ? reply.due : undefined;
        const real = words(stateWords(reply), detail, blamed(reply));
        return [real, model.timers.settleUnjoined(id, at, op.verdict, op.company)];
      }
      case "expireStop": {
        // The one that is due first, as whoever looks at timers has it.
        const [[field] = ["AW_0|AJ_0"]] = [...model.state.stops].sort((a, b) => a[1].due - b[1].due);
        const reply = await scene.expireStop(field);
        return [
          words(reply.status, reply.status === "looking" ? reply.due : ""),
          model.timers.expireStop(field),
        ];
      }
      case "confirmStop": {
        const field = [...model.state.stops.keys()].sort().at(-1) ?? "AW_0|AJ_0";
        return [
          (await scene.confirmStop(field, op.wasThere)).status,
          model.timers.confirmStop(field, op.wasThere),
        ];
      }
      case "pass":
        scene.pass(op.ms);
        model.state.nowMs = scene.nowMs;
        return ["", ""];
      default:
        return this.#recover(op);
    }
  }

  async #recover(op: Extract<Operation, { do: Recovering }>): Promise<Answers> {
    const [scene, recovery] = [this.#scene, this.#recovery];
    switch (op.do) {
      case "deregister": {
        const reply = await scene.deregister(op.session, op.goodbye === 0);
        const real = reply.status === "unknown" ? "unknown" : `deregistered ${fates(reply)}`;
        return [real, recovery.deregister(op.session, op.goodbye === 0)];
      }
      case "expireGateway": {
        const awakeSinceMs = op.away === 0 ? scene.nowMs - 1 : 0;
        const reply = await scene.expireGateway("NO_g", 100, awakeSinceMs);
        const real = reply.status === "idle" ? "idle" : `lost ${fates(reply)}`;
        return [real, recovery.expireGateway("NO_g", awakeSinceMs)];
      }
      case "assert":
        return this.#assert(op.held);
      case "migrate": {
        const wires = [
          ...new Set(
            op.named.map((at) => this.#wire(at, this.#aim(at, "starting", "running", "orphaned")[0])),
          ),
        ];
        const reply = await scene.migrate(op.session, ...wires);
        const modelled = recovery.migrate(op.session, wires);
        if (reply.status === "unknown_session") return [reply.status, modelled];
        const moved = reply.moved.map(({ wire, epoch }) => `${wire}@${epoch}`);
        const closed = reply.closed.map(({ session }) => session);
        const lists = [moved, reply.stops, reply.refused, reply.held, closed, fates(reply)];
        return [["migrated", ...lists].map((list) => list.toString()).join(" "), modelled];
      }
      case "settle": {
        const [id, , epoch] = this.#aim(op.at, "orphaned");
        const rest = { deserted: op.deserted === 0, removeMs: op.canAsk ? REMOVAL_MS : 0, startMs: START_MS };
        const reply = await scene.settle(id, epoch, op.verdict, op.unproven, rest);
        const detail = reply.status === "kept" ? `${reply.due} ${reply.guard}` : "";
        const real = words(stateWords(reply), detail, reply.status === "ended" ? reply.outcome : "");
        return [real, recovery.settle(id, epoch, op.verdict, { unproven: op.unproven, ...rest })];
      }
      case "restore": {
        const [id, session, epoch] = this.#aim(op.at);
        const wire = this.#wire(op.at, id);
        const rest = { order: id, epoch, wire, facts: ORDER, max_attempts: MAX_ATTEMPTS };
        const reply = await scene.restore(id, session, rest, modelRoomOf(id));
        return [stateWords(reply), recovery.restore(id, session, epoch, wire)];
      }
    }
  }

  async #openOrder(op: Extract<Operation, { do: OfOpenOrders }>): Promise<Answers> {
    const [scene, open] = [this.#scene, this.open];
    const id = op.do === "openOrder" ? open.nextOf(op.slot) : open.idOf(op.slot);
    switch (op.do) {
      case "openOrder": {
        const { hasRoomJob, waitMs: asked } = op;
        const isHeld = op.held === 0;
        const held = isHeld ? ({ held: 1 } as const) : {};
        const reply = hasRoomJob
          ? await scene.order(id, [newJob(roomJobOf(id))], held)
          : await scene.openOrder(id, { ...held, wait_ms: asked });
        const waitMs = hasRoomJob ? WAIT_MS : asked;
        return [reply.status, open.create(id, { hasRoomJob, isHeld, waitMs })];
      }
      case "roomOpens": {
        const job = op.person === "" ? undefined : `${id}-${op.person}`;
        const jobs = job === undefined ? [] : [newJob(job, POOL, "participant")];
        const reply = await scene.extend(id, jobs, "RM_1", "", open.orders.get(id)?.hasRoomJob ?? false);
        return [words(stateWords(reply), reply.status === "extended" ? reply.made : ""), open.opens(id, job)];
      }
      case "roomCloses": {
        const reply = await scene.endRoom(id);
        const outcomes = reply.status === "ended" ? ` ${reply.outcomes.join()}` : "";
        return [`${reply.status}${outcomes}`, open.closes(id)];
      }
      case "callers": {
        const isHere = op.seenMs === undefined;
        const reply = await scene.noteCallers(id, isHere ? 1 : 0, scene.nowMs - (op.seenMs ?? 0));
        const ended = reply.status === "noted" ? ` ${reply.ended.join()}` : "";
        return [`${reply.status}${ended}`, open.noteCallers(id, op.seenMs)];
      }
      case "expireOrder":
        return [(await scene.expireOrder(id)).status, open.expire(id)];
      case "holdOpen":
        return [(await scene.hold(id)).status, open.hold(id)];
      case "releaseOpen": {
        const reply = await scene.release(id);
        return [words(reply.status, reply.status === "released" ? reply.serve.join() : ""), open.release(id)];
      }
      case "changeOpen":
        return [(await scene.change(id, { wait_ms: op.waitMs })).status, open.change(id, op.waitMs)];
      case "deleteOpen": {
        const reply = await scene.deleteOrder(id);
        const real = reply.status === "unknown" ? "unknown" : `deleted ${reply.stops.length}`;
        return [real, open.remove(id)];
      }
    }
  }

  async #assert(named: readonly At[]): Promise<Answers> {
    const claims = new Map(named.map((at) => [at.job, this.#aim(at)]));
    const held = [...claims].map(([job, [, session, epoch]]) => {
      return { job, session, epoch, wire: this.model.state.wire(job) };
    });
    const reply = await this.#scene.assert(held);
    const answers = held.map(({ job, session, wire }) => {
      if (reply.status !== "renewed" || reply.unknown.includes(job)) return "unknown";
      if (reply.over.includes(job)) return "over";
      return reply.stops.some((stop) => stop.session === session && stop.wire === wire) ? "stop" : "stands";
    });
    const real = reply.status === "lapsed" ? "lapsed" : `renewed ${answers.join()}`;
    return [real, this.#recovery.assert("NO_g", held)];
  }
}

function splitWords(record: SplitRecord | undefined): string {
  if (record === undefined) return "none";
  const counts = [record.stable, record.candidate].map(({ jobs, good, bad }) => `${jobs}/${good}/${bad}`);
  const lately = [record.lately_good, record.lately_bad];
  return [...counts, ...lately, record.percent, record.split.rolled_back_at ?? "on"].join(" ");
}

type Recovering = "deregister" | "expireGateway" | "assert" | "migrate" | "settle" | "restore";
type OfOpenOrders =
  | ("openOrder" | "roomOpens" | "roomCloses" | "callers" | "expireOrder")
  | ("holdOpen" | "releaseOpen" | "changeOpen" | "deleteOpen");

function stateWords(reply: { status: string; state?: string }): string {
  return words(reply.status, reply.state);
}

function blamed(reply: object): string {
  return "blame" in reply ? blameWords(reply.blame as Blame | null) : "";
}

function fates(reply: {
  requeued?: string[];
  orphaned?: string[];
  ended?: string[];
  guard?: number;
}): string {
  const named = (list: string[] | undefined, fate: string) => (list ?? []).map((id) => `${id} ${fate}`);
  const all = [...named(reply.requeued, "requeued"), ...named(reply.orphaned, "orphaned")];
  return [...all, ...named(reply.ended, "ended"), ...(reply.guard === 1 ? ["guard"] : [])].sort().join();
}
