/**
 * Looks for the agents of young jobs where no webhook tells that they joined: the rounds over rooms are too far apart to see a
 * short stay. Each agent is looked for every 750 ms until its start deadline, then every 3 s for as long as the slowest agents are
 * given, or until it was seen; who is seen is told to the ledger. Remembers when it looked in vain, which is evidence that nobody was there. In memory, with bounds: what is
 * not looked for, or was forgotten, is unknown, never absent.
 */

import { LONGEST_JOIN, REJOIN_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord } from "@muster/ledger/records";
import { participantFactsOf } from "@muster/livekit/facts";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import { agentMarks } from "@muster/wire/agent-token";
import { type ParticipantInfo, ParticipantInfo_Kind } from "@muster/wire/generated/livekit";

export interface YoungJobsDeps {
  ledger: Pick<Ledger, "readRecord" | "noteAgent">;
  roomService: Pick<RoomService, "getParticipant">;
  clock: Clock;
  /** How long an agent may take to join its room, at first. */
  startMs: number;
}

interface Young {
  namespace: string;
  job: string;
  epoch: number;
  /** Looked for often until then. */
  deadlineMs: number;
  untilMs: number;
  /** When it was looked for in vain. */
  looksAtMs: number[];
  cancel(): void;
}

const FIRST_LOOK_MS = 500;
const LOOK_EVERY_MS = 750;
const LOOK_LATE_EVERY_MS = 3_000;
/** From the offer to the acceptance, and from the start deadline to the question that it asks. */
const SLACK_MS = 10_000;
const MOST_WATCHED = 512;
const MOST_AT_ONCE = 8;
const CALL_MS = 1_000;
/** The looks at a job are kept for the question that follows its end. */
const KEPT_MS = 60_000;

export class YoungJobs {
  readonly #deps: YoungJobsDeps;
  readonly #young = new Map<string, Young>();
  readonly #looking = new Set<Promise<void>>();

  constructor(deps: YoungJobsDeps) {
    this.#deps = deps;
  }

  /** From its offer on. Above the bound nobody more is watched. */
  watch(namespace: string, job: string, epoch: number): void {
    const key = keyOf(namespace, job, epoch);
    if (this.#young.has(key) || this.#young.size >= MOST_WATCHED) return;
    const { clock, startMs } = this.#deps;
    const deadlineMs = clock.now() + startMs + SLACK_MS;
    const untilMs = deadlineMs + (LONGEST_JOIN - 1) * startMs;
    const young: Young = { namespace, job, epoch, deadlineMs, untilMs, looksAtMs: [], cancel: () => {} };
    this.#young.set(key, young);
    this.#plan(key, young, FIRST_LOOK_MS);
  }

  /** The longest stay that can have been missed between these times, Unix ms. */
  longestUnseenMs(namespace: string, job: string, epoch: number, fromMs: number, untilMs: number): number {
    const looks = this.#young.get(keyOf(namespace, job, epoch))?.looksAtMs ?? [];
    const times = [fromMs, ...looks.filter((at) => at > fromMs && at < untilMs), untilMs];
    return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)));
  }

  async stop(): Promise<void> {
    for (const { cancel } of this.#young.values()) cancel();
    this.#young.clear();
    await Promise.all(this.#looking);
  }

  #plan(key: string, young: Young, delayMs: number): void {
    young.cancel = this.#deps.clock.setTimer(delayMs, () => {
      if (this.#looking.size >= MOST_AT_ONCE) return this.#plan(key, young, LOOK_EVERY_MS);
      const looking = this.#look(young)
        .catch(() => "again" as const)
        .then((answer) => {
          if (this.#young.get(key) !== young) return;
          const nowMs = this.#deps.clock.now();
          const everyMs = nowMs < young.deadlineMs ? LOOK_EVERY_MS : LOOK_LATE_EVERY_MS;
          if (answer === "again" && nowMs < young.untilMs) this.#plan(key, young, everyMs);
          else young.cancel = this.#deps.clock.setTimer(KEPT_MS, () => this.#young.delete(key));
        })
        .finally(() => this.#looking.delete(looking));
      this.#looking.add(looking);
    });
  }

  async #look({ namespace, job, epoch, looksAtMs }: Young): Promise<"again" | "done"> {
    const { ledger, roomService, clock } = this.#deps;
    const found = await ledger.readRecord({ namespace, kind: "job", id: job });
    if (found.status === "unknown") return "done";
    const { state, epoch: newest, room, agentIdentity } = jobRecord(found.record);
    if (newest !== epoch || (found.record.participant_sid ?? "") !== "") return "done";
    if (state === "offered") return "again";
    if (state !== "starting" && state !== "running") return "done";
    if (found.record.reported !== undefined || agentIdentity === "") return "done";
    const askedAtMs = clock.now();
    const agent = await roomService.getParticipant(room, agentIdentity, { overallMs: CALL_MS });
    if (agent === undefined || !isAgentOf(job, agent)) {
      looksAtMs.push(askedAtMs);
      return "again";
    }
    await ledger.noteAgent({
      ...{ namespace, job, identity: agentIdentity, sid: agent.sid },
      ...{
        joinedAt: participantFactsOf(agent).joinedAtMs ?? 0,
        hasLeft: false,
        how: "clean",
        rejoinMs: REJOIN_MS,
      },
    });
    return "done";
  }
}

type Participant = Pick<ParticipantInfo, "kind" | "attributes">;

/** By its token, and not by its identity, which anybody may bear. */
export function isAgent({ kind }: Participant): boolean {
  return kind === ParticipantInfo_Kind.AGENT;
}

/** A worker may give all its agents one identity. Who bears no mark is taken for this job's. */
export function isAgentOf(job: string, participant: Participant): boolean {
  return isAgent(participant) && (agentMarks(participant.attributes)?.job ?? job) === job;
}

const keyOf = (namespace: string, job: string, epoch: number): string => `${namespace}|${job}|${epoch}`;
