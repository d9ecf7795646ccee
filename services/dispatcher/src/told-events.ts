/**
 * Moves on what the scripts told of a namespace's jobs, while its actor is here. Whoever does something that may have been
 * told of says `expect`; it is looked for soon after, and again a little later, since what follows (a worker accepts, or
 * ends) is done by a gateway that tells nobody. What is missed by that is found with the next look at the namespace.
 * Costs no command while nobody listens, but for one look at the board a second. Keeps no fact, and never fails.
 */

import { projectOf } from "@muster/domain/namespace";
import type { Clock } from "@muster/runtime/clock";
import type { EventMover } from "@muster/runtime/events/event-mover";
import type { ListenerBoard } from "@muster/runtime/events/listener-board";
import type { Log } from "@muster/runtime/log";

export interface ToldEventsDeps {
  namespace: string;
  mover: Pick<EventMover, "move">;
  board: Pick<ListenerBoard, "isListened">;
  clock: Clock;
  log: Log;
}

/** After a claim: the offer itself and a worker that answers at once, one that thinks, one that is slow. */
const LOOK_AFTER_MS = [50, 200, 1_000];
/** For so long a namespace tells after it was last looked at by an actor; many looks. */
const LISTEN_MS = 60_000;

export class ToldEvents {
  readonly #deps: ToldEventsDeps;
  /** By delay: the look to come, and whether something happened since it was planned. */
  readonly #planned = new Map<number, { cancel: () => void; isExpectedAgain: boolean }>();
  #moving: Promise<void> | undefined;
  #isStopped = false;

  constructor(deps: ToldEventsDeps) {
    this.#deps = deps;
  }

  /** For how long from now the namespace is to tell; 0 when nobody is known to listen. */
  async listenMs(): Promise<number> {
    const { namespace, board } = this.#deps;
    const isListened = await board.isListened(projectOf(namespace)).catch(() => false);
    return isListened ? LISTEN_MS : 0;
  }

  /** Something was done that may have been told of, or be followed by what is. */
  expect(): void {
    for (const delayMs of LOOK_AFTER_MS) {
      const planned = this.#planned.get(delayMs);
      if (planned === undefined) this.#plan(delayMs);
      else planned.isExpectedAgain = true;
    }
  }

  /** Moves what there is. Resolves when it was moved, or could not be. */
  async move(): Promise<void> {
    this.#moving ??= this.#move().finally(() => {
      this.#moving = undefined;
    });
    await this.#moving;
  }

  /** What is left is for the next host. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { cancel } of this.#planned.values()) cancel();
    await this.#moving;
  }

  #plan(delayMs: number): void {
    if (this.#isStopped) return;
    const cancel = this.#deps.clock.setTimer(delayMs, () => {
      const isExpectedAgain = this.#planned.get(delayMs)?.isExpectedAgain ?? false;
      this.#planned.delete(delayMs);
      if (isExpectedAgain) this.#plan(delayMs);
      void this.#look();
    });
    this.#planned.set(delayMs, { cancel, isExpectedAgain: false });
  }

  async #look(): Promise<void> {
    if ((await this.listenMs()) > 0 && !this.#isStopped) await this.move();
  }

  async #move(): Promise<void> {
    const { namespace, mover, log } = this.#deps;
    try {
      await mover.move(namespace);
    } catch (error) {
      log.warn(
        { namespace, err: error },
        "events could not be moved; the next look at the namespace does it",
      );
    }
  }
}
