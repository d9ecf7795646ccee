/**
 * Owns one proxied connection: a client's socket, the one to Redis, and the pipes between them. Knows which replies are
 * outstanding, by counting: RESP answers in order. That does not hold for a subscriber under RESP2, nor for
 * CLIENT REPLY OFF, so of those no reply can be lost on purpose.
 */
import { connect, type Socket } from "node:net";
import type { Frame } from "./frame-scanner.js";
import { Pipe, type Weather } from "./pipe.js";
import { resetSocket } from "./reset-socket.js";
import type { Command, Direction, Triggers } from "./triggers.js";

export interface ConnectionDeps {
  client: Socket;
  target: { host: string; port: number };
  weather: Weather;
  triggers: Triggers<Connection>;
  commandForwarded(command: Command): void;
  swallowed(bytes: number): void;
}

export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #pipes: Record<Direction, Pipe>;
  /** Resolves when both sockets are gone. */
  readonly closed: Promise<unknown>;
  #commands = 0;
  #replies = 0;
  #loss: { repliesBefore: number; done: () => void } | undefined;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.#upstream = connect({ ...deps.target, allowHalfOpen: true });
    const sockets = [this.#client, this.#upstream];
    for (const socket of sockets) {
      socket.setNoDelay(true);
      // What an error means here is said by the close that follows it.
      socket.on("error", () => {});
    }
    this.closed = Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))),
    );
    this.#pipes = {
      "to-redis": this.#pipe("to-redis", this.#client, this.#upstream),
      "to-client": this.#pipe("to-client", this.#upstream, this.#client),
    };
  }

  /** What was held is looked at again, under the verbs in force now. */
  settle(): void {
    for (const pipe of Object.values(this.#pipes)) pipe.settle();
  }

  get isBroken(): boolean {
    return Object.values(this.#pipes).some((pipe) => pipe.isBroken);
  }

  /**
   * RST to the client. Redis gets what was forwarded before, then the end: a reset of its own could overtake commands
   * that have been counted as forwarded.
   */
  cut(): void {
    this.shut();
    resetSocket(this.#client);
    this.#upstream.destroySoon();
  }

  /** Both sockets now, whatever is still unsent. */
  destroy(): void {
    this.shut();
    resetSocket(this.#client);
    this.#upstream.destroy();
  }

  shut(): void {
    for (const pipe of Object.values(this.#pipes)) pipe.shut();
  }

  sendFin(direction: Direction): void {
    this.#pipes[direction].shut();
    (direction === "to-redis" ? this.#upstream : this.#client).end();
  }

  /**
   * The command just forwarded is the last that reaches Redis from here. Replies to those before it are delivered;
   * when its own comes, the client gets the end of the connection (FIN) instead. Resolves then.
   */
  loseReply(): Promise<void> {
    this.#pipes["to-redis"].shut();
    return new Promise((done) => {
      this.#loss = { repliesBefore: this.#commands - 1, done };
      this.#loseWhenDue();
    });
  }

  #loseWhenDue(): void {
    const loss = this.#loss;
    if (loss === undefined || this.#replies !== loss.repliesBefore) return;
    this.#pipes["to-client"].interceptReply(() => {
      this.#upstream.destroySoon();
      // A reset could overtake the replies before it: libuv gives up unread data when it sees one.
      this.#client.end(() => loss.done());
    });
  }

  #pipe(direction: Direction, source: Socket, sink: Socket): Pipe {
    const { weather, triggers, swallowed } = this.#deps;
    return new Pipe({
      direction,
      source,
      sink,
      weather,
      swallowed,
      bytesUntilNext: () => triggers.bytesUntilNext(direction),
      isWatched: () => triggers.isArmed() || this.#loss !== undefined,
      forwarded: (bytes, frames) => {
        for (const frame of frames) {
          if (direction === "to-redis") this.#requestForwarded(frame);
          else this.#replyForwarded(frame);
        }
        triggers.forwardedBytes(direction, bytes, this);
      },
      onReset: () => this.cut(),
    });
  }

  #requestForwarded({ words: [name, firstArgument = ""] }: Frame): void {
    // An empty line or array, to which Redis says nothing.
    if (name === undefined) return;
    this.#commands += 1;
    const command = { name: name.toUpperCase(), firstArgument };
    this.#deps.commandForwarded(command);
    this.#deps.triggers.forwardedCommand(command, this);
  }

  #replyForwarded({ type }: Frame): void {
    if (type === ">") return;
    this.#replies += 1;
    this.#loseWhenDue();
  }
}
