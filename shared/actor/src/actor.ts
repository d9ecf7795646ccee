/**
 * Owns the contract between an actor and its host. An actor is a name's presence in one process: it is made when there
 * is something to do, takes its messages one at a time, and rests when there is nothing. It keeps no fact of its own:
 * it may be ended and made anew, here or on another node, between any two turns, and for a moment there may be two.
 */
import type { MailOutcome } from "./mailbox.js";

export interface Actor<M> {
  /** Looks at the facts and does what is overdue; messages wait until it resolves. A throw restarts the actor. */
  start(): Promise<void>;
  /** One turn. The next message waits for what it returns; work that may overlap is begun here and not returned. */
  receive(message: M): void | Promise<void>;
  /**
   * Looks at the facts (never at memory), does what is overdue, and answers when the name is next due, in ms of Redis
   * time; undefined when nothing is pending. Asked by the sweep, also while a turn runs.
   */
  review(): Promise<number | undefined>;
  /** Asked after a time without messages: whether memory holds nothing that must go on (children, timers, replies). */
  mayRest(): boolean;
  /** Ends children and timers. Called once, also after a failure; no turn runs then, unless it overran its limit. */
  stop(): Promise<void>;
}

export interface ActorContext<M> {
  readonly name: string;
  /** Puts a message into the actor's own mailbox. */
  tell(message: M): MailOutcome;
  /** Something outside a turn failed (a child, a timer): the actor is restarted as if a turn had thrown. */
  fail(error: unknown): void;
}

export type CreateActor<M> = (name: string, context: ActorContext<M>) => Actor<M>;
