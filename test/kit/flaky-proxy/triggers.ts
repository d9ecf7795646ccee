/**
 * Owns what is to happen once so many commands or bytes have been forwarded, over all connections. Fires in the very
 * step that forwards the last of them, before any byte after it. Knows nothing of sockets.
 */

export type Direction = "to-redis" | "to-client";

export interface Command {
  /** In capitals: "EVALSHA". */
  readonly name: string;
  /** The key, or of EVALSHA the sha; its first 64 bytes. Empty if there is none. */
  readonly firstArgument: string;
}

/** Which commands count: those of a name, or those a function picks. */
export type CommandMatch = string | ((command: Command) => boolean);

export interface Trigger {
  readonly hasFired: boolean;
  /** Resolves when what was asked for has happened; rejects if it failed, or if the proxy stops before. */
  readonly fired: Promise<void>;
  /** It will not fire any more, and `fired` stays as it is. */
  cancel(): void;
}

interface Armed<Origin> {
  direction: Direction;
  unit: "bytes" | "commands";
  left: number;
  counts(command: Command): boolean;
  /** What it does to the connection that forwarded the last one; resolves when that is done. */
  act(origin: Origin): unknown;
  settle(outcome: Promise<unknown>): void;
}

export class Triggers<Origin> {
  readonly #armed = new Set<Armed<Origin>>();

  /** While one is armed, whoever forwards must go frame by frame. */
  isArmed(): boolean {
    return this.#armed.size > 0;
  }

  afterCommands(n: number, match: CommandMatch | undefined, act: (origin: Origin) => unknown): Trigger {
    return this.#arm({ direction: "to-redis", unit: "commands", left: n, counts: matcher(match), act });
  }

  afterBytes(n: number, direction: Direction, act: (origin: Origin) => unknown): Trigger {
    return this.#arm({ direction, unit: "bytes", left: n, counts: () => false, act });
  }

  /** How many bytes may go that way until one must fire. */
  bytesUntilNext(direction: Direction): number {
    const left = [...this.#armed].filter((one) => one.unit === "bytes" && one.direction === direction);
    return Math.min(...left.map((one) => one.left));
  }

  forwardedBytes(direction: Direction, bytes: number, origin: Origin): void {
    for (const one of [...this.#armed]) {
      if (one.unit === "bytes" && one.direction === direction) this.#countDown(one, bytes, origin);
    }
  }

  forwardedCommand(command: Command, origin: Origin): void {
    for (const one of [...this.#armed]) {
      if (one.unit === "commands" && one.counts(command)) this.#countDown(one, 1, origin);
    }
  }

  /** No more of them will fire, and who waits for one hears so. */
  abandon(): void {
    for (const one of this.#armed) {
      one.settle(Promise.reject(new Error(`the proxy stopped ${one.left} ${one.unit} before this fired`)));
    }
    this.#armed.clear();
  }

  #arm(request: Omit<Armed<Origin>, "settle">): Trigger {
    if (!Number.isInteger(request.left) || request.left < 1) {
      throw new Error(`n must be a whole number from 1, not ${request.left}`);
    }
    let hasFired = false;
    let settle: Armed<Origin>["settle"] = () => {};
    const fired = new Promise<unknown>((resolve) => {
      settle = resolve;
    }).then(() => {
      hasFired = true;
    });
    // Not every test waits for it, and those that do still get the error.
    fired.catch(() => {});
    const armed = { ...request, settle };
    this.#armed.add(armed);
    return {
      get hasFired() {
        return hasFired;
      },
      fired,
      cancel: () => void this.#armed.delete(armed),
    };
  }

  #countDown(one: Armed<Origin>, by: number, origin: Origin): void {
    one.left -= by;
    // An earlier one of this round may have cancelled it.
    if (one.left > 0 || !this.#armed.delete(one)) return;
    one.settle(attempt(() => one.act(origin)));
  }
}

/** Runs it now, in this step; only its outcome is a promise. */
async function attempt(act: () => unknown): Promise<void> {
  await act();
}

function matcher(match: CommandMatch | undefined): (command: Command) => boolean {
  if (match === undefined) return () => true;
  if (typeof match === "function") return match;
  const name = match.toUpperCase();
  return (command) => command.name === name;
}
