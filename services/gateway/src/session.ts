/**
 * Owns the gateway's side of one worker socket: its phase, what the worker registered as, what it was asked and what it
 * holds, and the order in which its messages take effect. Knows neither the ledger nor what the messages mean.
 * Nothing that it throws or logs carries a token, metadata or what participants say of themselves.
 */

import type { JobType } from "@muster/domain/pool";
import type { LoadSample } from "@muster/ledger/shapes";
import type { Log } from "@muster/runtime/log";
import {
  encodeServerMessage,
  encodeServerMessageJson,
  type SendableServerMessage,
} from "@muster/wire/agent-codec";
import { CLOSE_CODES, type CloseName, closeReason } from "@muster/wire/close-codes";
import type { ParticipantPermission } from "@muster/wire/generated/livekit";
import { HeldJobs } from "./held-jobs.js";
import type { FactMemory } from "./job-facts.js";
import { FRESH_WORKER, type WorkerState } from "./load-sample.js";
import type { OpenOffer } from "./open-offer.js";
import { type Phase, transition } from "./phase.js";
import type { SimulationRate } from "./simulation-rate.js";
import type { AgentSocket } from "./transport/transport.js";
import { WorkLine, type WorkOwner } from "./work-line.js";
import type { WorkBound, WorkMemory } from "./work-memory.js";

/** Who the worker is by its token, and how it asked to be spoken to. Known before the socket is. */
export interface WorkerContext {
  apiKey: string;
  project: string;
  /** `?protocol=` as sent, 0 when absent: livekit-server's signalling version. */
  protocol: number;
  /** The end of the token that opened the socket. */
  tokenEndsAtMs: number;
  /** Where the worker's connection comes from. */
  clientIp: string;
  /** Known before it does: it tells when a job runs and how it ended. Of others that is learnt from their first report. */
  reports: boolean;
}

/** What a worker said of itself, checked. */
export interface Registration {
  namespace: string;
  agentName: string;
  type: JobType;
  deployment: string;
  version: string;
  /** null: the worker sent none. */
  permissions: ParticipantPermission | null;
  pool: string;
}

/** Python takes up to 10 s from its yes until a process has begun with the job. */
const STARTING_MS = 15_000;

const OVERWORKED = {
  session_bytes: "more bytes of messages than may wait here for one worker; try again",
  gateway_bytes:
    "this gateway has no memory left for messages that wait, and this worker has most; try again",
} as const;

export interface SessionDeps {
  id: string;
  socket: AgentSocket;
  context: WorkerContext;
  /** Shared by all sessions of the gateway. */
  memory: FactMemory;
  work: WorkMemory;
  /** What waits for the ledger passed a bound; the socket is closed. */
  onOverworked: (bound: WorkBound) => void;
  log: Log;
}

export class Session implements WorkOwner {
  readonly id: string;
  readonly context: WorkerContext;
  readonly held: HeldJobs;
  /** Open offers by wire id. */
  readonly offers = new Map<string, OpenOffer>();
  /** When an offer was last taken back as slow that it may still be thinking about; 0 when none was. */
  lateAskedAtMs = 0;
  /** How long it may take to answer an offer, where that was learnt; undefined: as long as everybody. */
  answerMs: number | undefined;
  /** What the worker's load reports came to. */
  worker: WorkerState = FRESH_WORKER;
  /** The newest of them, with the last load that was one, for a ledger that has lost it. */
  sample: LoadSample | undefined;
  /** How many more jobs of its own making it may ask for; undefined until it did. */
  simulations: SimulationRate | undefined;
  readonly #log: Log;
  readonly #socket: AgentSocket;
  #phase: Phase = "connected";
  #registration: Registration | undefined;
  #usesJson = false;
  #isExpired = false;
  #closedAs: CloseName | undefined;
  readonly #line: WorkLine;
  readonly #onOverworked: (bound: WorkBound) => void;

  constructor({ id, socket, context, memory, work, onOverworked, log }: SessionDeps) {
    this.id = id;
    this.context = context;
    this.#socket = socket;
    this.held = new HeldJobs({ session: id, memory });
    this.#line = new WorkLine(work, this);
    this.#onOverworked = onOverworked;
    this.#log = log;
  }

  /**
   * Made anew for each line: an idle session logs nothing, and twenty thousand of them should not keep a logger each.
   */
  get log(): Log {
    const { namespace, agentName: agent } = this.#registration ?? {};
    return this.#log.child({ session: this.id, ...(namespace !== undefined && { namespace, agent }) });
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Its token is over, and it is offered nothing more. */
  get isExpired(): boolean {
    return this.#isExpired;
  }

  expire(): void {
    this.#isExpired = true;
  }

  /** True from registration until the socket is gone: offers may be answered and reports taken. */
  get isServed(): boolean {
    return this.#phase === "registered" || this.#phase === "draining";
  }

  /** It was asked, or given a job, a moment ago, and has not yet said that it runs: it may keep a place that we know of. */
  isStarting(nowMs: number): boolean {
    return this.#isAsked(nowMs) || this.held.hasUnseen(nowMs - STARTING_MS);
  }

  /** Set from the moment a good register was read; in the ledger only once `isServed`. */
  get registration(): Registration | undefined {
    return this.#registration;
  }

  /** Why this gateway closed the socket; undefined when the worker did, or the network. */
  get closedAs(): CloseName | undefined {
    return this.#closedAs;
  }

  /** The peer has not yet taken what was sent: it cannot have read it. */
  get hasUnsentBytes(): boolean {
    return this.#socket.bufferedBytes > 0;
  }

  register(registration: Registration): void {
    this.#move("registering", "register read");
    this.#registration = registration;
  }

  registered(): void {
    this.#move("registered", "written to the ledger");
  }

  drain(): void {
    this.#move("draining", "the gateway drains");
  }

  /** The transport said so, once. */
  closed(): void {
    this.#move("closed", "the socket is gone");
    this.held.end();
  }

  /** Text and binary peers are answered in kind, as the last frame that came was. */
  speaks(format: "json" | "protobuf"): void {
    this.#usesJson = format === "json";
  }

  send(message: SendableServerMessage): "sent" | "buffered" | "dropped" {
    if (this.#phase === "closed") return "dropped";
    return this.#socket.send(
      this.#usesJson ? encodeServerMessageJson(message) : encodeServerMessage(message),
    );
  }

  /** Repeatable; the phase follows when the transport says that the socket is gone. */
  close(name: CloseName, reason: string): void {
    if (this.#phase === "closed" || this.#socket.closed) return;
    this.#closedAs = name;
    this.#socket.close(CLOSE_CODES[name].code, closeReason(reason));
  }

  /**
   * Runs `work` once all that was given before is done: registration first, then reports as they came. What it throws
   * is logged. `payloadBytes`: what it keeps in memory until then, beside itself. A worker that says more than the ledger
   * takes in, or than may wait, is told to come back later.
   */
  inOrder(work: () => Promise<void>, payloadBytes = 0): void {
    this.#line.add(work, payloadBytes);
  }

  /** Resolves once nothing waits in line. */
  settled(): Promise<void> {
    return this.#line.settled();
  }

  overworked(bound: WorkBound): void {
    this.#onOverworked(bound);
    if (bound === "session_messages")
      this.close("too_slow", "more messages than the ledger takes in; try again");
    else this.close("over_limit", OVERWORKED[bound]);
  }

  workFailed(error: unknown): void {
    this.log.error({ err: error }, "work for a session failed");
  }

  #isAsked(nowMs: number): boolean {
    return this.offers.size > 0 || nowMs - this.lateAskedAtMs < STARTING_MS;
  }

  #move(to: Phase, reason: string): void {
    const change = transition(this.#phase, to, reason);
    this.#phase = to;
    this.log.debug(change, "session phase");
  }
}
