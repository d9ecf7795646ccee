/**
 * Owns the agents of a siege of rooms: what an execution does in its room once its worker was assigned. Most join soon, some
 * late; some crash before they join, and their worker says success, as Python's does; some crash after.
 */
import { jobOfWireId } from "@muster/domain/ids";
import type { LivekitStandIn } from "../../kit/livekit-stand-in.js";
import type { RunningJob, SimulatedWorker, WorkerWatch } from "../../kit/simulated-worker.js";
import type { Random } from "../siege/random.js";
import type { Stories } from "./stories.js";

export interface AgentsDeps {
  livekit: LivekitStandIn;
  random: Random;
  stories: Stories;
}

export type Nature = "prompt" | "slow" | "crashes before" | "crashes after";

interface Execution {
  readonly job: RunningJob;
  readonly identity: string;
  readonly finish: () => void;
  joined: boolean;
}

const PROMPT_MS = [20, 300] as const;
/** Below the start deadline of these tests. */
const SLOW_MS = [1_500, 4_000] as const;
/** LiveKit finds out about a process that is gone. */
const NOTICED_MS = 300;
const LOOK_MS = 50;

export class Agents {
  readonly counts = new Map<Nature, number>();
  /** By wire id. */
  readonly #executions = new Map<string, Execution>();
  readonly #deps: AgentsDeps;
  readonly #ticker: NodeJS.Timeout;
  readonly #joined = new Set<string>();

  constructor(deps: AgentsDeps) {
    this.#deps = deps;
    this.#ticker = setInterval(() => this.#endWhoIsOut(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#ticker);
  }

  /** Whether an execution for this room is under way and has not joined yet. */
  isComing(room: string): boolean {
    return [...this.#executions.values()].some(({ job, joined }) => job.room === room && !joined);
  }

  /** Whether an execution of this job ever was in its room. */
  hasJoined(job: string): boolean {
    return this.#joined.has(job);
  }

  watch(worker: () => SimulatedWorker | undefined): Pick<WorkerWatch, "started" | "over"> {
    return {
      started: (job) => this.#started(job, () => worker()?.finish(job.wire)),
      over: ({ wire }, how) => this.#over(wire, how === "died"),
    };
  }

  #started(job: RunningJob, finish: () => void): void {
    const { random } = this.#deps;
    const chance = random.next();
    const nature: Nature =
      chance < 0.04 ? "crashes before" : chance < 0.08 ? "crashes after" : chance < 0.2 ? "slow" : "prompt";
    this.#deps.stories.tell(job.room, `${job.wire} starts, ${nature}`);
    this.counts.set(nature, (this.counts.get(nature) ?? 0) + 1);
    const { sub: identity = "" } = claimsOf(job.token);
    this.#executions.set(job.wire, { job, identity, finish, joined: false });
    if (nature === "crashes before") return void setTimeout(finish, random.between(...PROMPT_MS));
    setTimeout(
      () => {
        this.#join(job.wire);
        if (nature === "crashes after") setTimeout(finish, random.between(...PROMPT_MS));
      },
      nature === "slow" ? random.between(...SLOW_MS) : random.between(...PROMPT_MS),
    );
  }

  #join(wire: string): void {
    const execution = this.#executions.get(wire);
    if (execution === undefined) return;
    const { attributes = {} } = claimsOf(execution.job.token);
    this.#deps.livekit.rooms.join(execution.job.room, execution.identity, { kind: "agent", attributes });
    execution.joined = true;
    this.#joined.add(jobOfWireId(wire));
    this.#deps.stories.tell(execution.job.room, `${wire} joins`);
  }

  #over(wire: string, isDead: boolean): void {
    const execution = this.#executions.get(wire);
    this.#executions.delete(wire);
    if (execution === undefined) return;
    this.#deps.stories.tell(execution.job.room, `${wire} is over${isDead ? ", with its worker" : ""}`);
    if (!execution.joined) return;
    const { identity, job } = execution;
    const { rooms } = this.#deps.livekit;
    const leave = () => {
      // Another execution may be there under this identity by now: that one stays.
      const isTaken = [...this.#executions.values()].some((one) => one.identity === identity && one.joined);
      if (!isTaken && rooms.hasLive(job.room, identity))
        rooms.leave(job.room, identity, isDead ? "CONNECTION_TIMEOUT" : "CLIENT_INITIATED");
    };
    if (isDead) setTimeout(leave, NOTICED_MS);
    else leave();
  }

  /** Whose room is over, or who was put out of it, ends, as the SDKs do. */
  #endWhoIsOut(): void {
    for (const { job, identity, joined, finish } of [...this.#executions.values()])
      if (joined && !this.#deps.livekit.rooms.hasLive(job.room, identity)) finish();
  }
}

function claimsOf(token: string): { sub?: string; attributes?: Record<string, string> } {
  const [, claims = ""] = token.split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString());
}
